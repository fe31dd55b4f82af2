"""An endpoint's deliveries in their order, and when the next one is due.

One at a time is in a worker's hands, and the oldest goes first. One that fails keeps its place for IN_ORDER: what came later waits,
so a receiver that was down hears everything in order. After that it steps aside: one event that a receiver cannot take does not
keep the others from it.

Whoever changes what waits locks the endpoint's row first and sets `due_at` anew by `schedule` in a later statement; without the
lock, two who see each other's rows not yet would leave an endpoint asleep.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from reseller.domain.webhooks.tables import WebhookDelivery, WebhookEndpoint

ANSWER_SECONDS = 10
"""How long a receiver may take; the request itself is cut off then."""
IN_ORDER = timedelta(hours=1)
LASTS = timedelta(hours=72)
"""How long a delivery is tried."""
MIN_GAP = timedelta(seconds=5)
MAX_GAP = timedelta(hours=6)

CANDIDATES = """SELECT d.id, d.position, d.next_try_at FROM webhook_deliveries d
                 WHERE d.endpoint_id = e.id AND d.state = 'waiting'
                   AND (d.is_aside OR d.id = (SELECT h.id FROM webhook_deliveries h
                                               WHERE h.endpoint_id = e.id AND h.state = 'waiting' AND NOT h.is_aside
                                               ORDER BY h.position LIMIT 1))"""
"""What of an endpoint `e` may be sent next: the oldest that has not stepped aside, and those that have."""

_SCHEDULE = text(
    f"""UPDATE webhook_endpoints e SET due_at = CASE WHEN e.off_at IS NULL THEN (SELECT min(c.next_try_at) FROM ({CANDIDATES}) c) END
         WHERE e.id = ANY(:ids)"""  # noqa: S608
)


def instant(session: Session) -> datetime:
    """The database's clock: when something is due and whose it is, is said and read by machines whose own clocks differ (R39)."""
    at: datetime = session.scalars(text("SELECT now()")).one()
    return at.astimezone(UTC)


def locked(session: Session, endpoint_id: UUID) -> WebhookEndpoint | None:
    """The endpoint's row, nobody else's until the caller's transaction ends; None if there is none that the caller sees."""
    return session.get(WebhookEndpoint, endpoint_id, with_for_update=True, populate_existing=True)


def lock_all(session: Session, ids: Iterable[UUID]) -> None:
    """Those rows are nobody else's until the caller's transaction ends; always in one order."""
    session.execute(select(WebhookEndpoint.id).where(WebhookEndpoint.id.in_(list(ids))).order_by(WebhookEndpoint.id).with_for_update())


def put_off(delivery: WebhookDelivery, at: datetime, tried_for: timedelta) -> None:
    """Its next try comes after as long as it has been tried, at most MAX_GAP, give or take a tenth; the last one at `kept_until`."""
    delivery.next_try_at = min(at + min(max(tried_for, MIN_GAP), MAX_GAP) * _jitter(), delivery.kept_until)
    delivery.is_aside = delivery.is_aside or tried_for >= IN_ORDER


def age_of(delivery: WebhookDelivery, at: datetime) -> timedelta:
    """How long ago it was first due."""
    return at - (delivery.kept_until - LASTS)


def _jitter() -> float:
    """Between 0.9 and 1.1, so that what failed together is not tried together."""
    return 0.9 + secrets.randbelow(201) / 1000


def schedule(session: Session, ids: Iterable[UUID]) -> None:
    """These endpoints, which the caller has locked, are due when the next of their deliveries is."""
    session.flush()
    session.execute(_SCHEDULE, {"ids": list(ids)})

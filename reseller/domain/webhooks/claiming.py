"""Deliveries that are due go into the hands of a worker: one of an endpoint at a time, a few of an account, and slow ones not too many.

A claim is a lease: whoever dies with one in hand is taken over after LEASE, and the receiver may then hear the same message twice,
under the same id. A claim also sets the next try, by the gaps of one that fails, and whoever records an outcome sets it anew: what
ends in a mistake of ours, which records none, is tried as seldom and as long, and then given up.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping, select, text, update
from sqlalchemy.orm import Session

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain.identity.sealing import Broken, Seal
from reseller.domain.webhooks.messages import body_of, message_id
from reseller.domain.webhooks.queue import CANDIDATES, MIN_GAP, age_of, instant, put_off, schedule
from reseller.domain.webhooks.tables import DeliveryState, WebhookDelivery, WebhookEndpoint

LEASE = timedelta(seconds=30)
"""Longer than a request may take."""

MAX_PER_ACCOUNT = 3
SLOW_SHARE = 2
"""Endpoints that were slow the last time get at most one in so many of the places."""
LOOKED_AT = 500
MOST_DOUBLINGS = 20
"""As many times the shortest gap can be doubled without a number that is too large; the longest comes long before."""
LOST = "its last try did not come to an end, by a mistake of ours"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in the hands of a worker. Without a secret it cannot be signed, and is not sent."""

    lease_id: UUID
    endpoint_id: UUID
    delivery_id: UUID
    account_id: UUID
    url: str
    message_id: str
    body: bytes
    secret_texts: tuple[str, ...] = field(repr=False)
    number: int  # 1 for the first try


_HEADS = text(
    f"""SELECT e.id AS endpoint_id, e.account_id, e.url, e.sealed_secret, e.lease_id,
               CASE WHEN e.old_secret_until > :at THEN e.sealed_old_secret END AS sealed_old_secret,
               d.id AS delivery_id, d.attempts + 1 AS number, d.is_test,
               o.id AS event_id, o.name, o.payload, o.created_at, o.account_id AS told_account
          FROM webhook_endpoints e
          JOIN LATERAL (SELECT c.id FROM ({CANDIDATES}) c WHERE c.next_try_at <= :at ORDER BY c.position LIMIT 1) head ON true
          JOIN webhook_deliveries d ON d.id = head.id
          JOIN outbox o ON o.id = d.event_id
         WHERE e.id = ANY(:ids)"""  # noqa: S608
)


def claim_due(places: int, seal: Seal) -> list[Claimed]:
    """At most that many deliveries that are due, nobody else's for LEASE."""
    if places <= 0:
        return []
    with transaction() as session:
        at = instant(session)
        chosen = _choose(session, places, at)
        for endpoint in chosen:
            endpoint.lease_id, endpoint.leased_until = new_id(), at + LEASE
        session.flush()
        ids = [endpoint.id for endpoint in chosen]
        _give_up_lost(session, ids, at)
        heads = session.execute(_HEADS, {"ids": ids, "at": at}).mappings().all() if ids else []
        _count_tries(session, [head["delivery_id"] for head in heads], at)
        _let_go(session, chosen, {head["endpoint_id"] for head in heads})
        return [_claimed(head, seal) for head in heads]


def _choose(session: Session, places: int, at: datetime) -> list[WebhookEndpoint]:
    """Endpoints that are due, locked: those that wait longest, within the bounds of their account and of slow ones."""
    leased = session.execute(select(WebhookEndpoint.account_id, WebhookEndpoint.is_slow).where(WebhookEndpoint.leased_until > at)).all()
    in_hand, slow = Counter(row.account_id for row in leased), sum(row.is_slow for row in leased)
    slow_places = max((places + len(leased)) // SLOW_SHARE, 1) - slow
    due = _due(session, at, in_hand, is_slow=False)
    if slow_places > 0:
        due = sorted([*due, *_due(session, at, in_hand, is_slow=True)], key=lambda endpoint: (endpoint.due_at or at, endpoint.id))
    chosen: list[WebhookEndpoint] = []
    for endpoint in due:
        if len(chosen) == places:
            break
        if in_hand[endpoint.account_id] >= MAX_PER_ACCOUNT or (endpoint.is_slow and not slow_places):
            continue
        in_hand[endpoint.account_id] += 1
        slow_places -= endpoint.is_slow
        chosen.append(endpoint)
    return chosen


def _due(session: Session, at: datetime, in_hand: Counter[UUID], *, is_slow: bool) -> list[WebhookEndpoint]:
    """The first LOOKED_AT of these, locked. None of accounts that have their share in hand: they would hide those behind them."""
    full = [account_id for account_id, count in in_hand.items() if count >= MAX_PER_ACCOUNT]
    is_free = WebhookEndpoint.leased_until.is_(None) | (WebhookEndpoint.leased_until <= at)
    has_room = WebhookEndpoint.account_id.not_in(full)
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.off_at.is_(None), WebhookEndpoint.due_at <= at, is_free, has_room, WebhookEndpoint.is_slow.is_(is_slow)
    )
    return list(session.scalars(query.order_by(WebhookEndpoint.due_at).limit(LOOKED_AT).with_for_update(skip_locked=True)))


def _give_up_lost(session: Session, endpoint_ids: Sequence[UUID], at: datetime) -> None:
    """Deliveries whose last try was begun, and is not heard of after LEASE. Their endpoint is not to blame, and stays on."""
    mine = WebhookDelivery.endpoint_id.in_(endpoint_ids), WebhookDelivery.state == DeliveryState.WAITING
    had_last = WebhookDelivery.next_try_at > WebhookDelivery.kept_until, WebhookDelivery.next_try_at <= at
    ended = {"state": DeliveryState.GIVEN_UP, "ended_at": at, "last_status": None, "last_error": LOST}
    if endpoint_ids:
        session.execute(update(WebhookDelivery).where(*mine, *had_last).values(ended))


def _count_tries(session: Session, ids: Sequence[UUID], at: datetime) -> None:
    """Each is begun once more, and due again if nothing is heard of it: soon if it has waited long and was hardly tried.

    Only one whose last try is begun is due later than it is kept.
    """
    for delivery in session.scalars(select(WebhookDelivery).where(WebhookDelivery.id.in_(ids)).with_for_update()):
        if at < delivery.kept_until:
            put_off(delivery, at, min(age_of(delivery, at), MIN_GAP * 2 ** min(delivery.attempts, MOST_DOUBLINGS)))
        else:
            delivery.next_try_at = at + LEASE
        delivery.attempts += 1


def _let_go(session: Session, chosen: Sequence[WebhookEndpoint], with_work: set[UUID]) -> None:
    """Endpoints of which nothing was due after all sleep until something is."""
    idle = [endpoint for endpoint in chosen if endpoint.id not in with_work]
    for endpoint in idle:
        endpoint.lease_id = endpoint.leased_until = None
    if idle:
        schedule(session, [endpoint.id for endpoint in idle])


def _claimed(head: RowMapping, seal: Seal) -> Claimed:
    return Claimed(
        lease_id=head["lease_id"],
        endpoint_id=head["endpoint_id"],
        delivery_id=head["delivery_id"],
        account_id=head["account_id"],
        url=head["url"],
        message_id=message_id(head["event_id"]),
        body=body_of(dict(head)),
        secret_texts=_opened(seal, head["sealed_secret"], head["sealed_old_secret"]),
        number=head["number"],
    )


def _opened(seal: Seal, *sealed: str | None) -> tuple[str, ...]:
    """The secrets that sign, the newest first; those that were sealed under another SECRET_KEY are lost."""
    found = []
    for text_ in sealed:
        try:
            found += [seal.open(text_)] if text_ else []
        except Broken:
            continue
    return tuple(found)

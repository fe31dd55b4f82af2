"""Events as they arrive: kept under Stripe's id before anything is done, so that none is lost between two commits (R17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, extract, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from reseller.clock import now
from reseller.database import forget_rows, transaction
from reseller.domain import staff
from reseller.domain.payments.tables import EventState, StripeEvent
from reseller.errors import Conflict, NotFound

KEPT = timedelta(days=90)
AT_ONCE, LONGEST_GAP = timedelta(minutes=10), timedelta(hours=1)
"""How long an event is tried whenever somebody looks, and the longest time between two tries after that."""
MAX_PROBLEM_CHARACTERS = 300
AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Heard:
    """An event whose signature was right. `body` is the object that it is about."""

    event_id: str
    type: str
    is_live: bool
    happened_at: datetime
    body: Mapping[str, Any]


def keep(heard: Heard) -> EventState:
    """The event is stored; how far it had come before: RECEIVED for a new one."""
    with transaction() as session:
        row = {
            "id": heard.event_id,
            "type": heard.type,
            "is_live": heard.is_live,
            "happened_at": heard.happened_at,
            "received_at": now(),
            "state": EventState.RECEIVED,
            "problem": "",
            "body": dict(heard.body),
        }
        session.execute(insert(StripeEvent).values(row).on_conflict_do_nothing())
        return EventState(session.scalars(select(StripeEvent.state).where(StripeEvent.id == heard.event_id)).one())


def done(event_id: str, payment_id: UUID | None) -> None:
    """The event needs nothing more. In the caller's transaction, with what it has changed."""
    with transaction() as session:
        event = session.get_one(StripeEvent, event_id, with_for_update=True)
        event.state = EventState.IGNORED if payment_id is None else EventState.APPLIED
        event.payment_id, event.handled_at, event.problem = payment_id, now(), ""


def put_off(event_id: str, problem: str) -> None:
    """The event stays unapplied, and says why; those that were tried less lately come before it."""
    with transaction() as session:
        event = session.get_one(StripeEvent, event_id, with_for_update=True)
        if event.state == EventState.RECEIVED:  # else another process has applied it meanwhile
            event.problem, event.handled_at = problem[:MAX_PROBLEM_CHARACTERS], now()


def unapplied(tried_before: datetime) -> list[Heard]:
    """Events that wait and were not tried since then: first what was never tried, then what was tried longest ago.

    What waits for long is tried less and less often, in the end every LONGEST_GAP: asking more often has not helped.
    """
    at = literal(tried_before, DateTime(timezone=True))
    age, untried = (extract("epoch", at - since) for since in (StripeEvent.received_at, StripeEvent.handled_at))
    gap = func.greatest(func.least((age - AT_ONCE.total_seconds()) / 10, LONGEST_GAP.total_seconds()), 0)
    is_due = StripeEvent.handled_at.is_(None) | (untried > gap)
    with transaction() as session:
        query = select(StripeEvent).where(StripeEvent.state == EventState.RECEIVED, is_due)
        found = session.scalars(query.order_by(StripeEvent.handled_at.nulls_first(), StripeEvent.received_at).limit(AT_A_TIME))
        return [_heard(row) for row in found]


def ask_again(event_id: str, *, actor: str) -> Heard:
    """Somebody has this event tried now, and the audit log says who. Raises NotFound, Conflict if it is done."""
    with transaction() as session:
        row = session.get(StripeEvent, event_id)
        if row is None:
            raise NotFound("There is no such event.")
        if row.state != EventState.RECEIVED:
            raise Conflict("This event is done already; nothing was changed.")
        staff.record(actor, "stripe_event.try", "stripe_event", event_id)
        return _heard(row)


def waiting() -> int:
    """How many events are not applied yet."""
    with transaction() as session:
        query = select(func.count()).select_from(StripeEvent).where(StripeEvent.state == EventState.RECEIVED)
        return int(session.scalar(query) or 0)


def forget_old() -> int:
    """Events that were handled long ago have no row; how many had."""
    return forget_rows(StripeEvent, StripeEvent.state != EventState.RECEIVED, StripeEvent.received_at < now() - KEPT)


def _heard(row: StripeEvent) -> Heard:
    return Heard(row.id, row.type, row.is_live, row.happened_at, row.body)

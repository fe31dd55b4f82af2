"""Events are announced by verbs, handed on once, and forgotten."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update

from reseller.clock import first_id, now
from reseller.database import lock_name, transaction
from reseller.domain.outbox.catalogue import EVENTS
from reseller.domain.outbox.kinds import Audience
from reseller.domain.outbox.tables import Event
from reseller.money import format_decimal


def announce(name: str, account_id: UUID | None, /, **payload: Any) -> UUID:
    """Whoever listens is told of it once the caller's transaction is committed; the id of the event.

    Amounts (Decimal), instants and ids are written as text. Raises ValueError for an event that EVENTS does not name, for a
    payload with other fields, and for an account where the event is not about one: mistakes of ours, never of a customer.
    """
    kind = EVENTS.get(name)
    if kind is None:
        raise ValueError(f"EVENTS names no {name}")
    if payload.keys() != kind.fields.keys():
        raise ValueError(f"{name} tells {', '.join(kind.fields)}; given were {', '.join(payload)}")
    if (account_id is None) == (kind.audience is Audience.ACCOUNT):
        raise ValueError(f"{name} is for {kind.audience}; given was the account {account_id}")
    with transaction() as session:
        event = Event(account_id=account_id, name=name, payload=_written(payload))
        event.created_at = func.clock_timestamp()  # whose endpoints were there by then is asked of one clock (R39)
        session.add(event)
        session.flush()
        return event.id


def keep_sample(name: str, account_id: UUID | None) -> UUID:
    """A sample of the event for whoever tests how it arrives, not handed on to anybody else; its id."""
    with transaction() as session:
        at = now()
        event = Event(account_id=account_id, name=name, payload=dict(EVENTS[name].sample), created_at=at, dispatched_at=at)
        session.add(event)
        session.flush()
        return event.id


def _written(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):
        return {name: _written(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    return value


def undispatched(limit: int) -> list[Event]:
    """Events that nobody has handed on yet, the oldest first.

    One at a time hands on: nobody else gets any before the caller's transaction ends, so that none overtakes another.
    """
    query = select(Event).where(Event.dispatched_at.is_(None)).order_by(Event.position).limit(limit)
    with transaction() as session:
        lock_name("events are handed on")
        return list(session.scalars(query))


def dispatched(ids: Sequence[UUID]) -> None:
    """These events have been handed on to all who listen: in the caller's transaction, together with what that made."""
    with transaction() as session:
        session.execute(update(Event).where(Event.id.in_(ids)).values(dispatched_at=now()))


def forget_before(at: datetime, limit: int) -> int:
    """At most `limit` events that are older and were handed on have no row; how many had."""
    old = select(Event.id).where(Event.id < first_id(at), Event.dispatched_at.is_not(None)).order_by(Event.id).limit(limit)
    with transaction() as session:
        return int(session.execute(delete(Event).where(Event.id.in_(old))).rowcount)  # type: ignore[attr-defined]

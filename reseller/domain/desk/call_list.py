"""Calls of all accounts, newest first, however many there are: one page of them in bounded time.

Ids are UUIDv7 and `created_at` is the instant inside the id, so the order of ids is that of time, and the key of
one month after the other gives it without sorting. What an index knows (an account, failures, flags) is asked for
at once. Anything else is looked for slice by slice, and when time is up the answer says how far it has looked.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from reseller.clock import instant_of, monotonic
from reseller.database import transaction
from reseller.domain.usage import UsageLog

SLICE_ROWS = 20_000
SEARCH_SECONDS = 0.2
"""Then a search stops at the end of its slice; a page that lists calls is there within half a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls. `is_indexed` says that a partial index holds the few rows that the conditions leave."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    account_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    is_indexed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """At most as many rows as asked for. `older` is where to go on, None at the end.

    `searched_to` is set where time was up first: older calls than that were not looked at.
    """

    rows: tuple[UsageLog, ...]
    older: UUID | None
    searched_to: datetime | None = None


def find(wanted: Wanted, *, after: UUID | None = None, limit: int, seconds: float = SEARCH_SECONDS, slice_rows: int = SLICE_ROWS) -> Found:
    """The newest calls that are wanted and older than `after`."""
    deadline = monotonic() + seconds
    rows: list[UsageLog] = []
    below = after
    with transaction() as session:
        while True:
            end = None if _is_direct(wanted) else session.scalar(_ids(wanted, below).offset(slice_rows - 1).limit(1))
            query = _older(select(UsageLog), wanted, below).where(*wanted.conditions)
            query = query if end is None else query.where(UsageLog.id >= end, UsageLog.created_at >= instant_of(end))
            rows += session.scalars(_newest_first(query, wanted).limit(limit + 1 - len(rows))).all()
            if len(rows) > limit or end is None:
                more = rows[limit - 1].id if len(rows) > limit else None
                session.expunge_all()
                return Found(tuple(rows[:limit]), more)
            below = end
            if monotonic() > deadline:
                session.expunge_all()
                return Found(tuple(rows), end, instant_of(end))


def first_id_at(instant: datetime) -> UUID:
    """No id of a call at this instant or later is less, none before it greater."""
    milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80)


def _is_direct(wanted: Wanted) -> bool:
    return wanted.is_indexed or not wanted.conditions


def _ids(wanted: Wanted, below: UUID | None) -> Select[Any]:
    return _newest_first(_older(select(UsageLog.id), wanted, below), wanted)


def _older(query: Select[Any], wanted: Wanted, below: UUID | None) -> Select[Any]:
    """The account and the time, said of ids for the key and of `created_at` so that months outside are not opened."""
    bounds: list[ColumnElement[bool]] = []
    if wanted.account_id is not None:
        bounds.append(UsageLog.account_id == wanted.account_id)
    if wanted.since is not None:
        bounds += [UsageLog.id >= first_id_at(wanted.since), UsageLog.created_at >= wanted.since]
    if wanted.until is not None:
        bounds += [UsageLog.id < first_id_at(wanted.until), UsageLog.created_at < wanted.until]
    if below is not None:
        bounds += [UsageLog.id < below, UsageLog.created_at <= instant_of(below)]
    return query.where(*bounds)


def _newest_first(query: Select[Any], wanted: Wanted) -> Select[Any]:
    """By id; for one account by its own index, which is the same order."""
    if wanted.account_id is not None:
        return query.order_by(UsageLog.created_at.desc(), UsageLog.id.desc())
    return query.order_by(UsageLog.id.desc())

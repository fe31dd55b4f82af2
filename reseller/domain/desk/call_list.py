"""Calls of all accounts, newest first, however many there are: one page of them in bounded time.

Ids are UUIDv7 and `created_at` is the instant inside the id, so the order of ids is that of time, and the key of
one month after the other gives it without sorting. What an index knows (an account, failures, flags) is asked for
at once. Anything else is looked for slice by slice, and when time is up the answer says how far it has looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from reseller.clock import first_id, instant_of, monotonic, now
from reseller.database import transaction
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.keys import ApiKey
from reseller.domain.usage import UsageLog

SEARCH_SECONDS = 0.15
"""Then a search stops at the end of its slice; a page that lists calls is there within half a second."""

SLICE_SECONDS = 0.04
FIRST_SPAN, LONGEST_SPAN = timedelta(hours=1), timedelta(days=1)
"""A slice is an hour, the next one twice as long while they take less than SLICE_SECONDS: never so long that a month is read whole."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls. `is_indexed` says that a partial index holds the few rows that the conditions leave."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    account_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    is_indexed: bool = False


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in a list, with the names of its account and key; None for what is not there any more."""

    id: UUID
    created_at: datetime
    account_id: UUID
    account_name: str | None
    api_key_id: UUID
    key_prefix: str | None
    status: str
    error_code: str | None
    flag: str | None
    model: str
    upstream: str | None
    endpoint: str
    is_test: bool
    is_stream: bool
    prompt_tokens: int
    completion_tokens: int
    hold_usd: Decimal
    cost_usd: Decimal | None
    charge_usd: Decimal
    ended_ms: float | None  # from the request to the end of the answer, or to the refusal


@dataclass(frozen=True, slots=True)
class Found:
    """At most as many calls as asked for. `older` is where to go on, None at the end.

    `searched_to` is set where time was up first: older calls than that were not looked at.
    """

    calls: tuple[CallLine, ...]
    older: UUID | None
    searched_to: datetime | None = None


def find(wanted: Wanted, *, after: UUID | None = None, limit: int, seconds: float = SEARCH_SECONDS) -> Found:
    """The newest calls that are wanted and older than `after`."""
    with transaction() as session:
        if wanted.is_indexed or not wanted.conditions:
            rows = _read(session, wanted, (None, after), limit + 1)
            return Found(_named(session, rows[:limit]), rows[limit - 1].id if len(rows) > limit else None)
        return _search(session, wanted, after, limit, monotonic() + seconds)


def _search(session: Session, wanted: Wanted, after: UUID | None, limit: int, deadline: float) -> Found:
    """Slice by slice, back in time, until there are enough, nothing older, or no time left; the first is always looked at."""
    first = _bounded(select(UsageLog.id), wanted, (None, None)).limit(1)
    oldest = session.scalar(first.order_by(UsageLog.id if wanted.account_id is None else UsageLog.created_at))
    rows: list[UsageLog] = []
    top = instant_of(after) if after is not None else min(wanted.until or now(), now())
    below, span = after, FIRST_SPAN
    while oldest is not None and (below is None or below > oldest):
        began = monotonic()
        top -= span
        least = first_id(top)
        rows += _read(session, wanted, (least, below), limit + 1 - len(rows))
        if len(rows) > limit:
            return Found(_named(session, rows[:limit]), rows[limit - 1].id)
        below = least
        if monotonic() > deadline and below > oldest:
            return Found(_named(session, rows), below, top)
        if monotonic() - began < SLICE_SECONDS:
            span = min(2 * span, LONGEST_SPAN)
    return Found(_named(session, rows), None)


def _named(session: Session, rows: Sequence[UsageLog]) -> tuple[CallLine, ...]:
    """The rows with the names of their accounts and keys: two look-ups for all of them."""
    names = names_of_accounts(row.account_id for row in rows)
    keys = select(ApiKey.id, ApiKey.key_prefix).where(ApiKey.id.in_({row.api_key_id for row in rows}))
    prefixes = {row.id: row.key_prefix for row in session.execute(keys)}
    return tuple(_line(row, names.get(row.account_id), prefixes.get(row.api_key_id)) for row in rows)


def _line(row: UsageLog, account_name: str | None, key_prefix: str | None) -> CallLine:
    return CallLine(
        id=row.id,
        created_at=row.created_at,
        account_id=row.account_id,
        account_name=account_name,
        api_key_id=row.api_key_id,
        key_prefix=key_prefix,
        status=row.status,
        error_code=row.error_code,
        flag=row.flag,
        model=row.model,
        upstream=row.upstream,
        endpoint=row.endpoint,
        is_test=row.is_test,
        is_stream=row.is_stream,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        hold_usd=row.hold_usd,
        cost_usd=row.cost_usd,
        charge_usd=row.charge_usd,
        ended_ms=row.response_metadata.get("ended_ms", row.response_metadata.get("refused_ms")),
    )


def _read(session: Session, wanted: Wanted, span: tuple[UUID | None, UUID | None], limit: int) -> list[UsageLog]:
    """At most so many calls that are wanted, the newest first: by id, or for one account by its own index, which is the same order."""
    query = _bounded(select(UsageLog), wanted, span).where(*wanted.conditions).limit(limit)
    if wanted.account_id is not None:
        query = query.order_by(UsageLog.created_at.desc())
    return list(session.scalars(query.order_by(UsageLog.id.desc())))


def _bounded(query: Select[Any], wanted: Wanted, span: tuple[UUID | None, UUID | None]) -> Select[Any]:
    """The account and the time, said of ids for the key and of `created_at` so that months outside are not opened.

    `span` is the least id that counts, and the one that all must be less than.
    """
    least, below = span
    if wanted.account_id is not None:
        query = query.where(UsageLog.account_id == wanted.account_id)
    if wanted.since is not None:
        query = query.where(UsageLog.id >= first_id(wanted.since), UsageLog.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(UsageLog.id < first_id(wanted.until), UsageLog.created_at < wanted.until)
    if least is not None:
        query = query.where(UsageLog.id >= least, UsageLog.created_at >= instant_of(least))
    if below is not None:
        query = query.where(UsageLog.id < below, UsageLog.created_at <= instant_of(below))
    return query

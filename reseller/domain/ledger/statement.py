"""Statements of an account: what a UTC month began with, what moved, what it ended with. Read from the book, never stored.

A day of usage belongs to the month of that day, although its entry is written when the day is over; charges of the running day are
in no entry yet and belong to it all the same. So the closing balance of a month is what the account had at its end, the opening
balance of the next is the same figure, and that of the running month is the balance now (promise R1). Reads alone; money is
nano-dollars.
"""

# ruff: noqa: S608 - put together from constants only

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import day_start, month_start, next_month, now
from reseller.database import sort_in_memory, transaction
from reseller.domain.ledger.tables import EntryKind
from reseller.errors import NotFound

LATE = timedelta(days=3)
"""A call's charge counts on the day it is settled. Calls that were begun longer before a month are not looked for in it."""


@dataclass(frozen=True, slots=True)
class ModelCharges:
    """What calls of one model were charged. `model` is None for charges whose calls are not kept any more; their number is not known."""

    model: str | None
    calls: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    charge_nano: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement. `entry_id` is None for charges of a day that is not posted yet; `by_model` adds up to a day of usage."""

    day: date  # UTC
    kind: EntryKind
    amount_nano: int
    balance_nano: int  # after it
    entry_id: UUID | None
    reason: str
    by_model: tuple[ModelCharges, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One month. opening + Σ lines = closing, always."""

    month: date
    opening_nano: int
    lines: tuple[StatementLine, ...]
    is_running: bool  # the month is not over
    by_model: tuple[ModelCharges, ...] = field(default=())  # of all its days of usage, the dearest first

    @property
    def closing_nano(self) -> int:
        return self.lines[-1].balance_nano if self.lines else self.opening_nano

    @property
    def used_nano(self) -> int:
        """What calls were charged, positive."""
        return -dict(self.totals).get(EntryKind.USAGE, 0)

    @property
    def last_day(self) -> date:
        return next_month(self.month) - timedelta(days=1)

    @property
    def totals(self) -> tuple[tuple[EntryKind, int], ...]:
        """What each kind of movement comes to; kinds that did not happen are left out."""
        sums: defaultdict[EntryKind, int] = defaultdict(int)
        for line in self.lines:
            sums[line.kind] += line.amount_nano
        return tuple((kind, sums[kind]) for kind in EntryKind if kind in sums)


@dataclass(frozen=True, slots=True)
class MonthSums:
    """A month in the list of statements."""

    month: date
    opening_nano: int
    added_nano: int  # top-ups, refunds, disputes and adjustments together
    used_nano: int  # usage, negative
    is_running: bool

    @property
    def closing_nano(self) -> int:
        return self.opening_nano + self.added_nano + self.used_nano


# Every movement with the day it belongs to. A clock that was set back may have dated one later than today: the running month
# has no upper end, so that it still closes with the balance.
_MOVES = """
WITH moves AS (
    SELECT CASE WHEN kind = 'usage' THEN CAST(split_part(reference, ':', 2) AS date)
                ELSE CAST(created_at AT TIME ZONE 'UTC' AS date) END AS day, sequence, kind, amount_nano, id, reason
      FROM ledger_entries WHERE account_id = :account_id
    UNION ALL
    SELECT usage_day, entry_count + 1, 'usage', -unposted_nano, NULL, '' FROM balances WHERE account_id = :account_id AND unposted_nano > 0
)"""

_LINES = text(f"""{_MOVES}
SELECT NULL AS day, 0 AS sequence, NULL AS kind, coalesce(sum(amount_nano), 0) AS amount_nano, NULL AS id, '' AS reason
  FROM moves WHERE day < :start
UNION ALL
SELECT day, sequence, kind, amount_nano, id, reason FROM moves WHERE day >= :start AND day < :end""")

_MONTHS = text(f"""{_MOVES}
SELECT CAST(date_trunc('month', day) AS date) AS month, coalesce(sum(amount_nano) FILTER (WHERE kind <> 'usage'), 0) AS added,
       coalesce(sum(amount_nano) FILTER (WHERE kind = 'usage'), 0) AS used
  FROM moves GROUP BY 1 ORDER BY 1""")

_BY_MODEL = text("""
SELECT posted_on, model, count(*) AS calls, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       sum(charge_nano) AS charge_nano
  FROM usage_logs
 WHERE account_id = :account_id AND created_at >= :since AND created_at < :until AND posted_on >= :start AND posted_on < :end
   AND charge_nano > 0
 GROUP BY posted_on, model""")

_OPENED = text("SELECT CAST(created_at AT TIME ZONE 'UTC' AS date) FROM accounts WHERE id = :account_id")


def of_month(account_id: UUID, month: date) -> Statement:
    """The statement of the month that begins on this day. Raises NotFound for a month before the account's first, or to come.

    Everything is read from one snapshot. Not inside another transaction.
    """
    with transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        sort_in_memory(session)  # a hundred thousand calls of an account lie all over their months
        running = month_start(now().date())
        if not first_month(account_id) <= month <= running or month.day != 1:
            raise NotFound("There is no statement of this month.")
        is_running = month == running
        span = {"account_id": account_id, "start": month, "end": date.max if is_running else next_month(month)}
        opening, *moves = sorted(session.execute(_LINES, span).mappings(), key=_order)
        models = _by_model(session, span)
    found = Statement(month, int(opening["amount_nano"]), tuple(_lines(int(opening["amount_nano"]), moves, models)), is_running)
    return replace(found, by_model=_added_up(found.lines))


def first_month(account_id: UUID) -> date:
    """The first month with a statement: the account's own, or of its first movement if that is older. Raises NotFound."""
    with transaction() as session:
        opened = session.scalar(_OPENED, {"account_id": account_id})
        if opened is None:
            raise NotFound("There is no such account.")
        moved = session.execute(_MONTHS, {"account_id": account_id}).first()
        return month_start(opened if moved is None else min(opened, moved.month))


def months(account_id: UUID) -> list[MonthSums]:
    """Every month from the first to the running one, newest first. Raises NotFound."""
    with transaction() as session:
        first, running = first_month(account_id), month_start(now().date())
        added: defaultdict[date, int] = defaultdict(int)
        used: defaultdict[date, int] = defaultdict(int)
        for row in session.execute(_MONTHS, {"account_id": account_id}):
            added[min(row.month, running)] += int(row.added)
            used[min(row.month, running)] += int(row.used)
    found: list[MonthSums] = []
    balance, month = 0, first
    while month <= running:
        found.append(MonthSums(month, balance, added[month], used[month], is_running=month == running))
        balance, month = found[-1].closing_nano, next_month(month)
    return found[::-1]


def charges_of_day(account_id: UUID, day: date, charged_nano: int) -> tuple[ModelCharges, ...]:
    """What a day's charges are for: they add up to `charged_nano`, the amount in the book."""
    with transaction() as session:
        span = {"account_id": account_id, "start": day, "end": day + timedelta(days=1)}
        return tuple(_with_the_rest(_by_model(session, span).get(day, []), charged_nano))


def _order(row: Any) -> tuple[date, bool, int]:
    """The opening balance, then days in turn; a day's usage ends it."""
    return row["day"] or date.min, row["kind"] == EntryKind.USAGE, row["sequence"]


def _lines(balance: int, moves: list[Any], models: dict[date, list[ModelCharges]]) -> Iterator[StatementLine]:
    for row in moves:
        amount = int(row["amount_nano"])
        balance += amount
        kind = EntryKind(row["kind"])
        parts = tuple(_with_the_rest(models.get(row["day"], []), -amount)) if kind == EntryKind.USAGE else ()
        yield StatementLine(row["day"], kind, amount, balance, row["id"], row["reason"], parts)


def _by_model(session: Session, span: dict[str, Any]) -> dict[date, list[ModelCharges]]:
    """Charges of each day by model, the dearest first, as far as their calls are kept."""
    began = day_start(span["start"])
    until = datetime.max.replace(tzinfo=UTC) if span["end"] == date.max else day_start(span["end"] + timedelta(days=1))
    found: defaultdict[date, list[ModelCharges]] = defaultdict(list)
    for row in session.execute(_BY_MODEL, {**span, "since": began - LATE, "until": until}):
        tokens = (int(row.prompt_tokens), int(row.completion_tokens))
        found[row.posted_on].append(ModelCharges(row.model, row.calls, *tokens, int(row.charge_nano)))
    return {day: sorted(parts, key=_dearest_first) for day, parts in found.items()}


def _with_the_rest(parts: list[ModelCharges], charged_nano: int) -> Iterator[ModelCharges]:
    """The parts, and what is missing of them to the amount in the book."""
    yield from parts
    rest = charged_nano - sum(part.charge_nano for part in parts)
    if rest:
        yield ModelCharges(None, None, None, None, rest)


def _added_up(lines: tuple[StatementLine, ...]) -> tuple[ModelCharges, ...]:
    sums: dict[str | None, ModelCharges] = {}
    for part in (part for line in lines for part in line.by_model):
        known = sums.get(part.model)
        sums[part.model] = part if known is None else _sum(known, part)
    return tuple(sorted(sums.values(), key=_dearest_first))


def _sum(one: ModelCharges, other: ModelCharges) -> ModelCharges:
    charge = one.charge_nano + other.charge_nano
    if one.calls is None or other.calls is None:
        return ModelCharges(one.model, None, None, None, charge)
    return ModelCharges(
        one.model,
        one.calls + other.calls,
        (one.prompt_tokens or 0) + (other.prompt_tokens or 0),
        (one.completion_tokens or 0) + (other.completion_tokens or 0),
        charge,
    )


def _dearest_first(part: ModelCharges) -> tuple[bool, int, str]:
    return part.model is None, -part.charge_nano, part.model or ""

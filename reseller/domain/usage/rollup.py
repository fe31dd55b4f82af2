"""The sums of `rollup_tables`, exact against the raw rows at every committed state and under late settlements.

A usage row never changes, and appears when its call is settled, which may be long after the quarter-hour it belongs to. So
each run looks for rows settled since the last one, and computes the quarter-hours that they lie in anew, whole, each in one
transaction. Doing it twice, by two workers, or with one killed in between, gives the same sums.

A row settled earlier may still become visible later: when its COMMIT takes long. A row's `settled_at` is not before its
transaction began, so looking again from the beginning of the oldest transaction that runs now misses none; LATE covers
transactions that cannot be seen. Looking again costs time, never exactness.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.clock import day_start, month_start, next_month, now
from reseller.database import sort_in_memory, transaction
from reseller.domain.usage import rollup_statements as sql
from reseller.domain.usage.rollup_tables import RollupMark
from reseller.domain.usage.tables import DroppedMonth

QUARTER = timedelta(minutes=15)
LATE = timedelta(seconds=60)
CLOCK_STEP = timedelta(hours=1)  # the fault model's: a clock that was set back
LOCK = 0x726F6C6C  # "roll": one writer of sums at a time
MARK, MONTHS = "usage", "months"
LAST_DAY = date(9999, 1, 1)

Span = tuple[datetime, datetime]


def run() -> int:
    """Every usage row that is visible now is in the sums; returns how many quarter-hours were computed anew.

    If we die here: quarter-hours are whole, as before or as they should be, and the next run does them again.
    """
    until, touched = _look()
    for day, quarters in groupby(touched, key=lambda starts_at: starts_at.date()):
        recompute(day, spans_of(quarters))
    while _close_month():
        pass
    with transaction() as session:
        session.execute(sql.MARK, {"name": MARK, "until": until})
    return len(touched)


def recompute(day: date, spans: Iterable[Span]) -> None:
    """The sums of these spans of one UTC day, of the day, and of its month if that is summed, are those of the raw rows.

    A span is whole quarter-hours.

    Of a month whose rows are not kept any more nothing changes: its totals outlive them (R36).
    """
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if session.get(DroppedMonth, month_start(day), populate_existing=True) is not None:
            return
        sort_in_memory(session)
        for start, end in spans:
            _replace_quarters(session, start, end)
        _replace_day(session, day)
        if month_start(day) < months_until(session):
            _replace_month(session, month_start(day))


def months_until(session: Session) -> date:
    """Months before this one are summed; it never goes back."""
    mark = session.get(RollupMark, MONTHS, populate_existing=True)
    return date.min if mark is None else mark.settled_until.date()


def spans_of(quarters: Iterable[datetime]) -> list[Span]:
    """Quarter-hours in order, as spans without gaps."""
    spans: list[Span] = []
    for starts_at in quarters:
        if spans and spans[-1][1] == starts_at:
            spans[-1] = (spans[-1][0], starts_at + QUARTER)
        else:
            spans.append((starts_at, starts_at + QUARTER))
    return spans


def quarter_of(instant: datetime) -> datetime:
    """When the quarter-hour of this instant begins."""
    at = instant.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)


def rolled_at() -> datetime | None:
    """When the sums were last made; None if never."""
    with transaction() as session:
        return session.scalar(select(RollupMark.rolled_at).where(RollupMark.name == MARK))


def differences(month: date | None = None) -> list[datetime]:
    """Quarter-hours, and midnights of UTC days, whose sums are not those of the raw rows, oldest first; of one month if it is given.

    Only months whose raw rows are still there are compared. Rows that were settled after the last run are differences, too.
    """
    with transaction() as session:
        sort_in_memory(session)
        first = session.scalar(sql.FIRST_MONTH)
        if first is None:
            return []
        begin, end = (date.fromisoformat(first), LAST_DAY) if month is None else (month, next_month(month))
        bounds = {"first": day_start(begin), "last": day_start(end)}
        found = {at for query in (sql.WRONG_QUARTERS, sql.WRONG_DAYS, sql.WRONG_LATENCIES) for at in session.scalars(query, bounds)}
        found |= set(session.scalars(sql.WRONG_MONTHS, bounds | {"months_until": months_until(session)}))
        return sorted(found)


def mend(wrong: Iterable[datetime]) -> None:
    """The sums of these quarter-hours, and of their days, are those of the raw rows."""
    for day, quarters in groupby(wrong, key=lambda starts_at: starts_at.date()):
        recompute(day, spans_of(quarters))


def _look() -> tuple[datetime, list[datetime]]:
    """From when the next run must look, and the quarter-hours of the rows found.

    In this order: a transaction that ends between the two queries is found by the second.
    """
    with transaction() as session:
        mark = session.get(RollupMark, MARK)
        since = None if mark is None else mark.settled_until
        at, until = session.execute(sql.SURE_UNTIL, {"late": LATE.total_seconds()}).one()
        if since is not None and since > at:
            since -= CLOCK_STEP
        touched = list(session.scalars(sql.TOUCHED if since else sql.ALL, {"since": since} if since else {}))
    return until, touched


def _replace_quarters(session: Session, start: datetime, end: datetime) -> None:
    span = {"start": start, "end": end}
    for statement in sql.FORGET_QUARTERS:
        session.execute(statement, span)
    session.execute(sql.SUM_ROWS, span)
    session.execute(sql.SUM_TOTALS, span)


def _replace_day(session: Session, day: date) -> None:
    for statement in (*sql.FORGET_DAY, sql.SUM_ACCOUNT_DAY, sql.SUM_TRAFFIC_DAY):
        session.execute(statement, {"day": day})
    for begun in (day - timedelta(days=1), day):  # windows that begin on either reach into this day
        session.execute(sql.FORGET_WINDOWS, {"day": begun})
        session.execute(sql.SUM_WINDOWS, {"day": begun})


def _close_month() -> bool:
    """Whether a month was summed: the first that is over and was not."""
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        month = months_until(session)
        if month == date.min:
            first = session.scalar(sql.FIRST_DAY)
            if first is None:
                return False
            month = month_start(first)
        if next_month(month) > now().date():
            return False
        sort_in_memory(session)
        _replace_month(session, month)
        session.execute(sql.MARK, {"name": MONTHS, "until": day_start(next_month(month))})
        return True


def _replace_month(session: Session, month: date) -> None:
    session.execute(sql.FORGET_MONTH, {"month": month})
    session.execute(sql.SUM_ACCOUNT_MONTH, {"month": month, "after": next_month(month)})

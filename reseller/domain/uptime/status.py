"""What the public status page tells: how much of each part went well, and how quickly. Added up by the clock from real traffic.

API and models are read from the sums of usage: every live call that we let in or refused. The website, payments, and calls that found
no database are read from the slots that processes fill. Shares leave here, never how many there were: that is the operator's business.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reseller.clock import day_start
from reseller.database import transaction
from reseller.domain.uptime.tables import ServiceSnapshot
from reseller.domain.usage.histogram import percentile_ms
from reseller.domain.usage.rollup import quarter_of
from reseller.tally import Part, slot_of

NAME = "status"
DAYS = 90
NOW, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
WINDOWS = {"hour": HOUR, "day": DAY, "quarter": timedelta(days=DAYS)}
MOST_AGE = timedelta(minutes=10)
"""Figures older than that are no news: whoever adds them up stands still."""
FEWEST_BAD = 3
"""One or two that failed among few are no state of the service."""
DEGRADED, DOWN = Decimal("0.98"), Decimal("0.5")
UPSTREAM_FAULTS = ("upstream_error", "upstream_busy", "upstream_unavailable", "upstream_timeout")
"""Why a call failed or broke off that is not about the request itself."""


class State(StrEnum):
    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Window:
    """One part over a span. None where nothing happened."""

    good_percent: Decimal | None
    median_ms: int | None
    slow_ms: int | None  # nineteen of twenty were quicker


@dataclass(frozen=True, slots=True)
class PartStatus:
    """`days`: each of the last 90, oldest first, with its share of good ones."""

    part: Part
    state: State
    windows: Mapping[str, Window]  # hour, day, quarter
    days: Sequence[tuple[date, Decimal | None]]


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    made_at: datetime
    is_fresh: bool
    parts: tuple[PartStatus, ...]


Counted = dict[datetime, tuple[int, int]]
"""When a span begins: how many went well in it, how many failed."""

_IS_BAD = "status IN ('failed', 'partial') AND error_code = ANY(:faults)"
_GOOD_AND_BAD = {
    Part.API: (
        "coalesce(sum(calls + refused) FILTER (WHERE status <> 'voided'), 0)",
        "coalesce(sum(calls) FILTER (WHERE status = 'voided'), 0)",
    ),
    Part.MODELS: (
        f"coalesce(sum(calls) FILTER (WHERE status <> 'voided' AND NOT ({_IS_BAD})), 0)",
        f"coalesce(sum(calls) FILTER (WHERE {_IS_BAD}), 0)",
    ),
}
_DURATIONS = {Part.API: "added_ms", Part.MODELS: "first_byte_ms"}


def make_snapshot() -> int:
    """The figures of the status page are those of this moment; of how many parts. If we die here, the last ones stay."""
    with transaction() as session:
        at = session.scalars(text("SELECT now()")).one()
        figures = {part.value: _figures(session, part, at) for part in Part}
        row = {"name": NAME, "made_at": at, "figures": figures}
        query = insert(ServiceSnapshot).values(row)
        session.execute(query.on_conflict_do_update(index_elements=["name"], set_={"made_at": at, "figures": figures}))
        return len(figures)


def read_snapshot(connection: Connection) -> ServiceStatus | None:
    """What the clock added up last; None before the first time."""
    row = connection.execute(_READ, {"name": NAME}).one_or_none()
    if row is None:
        return None
    is_fresh = row.age <= MOST_AGE.total_seconds()
    parts = tuple(_part(Part(name), row.figures[name], is_fresh=is_fresh) for name in Part if name in row.figures)
    return ServiceStatus(row.made_at.astimezone(UTC), is_fresh, parts)


_READ = text("SELECT made_at, figures, extract(epoch FROM now() - made_at)::float AS age FROM service_snapshots WHERE name = :name")


def _figures(session: Session, part: Part, at: datetime) -> dict[str, Any]:
    """What a snapshot keeps of one part: counts, which do not leave as they are."""
    fine = _counted(session, part, "fine", slot_of(at - DAY))
    daily = _counted(session, part, "daily", slot_of(at) - timedelta(days=DAYS - 1))
    windows = {}
    for name, span in WINDOWS.items():
        counted = fine if span <= DAY else daily
        windows[name] = [*_sum(counted, at - span), *_durations(session, part, at - span)]
    days = [[day.isoformat(), *daily.get(day_start(day), (0, 0))] for day in _days(at)]
    return {"now": _sum(fine, at - NOW), "windows": windows, "days": days}


def _counted(session: Session, part: Part, how: str, since: datetime) -> Counted:
    """Fine spans are those that the tables have, daily ones days of UTC."""
    found = _of_slots(session, part, how, since)
    if part in _GOOD_AND_BAD:
        for starts_at, good, bad in _of_traffic(session, part, how, since):
            before = found.get(starts_at, (0, 0))
            found[starts_at] = (before[0] + good, before[1] + bad)
    return found


def _of_slots(session: Session, part: Part, how: str, since: datetime) -> Counted:
    span = "starts_at" if how == "fine" else "date_trunc('day', starts_at, 'UTC')"
    query = f"SELECT {span}, sum(good)::bigint, sum(bad)::bigint FROM service_slots WHERE part = :part AND starts_at >= :since GROUP BY 1"
    rows = session.execute(text(query), {"part": part.value, "since": since})
    return {starts_at.astimezone(UTC): (good, bad) for starts_at, good, bad in rows}


def _of_traffic(session: Session, part: Part, how: str, since: datetime) -> list[tuple[datetime, int, int]]:
    table, span = ("traffic_hours", "starts_at") if how == "fine" else ("traffic_days", "day")
    good, bad = _GOOD_AND_BAD[part]
    query = f"SELECT {span}, ({good})::bigint, ({bad})::bigint FROM {table} WHERE {span} >= :since AND NOT is_test GROUP BY 1"
    first = quarter_of(since) if how == "fine" else since.date()
    parameters = {"since": first} | ({"faults": list(UPSTREAM_FAULTS)} if ":faults" in query else {})
    return [(_instant(at), good, bad) for at, good, bad in session.execute(text(query), parameters)]


def _durations(session: Session, part: Part, since: datetime) -> tuple[int | None, int | None]:
    """The median and the 95th percentile in milliseconds, of those that went well."""
    column = _DURATIONS.get(part)
    table = "service_slots" if column is None else "traffic_totals"
    which = "part = :part" if column is None else "NOT is_test"
    query = f"""SELECT sum(u.calls)::bigint FROM {table} t, unnest(t.{column or "took_ms"}) WITH ORDINALITY AS u(calls, bucket)
                 WHERE {which} AND starts_at >= :since GROUP BY u.bucket ORDER BY u.bucket"""
    first = slot_of(since) if column is None else quarter_of(since)
    counts = session.scalars(text(query), {"since": first} | ({"part": part.value} if column is None else {})).all()
    return _whole(percentile_ms(counts, 50)), _whole(percentile_ms(counts, 95))


def _sum(counted: Counted, since: datetime) -> tuple[int, int]:
    """Spans that begin up to a quarter of an hour before count, too: a span is not cut."""
    first = quarter_of(since)
    found = [pair for starts_at, pair in counted.items() if starts_at >= first]
    return sum(good for good, _ in found), sum(bad for _, bad in found)


def _days(at: datetime) -> Iterable[date]:
    today = at.astimezone(UTC).date()
    return (today - timedelta(days=DAYS - 1 - number) for number in range(DAYS))


def _part(part: Part, figures: dict[str, Any], *, is_fresh: bool) -> PartStatus:
    windows = {name: _window(*figures["windows"][name]) for name in WINDOWS}
    days = [(date.fromisoformat(day), _percent(good, bad)) for day, good, bad in figures["days"]]
    return PartStatus(part, _state(*figures["now"]) if is_fresh else State.UNKNOWN, windows, days)


def _window(good: int, bad: int, median_ms: int | None, slow_ms: int | None) -> Window:
    return Window(_percent(good, bad), median_ms, slow_ms)


def _state(good: int, bad: int) -> State:
    if bad < FEWEST_BAD:
        return State.OPERATIONAL
    share = Decimal(good) / (good + bad)
    return State.DOWN if share < DOWN else State.DEGRADED if share < DEGRADED else State.OPERATIONAL


def _percent(good: int, bad: int) -> Decimal | None:
    """Rounded down to a hundredth: 100 is said only where nothing failed."""
    if not good + bad:
        return None
    return (Decimal(100 * good) / (good + bad)).quantize(Decimal("0.01"), ROUND_FLOOR)


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else max(round(milliseconds), 1)


def _instant(at: datetime | date) -> datetime:
    return at.astimezone(UTC) if isinstance(at, datetime) else day_start(at)

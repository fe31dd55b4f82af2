"""One account's usage over a range of days: as a curve, by model, by key, by hour of the week, beside the range before.

A read model for customers. Everything but the range before comes out of one statement, so a page never contradicts itself:
the points of the curve, the models, the keys and the hours each add up to the total. Nothing here knows what anything cost us.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from operator import add
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.usage import points
from reseller.domain.usage.account_sums import ADDED_UP, SUMMED, Reading, Slice
from reseller.domain.usage.histogram import BUCKETS, percentile_ms
from reseller.domain.usage.period import Period
from reseller.domain.usage.points import Points
from reseller.domain.usage.reports import POINT, labels_of_keys
from reseller.money import to_usd

Grouped = Literal["model", "key"]

_COLUMN: dict[Grouped, str] = {"model": "model", "key": "api_key_id"}
_HOUR = "width_bucket(starts_at, CAST(:hours AS timestamptz[]))"
_NO_DURATIONS = (0,) * BUCKETS


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of calls. `durations` counts completed calls in the buckets of `histogram`."""

    calls: int = 0  # refused ones are not among them
    refused: int = 0
    errors: int = 0  # among the calls
    prompt_tokens: int = 0
    completion_tokens: int = 0
    charge_nano: int = 0
    durations: tuple[int, ...] = field(default=_NO_DURATIONS, repr=False)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def charge_usd(self) -> Decimal:
        return to_usd(self.charge_nano)

    def percentile_ms(self, percent: int) -> float | None:
        """How long `percent` of the completed calls took at most."""
        return percentile_ms(self.durations, percent)

    def __add__(self, other: "Figures") -> "Figures":
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMMED}
        return Figures(**sums, durations=tuple(map(add, self.durations, other.durations)))


@dataclass(frozen=True, slots=True)
class Point:
    """A day or an hour, whole and by model or key if it was asked for so."""

    at: datetime  # as clocks of the zone show it
    figures: Figures
    groups: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class Group:
    """A model or a key. `id` is how filters name it."""

    id: str
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`week` has calls by weekday (Monday first) and hour of the zone."""

    total: Figures
    before: Figures
    curve: tuple[Point, ...]
    models: tuple[Group, ...]  # those charged most first
    keys: tuple[Group, ...]
    week: tuple[tuple[int, ...], ...]


def breakdown(wanted: Slice, period: Period, *, hourly: bool, by: Grouped | None = None, timed: bool = False) -> Breakdown:
    """The usage of a slice, which is that of `period` or of part of it, in hours or days of the period's zone.

    Points have durations if they are whole, or `timed`: to count them by group as well takes time.
    """
    calendar = (points.hours if hourly else points.days)(period.first, period.last, period.zone)
    hours = points.hours(period.first, period.last, period.zone)
    with transaction() as session:
        found = _read(session, wanted, (calendar, hours), by, timed=timed)
        before = _total(session, replace(wanted, start=period.before.start, end=period.before.end))
        labels = labels_of_keys(wanted.account_id, (key_id for (key_id,) in found["key"]))
    return Breakdown(
        total=sum((figures for figures in found["model"].values()), Figures()),
        before=before,
        curve=_curve(found["point"], calendar, by),
        models=_groups(found["model"], {}),
        keys=_groups(found["key"], labels),
        week=_week(found["hour"], hours),
    )


Found = dict[str, dict[tuple[Any, ...], Figures]]


def _read(session: Session, wanted: Slice, calendars: tuple[Points, Points], by: Grouped | None, *, timed: bool) -> Found:
    """Figures by what they are summed over, and by its values."""
    reading = Reading(session, wanted)
    calendar, hours = calendars
    point = {"point": ("point", *([_COLUMN[by]] if by else []))}
    groups = {"model": ("model",), "key": ("api_key_id",)}
    over = point | groups if timed or not by else groups
    all_sets = point | groups | {"hour": ("hour",)}
    counted = reading.fetch(
        f"""SELECT {_named(over)}, bucket, sum(calls) AS calls
              FROM (SELECT {POINT} AS point, model, api_key_id, bucket, calls FROM {reading.latencies()}) numbered
             GROUP BY GROUPING SETS ({", ".join(f"({', '.join(columns)}, bucket)" for columns in over.values())})""",
        points=list(calendar.starts),
    )
    durations: dict[tuple[Any, ...], list[int]] = {}
    for row in counted:
        durations.setdefault((row.kind, *_values(row, over)), [0] * BUCKETS)[row.bucket] = int(row.calls)
    rows = reading.fetch(
        f"""SELECT {_named(all_sets)}, {ADDED_UP}
              FROM (SELECT {_HOUR} AS hour, {POINT} AS point, model, api_key_id, {", ".join(SUMMED)} FROM {reading.rows()}) numbered
             GROUP BY GROUPING SETS ({", ".join(f"({', '.join(columns)})" for columns in all_sets.values())})""",
        hours=list(hours.starts),
        points=list(calendar.starts),
    )
    found: Found = {kind: {} for kind in all_sets}
    for row in rows:
        values = _values(row, all_sets)
        found[row.kind][values] = _figures(row, durations.get((row.kind, *values)))
    return found


def _named(sets: Mapping[str, Sequence[str]]) -> str:
    """SQL for the columns of all sets, and for which set a row is of: told by its first column, which those after it do not have."""
    cases = (f"WHEN GROUPING({columns[0]}) = 0 THEN '{kind}'" for kind, columns in sets.items())
    columns = sorted({column for columns in sets.values() for column in columns})
    return f"CASE {' '.join(cases)} END AS kind, {', '.join(columns)}"


def _values(row: Any, sets: Mapping[str, Sequence[str]]) -> tuple[Any, ...]:
    return tuple(getattr(row, column) for column in sets[row.kind])


def _figures(row: Any, durations: Sequence[int] | None) -> Figures:
    counted = tuple(durations) if durations else _NO_DURATIONS
    return Figures(**{name: int(getattr(row, name)) for name in SUMMED}, durations=counted)


def _total(session: Session, wanted: Slice) -> Figures:
    reading = Reading(session, wanted)
    [row] = reading.fetch(f"SELECT {ADDED_UP} FROM {reading.rows()}")
    durations = [0] * BUCKETS
    for bucket, calls in reading.fetch(f"SELECT bucket, sum(calls) AS calls FROM {reading.latencies()} GROUP BY 1"):
        durations[bucket] = int(calls)
    return _figures(row, durations)


def _curve(found: Mapping[tuple[Any, ...], Figures], calendar: Points, by: Grouped | None) -> tuple[Point, ...]:
    """Every point that has begun; those without calls, too."""
    of_point: dict[int, dict[str, Figures]] = {}
    for values, figures in found.items():
        of_point.setdefault(values[0], {})[str(values[1]) if by else ""] = figures
    last = max([number for number, start in enumerate(calendar.starts, 1) if start <= now()] + list(of_point), default=0)
    return tuple(
        Point(local, sum(groups.values(), Figures()), groups if by else {})
        for number, local in enumerate(calendar.local[:last], 1)
        for groups in [of_point.get(number, {})]
    )


def _groups(found: Mapping[tuple[Any, ...], Figures], labels: Mapping[UUID, str]) -> tuple[Group, ...]:
    groups: Iterable[Group] = (Group(str(value), labels.get(value, str(value)), figures) for (value,), figures in found.items())
    return tuple(sorted(groups, key=lambda group: (-group.figures.charge_nano, -group.figures.calls, group.name)))


def _week(found: Mapping[tuple[Any, ...], Figures], hours: Points) -> tuple[tuple[int, ...], ...]:
    calls = [[0] * 24 for _ in range(7)]
    for (number,), figures in found.items():
        local = hours.local[number - 1]
        calls[local.weekday()][local.hour] += figures.calls
    return tuple(map(tuple, calls))

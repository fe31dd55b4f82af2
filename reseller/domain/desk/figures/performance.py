"""API performance: how fast, how often it works, what fails and where."""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain.desk.figures import pieces
from reseller.domain.usage.histogram import BUCKETS, percentile_ms
from reseller.domain.usage.period import Period
from reseller.domain.usage.rollup_statements import LATENCIES

PERCENTS = (50, 95, 99)
Percentiles = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Totals:
    """Live calls of a range. Latencies are of completed calls, in milliseconds: p50, p95, p99."""

    calls: int
    refused: int
    errors: int
    test_calls: int
    total_ms: Percentiles
    first_byte_ms: Percentiles
    added_ms: Percentiles

    @property
    def success_percent(self) -> Decimal | None:
        """Share of calls that did not fail; refusals are not calls."""
        return None if not self.calls else Decimal(100 * (self.calls - self.errors)) / self.calls


@dataclass(frozen=True, slots=True)
class ErrorCount:
    status: str
    error_code: str
    calls: int
    before: int


@dataclass(frozen=True, slots=True)
class Route:
    """One model at one upstream."""

    model: str
    upstream: str
    calls: int
    errors: int
    first_byte_ms: Percentiles
    total_ms: Percentiles


@dataclass(frozen=True, slots=True)
class LatencyPoint:
    """One hour or day."""

    point: str
    calls: int
    errors: int
    refused: int
    total_ms: Percentiles


@dataclass(frozen=True, slots=True)
class PerformanceFigures:
    now: Totals
    before: Totals
    errors: tuple[ErrorCount, ...]
    routes: tuple[Route, ...]
    curve: tuple[LatencyPoint, ...]


@dataclass(frozen=True, slots=True)
class _Counted:
    counts: dict[tuple[str, str, str, str], tuple[int, int, int]]  # model, upstream, status, code → calls, refused, errors
    latencies: dict[tuple[str, str], tuple[list[int], ...]]  # model, upstream → a histogram for each latency
    test_calls: int


def performance(period: Period) -> PerformanceFigures:
    """The figures of the range and of the one before."""
    with transaction() as session:
        now, before = _counted(session, period), _counted(session, period.before)
        curve = _curve(session, period)
    return PerformanceFigures(_totals(now), _totals(before), _errors(now, before), _routes(now), curve)


def _counted(session: Session, period: Period) -> _Counted:
    key = "model, upstream, status, error_code"
    columns = f"{key}, is_test, calls, refused, errors"
    rows = pieces.fetch(
        session,
        f"""SELECT {key}, sum(calls) FILTER (WHERE NOT is_test), sum(refused) FILTER (WHERE NOT is_test),
                   sum(errors) FILTER (WHERE NOT is_test), sum(calls) FILTER (WHERE is_test)
              FROM {pieces.traffic(columns, where="true")} GROUP BY {key}""",
        period,
    )
    names = ", ".join(LATENCIES)
    histograms = pieces.fetch(
        session,
        f"""SELECT model, upstream, {", ".join(map(pieces.added, LATENCIES))}
              FROM {pieces.traffic(f"model, upstream, {names}", where="NOT is_test AND status = 'completed'")} GROUP BY 1, 2""",
        period,
    )
    return _Counted(
        {tuple(row[:4]): (int(row[4]), int(row[5]), int(row[6])) for row in rows if row[4] is not None},
        {(row[0], row[1]): tuple(_histogram(row[2:], number) for number in range(3)) for row in histograms},
        sum(int(row[7] or 0) for row in rows),
    )


def _histogram(sums: Sequence[int | None], number: int) -> list[int]:
    return [int(count or 0) for count in sums[number * BUCKETS : (number + 1) * BUCKETS]]


def _totals(counted: _Counted) -> Totals:
    calls, refused, errors = (sum(counts[column] for counts in counted.counts.values()) for column in range(3))
    total_ms, first_byte_ms, added_ms = (
        _percentiles(_added_up(histograms[number] for histograms in counted.latencies.values())) for number in range(3)
    )
    return Totals(calls, refused, errors, counted.test_calls, total_ms, first_byte_ms, added_ms)


def _added_up(histograms: Iterable[Sequence[int]]) -> list[int]:
    return [sum(counts) for counts in zip(*histograms, strict=True)]


def _percentiles(counts: Sequence[int]) -> Percentiles:
    p50, p95, p99 = (percentile_ms(counts, percent) for percent in PERCENTS)
    return p50, p95, p99


def _errors(now: _Counted, before: _Counted) -> tuple[ErrorCount, ...]:
    """What failed and what was refused, the most frequent first."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, counted in enumerate((now, before)):
        for (_, _, status, code), (calls, refused, errors) in counted.counts.items():
            if errors or refused:
                found.setdefault((status, code), [0, 0])[place] += calls + refused
    rows = (ErrorCount(status, code, calls, earlier) for (status, code), (calls, earlier) in found.items())
    return tuple(sorted(rows, key=lambda row: (-row.calls, -row.before, row.status, row.error_code)))


def _routes(counted: _Counted) -> tuple[Route, ...]:
    """Models at their upstreams, the most used first; refusals never reached one."""
    sums: dict[tuple[str, str], list[int]] = {}
    for (model, upstream, _, _), (calls, _, errors) in counted.counts.items():
        if calls:
            total = sums.setdefault((model, upstream), [0, 0])
            total[0] += calls
            total[1] += errors
    none: tuple[list[int], ...] = ([], [], [])
    rows = []
    for (model, upstream), (calls, errors) in sums.items():
        total_ms, first_byte_ms, _ = counted.latencies.get((model, upstream), none)
        rows.append(Route(model, upstream, calls, errors, _percentiles(first_byte_ms), _percentiles(total_ms)))
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.model, row.upstream)))


def _curve(session: Session, period: Period) -> tuple[LatencyPoint, ...]:
    rows = pieces.fetch(
        session,
        f"""SELECT {pieces.point(period)}, sum(calls), sum(errors), sum(refused), {pieces.added("total_ms")}
              FROM traffic_totals WHERE starts_at >= :start AND starts_at < :end AND NOT is_test GROUP BY 1 ORDER BY 1""",
        period,
    )
    return tuple(LatencyPoint(row[0], int(row[1]), int(row[2]), int(row[3]), _percentiles(_histogram(row[4:], 0))) for row in rows)

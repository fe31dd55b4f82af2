"""API performance as a page."""

from decimal import Decimal

from reseller.backoffice.dashboards import links
from reseller.domain.desk.figures import PerformanceFigures, Period, performance
from reseller.domain.desk.figures.performance import Percentiles
from reseller.web import figures
from reseller.web.reports import Column, Report, Table, Tile, milliseconds, tenth

P = ("p50", "p95", "p99")
OF_OUTCOMES = {"went well": "info", "errors": "bad", "refused": "warn"}
"""Never the operator's colour: a red brand's good calls would look like errors."""


def report(period: Period) -> Report:
    """Latency, success and errors over the range."""
    found = performance(period)
    return Report(_tiles(found, period), (_latency(found), _success(found), _errors(found, period), _routes(found, period)))


def _tiles(found: PerformanceFigures, period: Period) -> tuple[Tile, ...]:
    now, before = found.now, found.before
    all_calls = links.calls(period)
    p50, p95, p99 = (milliseconds(value) for value in now.total_ms)
    earlier = [milliseconds(value) for value in before.total_ms]
    return (
        Tile("Calls", now.calls, before=before.calls, href=all_calls, note="live keys, refusals apart"),
        Tile("Success rate", tenth(now.success_percent), "percent", tenth(before.success_percent), "#errors", is_better_up=True),
        Tile("Errors", now.errors, before=before.errors, href="#errors", is_better_up=False, note="failed, broken off or voided"),
        Tile("Refused", now.refused, before=before.refused, href=links.calls(period, status="refused"), is_better_up=False),
        Tile("Latency p50", p50, "ms", earlier[0], "#latency", is_better_up=False, note="completed calls, start to end"),
        Tile("Latency p95", p95, "ms", earlier[1], "#latency", is_better_up=False),
        Tile("Latency p99", p99, "ms", earlier[2], "#latency", is_better_up=False),
        Tile("First byte p95", milliseconds(now.first_byte_ms[1]), "ms", milliseconds(before.first_byte_ms[1]), "#routes",
             is_better_up=False, note="the upstream's"),
        Tile("Added by us p95", milliseconds(now.added_ms[1]), "ms", milliseconds(before.added_ms[1]), "#latency",
             is_better_up=False, note="before the upstream is asked"),
        Tile("Test calls", now.test_calls, before=before.test_calls, note="in no other figure",
             href=links.to("calls.index_view", keys="test", **links.days(period))),
    )  # fmt: skip


def _ms(percentiles: Percentiles) -> tuple[Decimal | None, ...]:
    return tuple(milliseconds(value) for value in percentiles)


def _latency(found: PerformanceFigures) -> Table:
    points = [point.point for point in found.curve]
    values = [_ms(point.total_ms) for point in found.curve]
    seconds = [[None if value is None else value / 1000 for value in row] for row in values]
    figure = figures.lines(points, {name: [row[number] for row in seconds] for number, name in enumerate(P)}, unit=" s")
    columns = (Column("When"), *(Column(f"{name} (ms)", "ms") for name in P))
    rows = tuple((point, *row) for point, row in zip(points, values, strict=True))
    return Table(
        "latency",
        "How long completed calls took",
        columns,
        rows,
        figure=figure,
        caption="Half, 95 and 99 of a hundred took no longer than this",
    )


def _success(found: PerformanceFigures) -> Table:
    points = [point.point for point in found.curve]
    series = {
        "went well": [point.calls - point.errors for point in found.curve],
        "errors": [point.errors for point in found.curve],
        "refused": [point.refused for point in found.curve],
    }
    figure = figures.bars(points, series, colours=OF_OUTCOMES)
    columns = (Column("When"), *(Column(name.capitalize(), "number") for name in series))
    return Table(
        "calls",
        "Calls and how they ended",
        columns,
        tuple(zip(points, *series.values(), strict=True)),
        figure=figure,
        caption="Number of calls",
    )


def _errors(found: PerformanceFigures, period: Period) -> Table:
    columns = (Column("Status"), Column("Error code"), Column("Calls", "number"), Column("Range before", "number"))
    rows = tuple((error.status, error.error_code, error.calls, error.before) for error in found.errors)
    hrefs = tuple(
        links.calls(period, status=error.status, **({"code": error.error_code} if error.error_code else {})) for error in found.errors
    )
    return Table("errors", "Errors and refusals by type", columns, rows, hrefs, empty="Nothing failed and nothing was refused.")


def _routes(found: PerformanceFigures, period: Period) -> Table:
    columns = (
        Column("Model"), Column("Upstream"), Column("Calls", "number"), Column("Errors", "number"),
        *(Column(f"First byte {name} (ms)", "ms") for name in P), *(Column(f"Total {name} (ms)", "ms") for name in P),
    )  # fmt: skip
    rows = tuple(
        (route.model, route.upstream, route.calls, route.errors, *_ms(route.first_byte_ms), *_ms(route.total_ms)) for route in found.routes
    )
    hrefs = tuple(
        links.calls(period, model=route.model, **({"upstream": route.upstream} if route.upstream else {})) for route in found.routes
    )
    return Table("routes", "Response times by model and upstream", columns, rows, hrefs)

"""System health as a page."""

from decimal import Decimal

from reseller.backoffice.dashboards import links
from reseller.domain.desk.figures import HealthFigures, Period, health
from reseller.web import figures
from reseller.web.reports import Column, Report, Table, Tile, tenth
from reseller.wiring import wiring

MEBIBYTE = 1024 * 1024


def report(period: Period) -> Report:
    """Who lives, what waits, what was refused."""
    found = health(period)
    return Report(_tiles(found, period), (_refusals(found), _processes(found), _jobs(found)))


def _tiles(found: HealthFigures, period: Period) -> tuple[Tile, ...]:
    silent = sum(process.is_silent for process in found.processes)
    database, holds = found.database, found.holds
    stats = wiring().till.stats
    a_commit = tenth(Decimal(stats.operations) / stats.batches) if stats.batches else None
    commit_ms = tenth(Decimal(1000 * stats.seconds) / stats.batches) if stats.batches else None
    return (
        Tile("Processes", len(found.processes) - silent, href="#processes", note=f"{silent} silent" if silent else "all beat"),
        Tile("Processor", tenth(Decimal(sum(process.cpu_percent for process in found.processes))), "percent", None, "#processes",
             "of one core, all processes, last 5 s"),
        Tile("Database connections", database.connections, href=None, note=f"{database.active} at work, of {database.most} possible"),
        Tile("Database size", database.bytes // MEBIBYTE, "number", note="MiB"),
        Tile("Calls in flight", holds.open, href=links.to("holds.index_view"), note=f"{holds.chased} wait for their cost"),
        Tile("Oldest in flight", holds.oldest_at, "moment", href=links.to("holds.index_view")),
        Tile("Rate limit hits", found.rate_limited, "number", found.rate_limited_before, "#refusals", is_better_up=False),
        Tile("Without money", found.without_money, "number", found.without_money_before, "#refusals", "balance or limit too low", False),
        Tile("Failing jobs", len(found.failing), href="#jobs", note="by their last run"),
        Tile("Operations a commit", a_commit, "decimal", note="of the process that answered"),
        Tile("One commit", commit_ms, "ms", note="on average, of the process that answered"),
        Tile("Figures as of", found.rolled_at, "moment", href="#jobs"),
    )  # fmt: skip


def _refusals(found: HealthFigures) -> Table:
    points = [each.point for each in found.refusals]
    series = {
        "Rate limit hits": [each.rate_limited for each in found.refusals],
        "Without money": [each.without_money for each in found.refusals],
    }
    columns = (Column("When"), *(Column(name, "number") for name in series))
    figure = figures.bars(points, series, colours={"Rate limit hits": "warn", "Without money": "bad"})
    return Table(
        "refusals",
        "Refused for speed and for money",
        columns,
        tuple(zip(points, *series.values(), strict=True)),
        figure=figure,
        caption="Number of refusals",
    )


def _processes(found: HealthFigures) -> Table:
    columns = (
        Column("Kind"), Column("Host"), Column("Process"), Column("Since", "moment"), Column("Last beat", "moment"),
        Column("State"), Column("Processor %", "percent"), Column("Processor seconds", "decimal"), Column("Calls in flight", "number"),
    )  # fmt: skip
    rows = tuple(
        (each.kind, each.host, each.pid, each.started_at, each.beat_at, "silent" if each.is_silent else "alive",
         tenth(Decimal(each.cpu_percent)), tenth(Decimal(each.cpu_seconds)), each.open_holds)
        for each in found.processes
    )  # fmt: skip
    return Table("processes", "Processes", columns, rows, empty="No process has a heartbeat.")


def _jobs(found: HealthFigures) -> Table:
    columns = (Column("Job"), Column("Last start", "moment"), Column("Last success", "moment"), Column("Result"), Column("Error"))
    rows = tuple((job.name, job.started_at, job.succeeded_at, job.result, job.last_error) for job in found.jobs)
    href = links.to("jobs.index")
    return Table("jobs", "Jobs of the clock", columns, rows, tuple(href for _ in rows), empty="No worker has run yet.")

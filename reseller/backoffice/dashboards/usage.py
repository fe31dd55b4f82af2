"""Usage patterns as a page."""

from reseller.backoffice.dashboards import links
from reseller.domain.desk.figures import PatternFigures, Period, patterns
from reseller.web import figures
from reseller.web.reports import Column, Report, Table, Tile, tenth

CHARTED_MODELS = 12


def report(period: Period) -> Report:
    """Which models, how large, when, and by whom."""
    found = patterns(period)
    return Report(_tiles(found, period), (_models(found, period), _hours(found), _tokens(found), _accounts(found)))


def _tiles(found: PatternFigures, period: Period) -> tuple[Tile, ...]:
    now, before = found.now, found.before
    calls = links.calls(period)
    peak = max(((count, day, hour) for day, row in enumerate(found.hours) for hour, count in enumerate(row)), default=(0, 0, 0))
    return (
        Tile("Calls", now.calls, before=before.calls, href=calls, is_better_up=True),
        Tile("Tokens", now.tokens, before=before.tokens, href=calls, is_better_up=True),
        Tile("Tokens a call", tenth(now.tokens_per_call), "decimal", tenth(before.tokens_per_call), "#tokens", "prompt and answer"),
        Tile("Models used", len(found.models), href="#models"),
        Tile("Accounts", found.active_accounts, href="#accounts"),
        Tile("Peak hour", f"{figures.WEEKDAYS[peak[1]]} {peak[2]:02}:00" if peak[0] else "–", "text", None, "#hours", f"{peak[0]:,} calls"),
    )


def _models(found: PatternFigures, period: Period) -> Table:
    columns = (
        Column("Model"), Column("Calls", "number"), Column("Range before", "number"), Column("Tokens", "number"),
        Column("Tokens a call", "decimal"), Column("Charges", "money"), Column("Cost", "money"),
    )  # fmt: skip
    rows = tuple(
        (use.model, use.volume.calls, use.calls_before, use.volume.tokens, tenth(use.volume.tokens_per_call), use.volume.charge_usd,
         use.volume.cost_usd)
        for use in found.models
    )  # fmt: skip
    top = found.models[:CHARTED_MODELS]
    figure = figures.ranking([use.model for use in top], [use.volume.calls for use in top])
    hrefs = tuple(links.calls(period, model=use.model) for use in found.models)
    return Table("models", "Calls by model", columns, rows, hrefs, figure=figure, caption="Number of calls")


def _hours(found: PatternFigures) -> Table:
    columns = (Column("Weekday"), *(Column(f"{hour:02}", "number") for hour in range(24)))
    rows = tuple((figures.WEEKDAYS[day], *row) for day, row in enumerate(found.hours))
    caption = "By weekday and hour, in your time zone: the larger, the more calls"
    return Table("hours", "When people call", columns, rows, figure=figures.week(found.hours), caption=caption)


def _tokens(found: PatternFigures) -> Table:
    points = [point.point for point in found.curve]
    averages = [tenth(point.volume.tokens_per_call) for point in found.curve]
    columns = (Column("When"), Column("Tokens a call", "decimal"), Column("Prompt tokens", "number"), Column("Answer tokens", "number"))
    rows = tuple(
        (point.point, average, point.volume.prompt_tokens, point.volume.completion_tokens)
        for point, average in zip(found.curve, averages, strict=True)
    )
    return Table(
        "tokens",
        "Average tokens a call",
        columns,
        rows,
        figure=figures.lines(points, {"Tokens a call": averages}),
        caption="Prompt and answer together",
    )


def _accounts(found: PatternFigures) -> Table:
    columns = (
        Column("Account"), Column("Calls", "number"), Column("Tokens", "number"), Column("Cost", "money"), Column("Charges", "money"),
        Column("Margin", "money"),
    )  # fmt: skip
    rows = tuple(
        (use.name, use.volume.calls, use.volume.tokens, use.volume.cost_usd, use.volume.charge_usd,
         use.volume.charge_usd - use.volume.cost_usd)
        for use in found.accounts
    )  # fmt: skip
    hrefs = tuple(links.customer(use.account_id) for use in found.accounts)
    note = f"The {len(rows)} that cost most, of {found.active_accounts}." if len(rows) < found.active_accounts else ""
    return Table("accounts", "Cost by account", columns, rows, hrefs, note=note)

"""Business figures as a page."""

from reseller.backoffice.dashboards import links
from reseller.domain.desk.figures import BusinessFigures, Period, business
from reseller.web import figures
from reseller.web.reports import Column, Report, Table, Tile, tenth


def report(period: Period) -> Report:
    """Who is active, what comes in, what is earned, who left."""
    found = business(period)
    return Report(tiles(found, period), (_money(found), _active(found), _left(found)))


def tiles(found: BusinessFigures, period: Period) -> tuple[Tile, ...]:
    """The figures at a glance."""
    money, before, activity = found.money, found.money_before, found.activity
    calls = links.calls(period)
    return (
        Tile("Paid in", money.paid_in_usd, "money", before.paid_in_usd, links.ledger(period), "for credit, less what went back", True),
        Tile("Charges", money.charge_usd, "money", before.charge_usd, calls, "what calls cost customers", True),
        Tile("Cost", money.cost_usd, "money", before.cost_usd, calls, "what upstreams bill us", None),
        Tile("Margin", money.margin_usd, "money", before.margin_usd, "#money", "charges less cost", True),
        Tile("Margin %", tenth(money.margin_percent), "percent", tenth(before.margin_percent), "#money", "of charges", True),
        Tile("Daily active", tenth(found.daily_active), "decimal", tenth(found.daily_active_before), "#active", "accounts a day", True),
        Tile("Active accounts", activity.active, "number", activity.active_before, "#active", is_better_up=True),
        Tile("New or back", activity.new, "number", href="#active", note="not active in the range before"),
        Tile("Left", activity.left, "number", href="#left", note="active before, not now"),
        Tile("Churn", tenth(activity.churn_percent), "percent", href="#left", note="of those active before"),
    )  # fmt: skip


def _money(found: BusinessFigures) -> Table:
    days = [day.day.isoformat() for day in found.days]
    rows = tuple(
        (day.day.isoformat(), day.money.paid_in_usd, day.money.charge_usd, day.money.cost_usd, day.money.margin_usd) for day in found.days
    )
    names = ("Paid in", "Charges", "Cost", "Margin")
    figure = figures.lines(days, {name: [row[number] for row in rows] for number, name in enumerate(names, 1)}, unit="$")
    return Table(
        "money", "Money by day", (Column("Day"), *(Column(name, "money") for name in names)), rows, figure=figure, caption="Dollars"
    )


def _active(found: BusinessFigures) -> Table:
    days = [day.day.isoformat() for day in found.days]
    rows = tuple((day.day.isoformat(), day.active) for day in found.days)
    figure = figures.bars(days, {"Active accounts": [day.active for day in found.days]})
    note = "Accounts with at least one live call that was not refused."
    return Table(
        "active",
        "Active accounts by day",
        (Column("Day"), Column("Active accounts", "number")),
        rows,
        figure=figure,
        caption="Number of accounts",
        note=note,
    )


def _left(found: BusinessFigures) -> Table:
    rows = tuple((left.name, left.charge_before_usd) for left in found.left)
    hrefs = tuple(links.customer(left.account_id) for left in found.left)
    columns = (Column("Account"), Column("Charges in the range before", "money"))
    note = f"The {len(rows)} that paid most, of {found.activity.left}." if len(rows) < found.activity.left else ""
    return Table("left", "Active before, not now", columns, rows, hrefs, note=note, empty="Everybody who called before still calls.")

"""Finance as a page: what was sold and earned, how money moved, what is open, and entries for the bookkeeping."""

from reseller.backoffice.dashboards import links
from reseller.domain.desk.figures import FinanceFigures, Period, entries_by_month, finance
from reseller.domain.payments import MoveKind
from reseller.web import figures
from reseller.web.reports import Column, Report, Table, Tile


def report(period: Period) -> Report:
    """Sold, earned, paid, given back; and what customers still have coming."""
    found = finance(period)
    return Report(_tiles(found, period), (_credit(found), _money(found), _disputes(found), _entries(found)))


def _tiles(found: FinanceFigures, period: Period) -> tuple[Tile, ...]:
    now, before = found.total, found.before
    paid, refunded, disputed = (links.payments(period, kind) for kind in (MoveKind.PAYMENT, MoveKind.REFUND, MoveKind.DISPUTE))
    return (
        Tile("Earned", now.earned_usd, "money", before.earned_usd, "#credit", "paid credit that calls used", True),
        Tile("Cost", now.cost_usd, "money", before.cost_usd, links.calls(period), "what upstreams bill us", None),
        Tile("Fees", now.fees_usd, "money", before.fees_usd, "#money", "of cards and disputes", None),
        Tile("Result", now.result_usd, "money", before.result_usd, "#money", "earned less cost, fees, losses; upstreams’ fees aside", True),
        Tile("Credit sold", now.sold_usd, "money", before.sold_usd, paid, "without tax", True),
        Tile("Refunded", now.refunded_usd, "money", before.refunded_usd, refunded, "with tax", False),
        Tile("Disputed", now.disputed_usd, "money", before.disputed_usd, disputed, "held by banks, less what came back", False),
        Tile("Tax", now.tax_usd - now.tax_back_usd, "money", before.tax_usd - before.tax_back_usd, "#money", "taken less given back", None),
        Tile("Deferred credit", now.deferred_usd, "money", before.deferred_usd, "#credit", "paid for and not used, at the end", None),
        Tile("Owed to us", now.owed_usd, "money", before.owed_usd, "#credit", "by accounts below zero, at the end", False),
        Tile("Credit given", now.given_usd, "money", before.given_usd, "#credit", "bonuses and adjustments", None),
    )  # fmt: skip


def _credit(found: FinanceFigures) -> Table:
    rows = tuple(
        (
            day.day.isoformat(), day.deferred_before_usd, day.sold_usd, -day.back_usd, -day.earned_usd, day.deferred_usd, day.given_usd,
            day.used_usd, day.owed_usd,
        )
        for day in found.days
    )  # fmt: skip
    names = ("Before", "Sold", "Taken back", "Earned", "Deferred", "Given away", "Used by calls", "Owed to us")
    chart = figures.lines([row[0] for row in rows], {"Deferred credit": [day.deferred_usd for day in found.days]}, unit="$")
    note = (
        "Before + sold + taken back + earned = deferred, on every day. Credit that was given away is used up first; what an account has"
        " beyond what it paid in is not deferred. A gift after use counts as used first, too: it takes back as much of what was earned."
    )
    columns = (Column("Day"), *(Column(name, "money") for name in names))
    return Table("credit", "Deferred credit by day", columns, rows, figure=chart, caption="Dollars", note=note)


def _money(found: FinanceFigures) -> Table:
    days = [day for day in found.days if any((day.paid_usd, day.fees_usd, day.refunded_usd, day.disputed_usd))]
    rows = tuple(
        (
            day.day.isoformat(), day.paid_usd, day.tax_usd - day.tax_back_usd, -day.fees_usd, -day.refunded_usd, -day.disputed_usd,
            day.net_usd,
        )
        for day in days
    )  # fmt: skip
    names = ("Paid", "of it tax", "Fees", "Refunded", "Disputed", "Left at Stripe")
    note = "Money of payments as it moved at Stripe, before payouts; days without any are left out. A fee stands on the day it was told."
    hrefs = tuple(links.payments_of(day.day) for day in days)
    columns = (Column("Day"), *(Column(name, "money") for name in names))
    return Table("money", "Money at Stripe by day", columns, rows, hrefs, note=note)


def _disputes(found: FinanceFigures) -> Table:
    rows = tuple(
        (each.account_name, each.amount_usd, each.reason.replace("_", " "), each.status.replace("_", " "), each.due_at)
        for each in found.disputes
    )
    hrefs = tuple(links.to("payments.details_view", id=each.payment_id) for each in found.disputes)
    columns = (Column("Account"), Column("Amount", "money"), Column("Reason"), Column("State"), Column("Evidence due", "moment"))
    note = "Evidence is handed in on Stripe's own pages."
    return Table("disputes", "Open disputes", columns, rows, hrefs, note=note if rows else "", empty="No dispute is open.")


def _entries(found: FinanceFigures) -> Table:
    rows = tuple((each.up_to.isoformat(), each.debit, each.credit, each.amount_usd, each.what) for each in entries_by_month(found.days))
    columns = (Column("Up to"), Column("Debit"), Column("Credit"), Column("Amount", "money"), Column("What"))
    note = (
        "One line for each month of the range and each pair of accounts, from the first to the last day of it that the range has."
        " Rename the accounts to those of your books."
    )
    return Table("entries", "Entries for bookkeeping, by month", columns, rows, note=note)

"""The first page of the back office: how business and machine are doing today, and what waits for somebody."""

from dataclasses import dataclass

from reseller.backoffice.access import STAFF, Page, exposed, me, pages
from reseller.backoffice.dashboards import business, links, performance
from reseller.domain import supplier
from reseller.domain.accounts import Role
from reseller.domain.desk import figures
from reseller.domain.desk.figures import Period, Waiting
from reseller.domain.supplier import Balance
from reseller.money import display_usd
from reseller.upstreams import OPENROUTER
from reseller.web.formats import ago, viewer_zone
from reseller.web.reports import Tile

TODAY = ("Calls", "Success rate", "Refused", "Latency p95")
TODAY_MONEY = ("Paid in", "Charges", "Margin", "Active accounts")


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that somebody of staff decides or looks at."""

    label: str
    value: str
    href: str | None
    note: str = ""
    tone: str | None = None


class Dashboard(Page):
    access = pages(STAFF, "index")

    @exposed("/")
    def index(self) -> str:
        today = Period.latest(1, viewer_zone())
        speed, waiting = performance.report(today), figures.waiting()
        tiles = [tile for tile in speed.tiles if tile.label in TODAY]
        if me().role != Role.SUPPORT:
            sold = business.tiles(figures.business(today), today)
            tiles += [tile for tile in sold if tile.label in TODAY_MONEY]
        return str(
            self.render(
                "admin/dashboard.html",
                today=[_on_its_page(tile, today) for tile in tiles],
                waits=_waits(waiting) + (_upstream(waiting) if me().role != Role.SUPPORT else []),
                chart=speed.table("calls"),
                chart_export=links.to("performance.export", table="calls", range="today"),
                flight_href=links.to("holds.index_view"),
                calls_href=links.calls(today),
                errors_href=links.to("performance.index", range="today"),
            )
        )


def _on_its_page(tile: Tile, today: Period) -> Tile:
    """A way that leads to a part of the tile's own page leads to that page from here."""
    if not tile.href or not tile.href.startswith("#"):
        return tile
    endpoint = "business.index" if tile.label in TODAY_MONEY else "performance.index"
    there = links.to(endpoint, **links.days(today))
    return Tile(tile.label, tile.value, tile.kind, tile.before, f"{there}{tile.href}", tile.note, tile.is_better_up)


def _waits(waiting: Waiting) -> list[Wait]:
    proof = waiting.proof
    failing = ", ".join(waiting.failing)
    return [
        _count("Alarms", waiting.alarms, links.to("alarms.index_view"), note="that nobody looks after", tone="bad"),
        _count("Adjustments to decide", waiting.adjustments, links.to("adjustments.index")),
        _count("Prices in quarantine", waiting.quarantined, links.to("catalogue.index_view")),
        _count("Halted accounts", waiting.halted, links.to("proof.index"), tone="bad"),
        _count("In suspense", waiting.suspense, links.to("suspense.index_view", state="open"), tone="bad"),
        _count("Stripe’s events that wait", waiting.events, links.to("stripe_events.index_view", state="received")),
        _count("Failing jobs", len(waiting.failing), links.to("jobs.index"), note=failing, tone="bad"),
        Wait(
            "Books proved",
            "never" if waiting.proved_at is None else ago(waiting.proved_at),
            links.to("proof.index"),
            "the last proof failed" if proof and proof.last_error else "balances, entries, usage, holds and payments agree",
            "bad" if proof and proof.last_error else None,
        ),
    ]


def _upstream(waiting: Waiting) -> list[Wait]:
    """Days on which its bill differs, and the credit that is left there once somebody has asked."""
    differ = _count("Upstream’s bill differs", waiting.supplier, links.to("supplier.index"), note="days to look at", tone="bad")
    balance = supplier.balance_of(OPENROUTER)
    return [differ] if balance is None else [differ, _credit(balance)]


def _credit(balance: Balance) -> Wait:
    lasts = "" if balance.days_left is None else f"lasts for {balance.days_left} days at the pace of the last week"
    return Wait("Credit upstream", display_usd(balance.remaining_usd), links.to("supplier.index"), lasts, "bad" if balance.is_low else None)


def _count(label: str, count: int, href: str | None, *, note: str = "", tone: str = "warn") -> Wait:
    return Wait(label, f"{count:,}", href, note, tone if count else None)

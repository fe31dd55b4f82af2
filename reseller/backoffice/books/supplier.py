"""What the upstream billed beside what we booked, what differs and who looked at it; and the credit that is left there (R20)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, request

from reseller import buyer
from reseller.backoffice import reasons
from reseller.backoffice.access import MONEY, Page, actor, exposed, pages
from reseller.domain import supplier
from reseller.domain.desk import actors
from reseller.domain.supplier import Balance, SupplierDay, SupplierItem, SupplierModel
from reseller.domain.supplier.booked import WHYS, suspects_of
from reseller.domain.supplier.figures import is_drift
from reseller.errors import NotFound
from reseller.money import percent_of
from reseller.upstreams import OPENROUTER
from reseller.web import figures
from reseller.web.reports import Column, Table, Tile, csv_of, tenth
from reseller.wiring import wiring

SHOWN_DAYS = 30
ZERO = Decimal(0)


class Supplier(Page):
    access = pages(MONEY, "index", "day", "export", "resolve")

    @exposed("/")
    def index(self) -> str:
        days = supplier.compared_days(OPENROUTER, last=SHOWN_DAYS)
        balance = supplier.balance_of(OPENROUTER)
        waiting = supplier.open_items()
        return str(
            self.render(
                "books/supplier.html",
                is_on=buyer.is_on(wiring().settings),
                is_empty=balance is None and not days,
                balance=balance,
                tiles=_tiles(balance, days, waiting),
                waiting=waiting,
                percents=[_percent(item.drift_usd, item.told_usd, item.booked_usd) for item in waiting],
                chart=_chart(days),
                tables=[self._days(days, waiting), _models(_of(days))],
            )
        )

    @exposed("/days/<upstream>/<day>/")
    def day(self, upstream: str, day: str) -> str:
        """Both sides of one day by model, and the calls that may be behind a difference."""
        found, on = _day_named(upstream, day)
        item = supplier.item_of(upstream, on)
        return str(
            self.render(
                "books/supplier_day.html",
                found=found,
                percent=_percent(found.drift_usd, found.told_usd, found.booked_usd),
                item=item,
                resolved_by=actors.names_of([item.resolved_by])[item.resolved_by] if item and item.resolved_by else None,
                suspects=suspects_of(item.suspects) if item else None,
                whys=WHYS,
                table=_models(supplier.models_of(upstream, on, on)),
            )
        )

    @exposed("/export/")
    def export(self) -> Response:
        """One table, of all days shown or of one: exactly what is shown, every digit."""
        days = supplier.compared_days(OPENROUTER, last=SHOWN_DAYS)
        if request.args.get("day"):
            days = [_day_named(OPENROUTER, request.args.get("day", ""))[0]]
        known = {"days": self._days(days, supplier.open_items()), "models": _models(_of(days))}
        name = request.args.get("table", "days")
        if name not in known:
            raise NotFound("There is no such table on this page.")
        span = f"_{days[-1].day}_{days[0].day}" if days else ""
        disposition = f'attachment; filename="supplier_{name}{span}.csv"'
        return Response(csv_of(known[name]), mimetype="text/csv", headers={"Content-Disposition": disposition})

    @exposed("/items/<uuid:item_id>/resolve/", methods=("POST",))
    def resolve(self, item_id: UUID) -> Any:
        """The day waits no longer, with words and a name."""
        supplier.resolve(item_id, actor=actor(), resolution=reasons.reason_given())
        flash("Resolved.", "success")
        return redirect(self.get_url(".index"))

    def _days(self, days: list[SupplierDay], waiting: Iterable[SupplierItem]) -> Table:
        open_days = {(item.upstream, item.day) for item in waiting}
        columns = (
            Column("Day"), Column("Told", "money"), Column("Booked", "money"), Column("Drift", "money"), Column("Drift %", "percent"),
            Column("Requests there", "number"), Column("Calls here", "number"), Column("State"), Column("Compared", "moment"),
        )  # fmt: skip
        rows = tuple(
            (
                each.day.isoformat(), each.told_usd, each.booked_usd, each.drift_usd,
                _percent(each.drift_usd, each.told_usd, each.booked_usd), each.requests, each.booked_calls,
                _state(each, is_open=(each.upstream, each.day) in open_days), each.compared_at,
            )
            for each in days
        )  # fmt: skip
        hrefs = tuple(self.get_url(".day", upstream=each.upstream, day=each.day.isoformat()) for each in days)
        note = (
            "Days are UTC. Drift is told − booked, less the cost of calls that ran across midnight, which may count on either day."
            " A day is compared six hours after its end and once more two days later, when nothing moves any more."
        )
        empty = "No day has been compared yet: the first is, six hours after the end of a day with calls."
        return Table("days", "By day", columns, rows, hrefs, note=note if rows else "", empty=empty)


def _chart(days: list[SupplierDay]) -> figures.Figure | None:
    """Both sides by day, once there is a line to draw."""
    if len(days) < 2:
        return None
    oldest_first = days[::-1]
    series = {"Told": [each.told_usd for each in oldest_first], "Booked": [each.booked_usd for each in oldest_first]}
    return figures.lines([each.day.isoformat() for each in oldest_first], series, unit="$")


def _tiles(balance: Balance | None, days: list[SupplierDay], waiting: list[SupplierItem]) -> tuple[Tile, ...]:
    told, booked, off = (sum((getattr(each, name) for each in days), ZERO) for name in ("told_usd", "booked_usd", "drift_usd"))
    span = f"of the {len(days)} days below"
    return (
        Tile("Credit left there", balance and balance.remaining_usd, "money", note="low" if balance and balance.is_low else ""),
        Tile("Used a day", balance and balance.burn_usd, "money", note="over the last week"),
        Tile("Lasts for days", balance and balance.days_left, "decimal", note="at that pace"),
        Tile("Told", told, "money", href="#days", note=span),
        Tile("Booked", booked, "money", href="#models", note=span),
        Tile("Drift", off, "money", href="#days", note=_share(off, told, booked)),
        Tile("To look at", len(waiting), href="#waiting"),
    )


def _models(rows: list[SupplierModel]) -> Table:
    """By model, over as many days as there are rows of."""
    sums: dict[str, SupplierModel] = {}
    for row in rows:
        sums[row.model] = _added(sums[row.model], row) if row.model in sums else row
    columns = (
        Column("Model"), Column("Known"), Column("Told", "money"), Column("Booked", "money"), Column("Drift", "money"),
        Column("Drift %", "percent"), Column("Requests there", "number"), Column("Calls here", "number"),
        Column("Tokens in there", "number"), Column("in here", "number"), Column("Tokens out there", "number"),
        Column("out here", "number"),
    )  # fmt: skip
    found = sorted(sums.values(), key=lambda row: (-max(row.told_usd, row.booked_usd), row.model))
    shown = tuple(
        (
            row.model, _known(row), row.told_usd, row.booked_usd, row.drift_usd, _percent(row.drift_usd, row.told_usd, row.booked_usd),
            row.requests, row.booked_calls, row.prompt_tokens, row.booked_prompt_tokens, row.completion_tokens,
            row.booked_completion_tokens,
        )
        for row in found
    )  # fmt: skip
    note = "A model that one side alone knows may be the same under another name: then the two differ, and the day’s sum does not."
    return Table("models", "By model", columns, shown, note=note if shown else "", empty="No model yet.")


def _known(row: SupplierModel) -> str:
    if not row.names:
        return "here alone"
    return "on both sides" if row.booked_calls or row.booked_usd else "there alone"


def _added(one: SupplierModel, other: SupplierModel) -> SupplierModel:
    summed = (
        "requests", "prompt_tokens", "completion_tokens", "reasoning_tokens", "told_usd", "byok_usd", "booked_calls",
        "booked_prompt_tokens", "booked_completion_tokens", "booked_usd", "drift_usd",
    )  # fmt: skip
    sums = {name: getattr(one, name) + getattr(other, name) for name in summed}
    return SupplierModel(upstream=one.upstream, day=one.day, model=one.model, names=one.names or other.names, **sums)


def _of(days: list[SupplierDay]) -> list[SupplierModel]:
    return supplier.models_of(OPENROUTER, days[-1].day, days[0].day) if days else []


def _state(each: SupplierDay, *, is_open: bool) -> str:
    if is_open:
        return "to look at"
    if is_drift(each.drift_usd, each.told_usd, each.booked_usd) and each.requests == 0 and not each.is_final:
        return "not told yet"
    return "agrees" if not is_drift(each.drift_usd, each.told_usd, each.booked_usd) else "looked at"


def _percent(drift_usd: Decimal, told_usd: Decimal, booked_usd: Decimal) -> Decimal | None:
    most = max(told_usd, booked_usd)
    return tenth(percent_of(drift_usd, most)) if most else None


def _share(drift_usd: Decimal, told_usd: Decimal, booked_usd: Decimal) -> str:
    percent = _percent(drift_usd, told_usd, booked_usd)
    return "" if percent is None else f"{percent}% of it"


def _day_named(upstream: str, text: str) -> tuple[SupplierDay, date]:
    """Raises NotFound for what is no day, or was not compared."""
    try:
        day = date.fromisoformat(text)
        if not date(2000, 1, 1) <= day <= date(2199, 12, 31) or "\x00" in upstream:
            raise ValueError(text)
    except ValueError:
        raise NotFound("There is no such day.") from None
    found = supplier.day_of(upstream, day)
    if found is None:
        raise NotFound("This day was not compared.")
    return found, day

"""`flask upstreams`: what the upstream says it billed, against what we booked."""

from datetime import timedelta
from typing import Any

import click
from flask.cli import AppGroup

from reseller import buyer
from reseller.cli.shared import as_operator, emit, json_option
from reseller.clients.openrouter_account import LISTED_DAYS
from reseller.clock import now
from reseller.domain import supplier
from reseller.domain.supplier import Compared
from reseller.domain.usage import partitions
from reseller.errors import UpstreamFailure
from reseller.money import format_decimal
from reseller.upstreams import OPENROUTER
from reseller.wiring import wiring

upstreams = AppGroup("upstreams", help="The upstreams we buy from.")


@upstreams.command("reconcile")
@click.option(
    "--days",
    type=click.IntRange(1, LISTED_DAYS),
    help="Compare so many of the last days anew, whether due or not; without it those that are due.",
)
@json_option
@as_operator
def reconcile(days: int | None, as_json: bool) -> None:
    """Compare what the upstream billed for days that are over with what we booked. Differences wait at /admin/supplier/. Safe to repeat."""
    settings = wiring().settings
    if not buyer.is_on(settings):
        raise click.ClickException("The account there cannot be asked: set OPENROUTER_MANAGEMENT_KEY")
    try:
        found = buyer.reconcile(settings, _last(days) if days else buyer.due_days())
    except UpstreamFailure as failure:
        raise click.ClickException(buyer.words_of(failure)) from failure
    lines = [_line(each) for each in found.days] or ["no day is due"]
    emit({"days": [_as_json(each) for each in found.days], "troubles": found.troubles}, as_json, lines)
    if found.troubles:
        raise click.ClickException(f"Not all could be read: {'; '.join(found.troubles)}")


def _last(days: int) -> list[Any]:
    """So many days before today of those on which we sent calls and still have them."""
    today = now().date()
    begin = max(filter(None, (supplier.first_day(OPENROUTER), partitions.kept_since())), default=today)
    return [day for n in range(days, 0, -1) if (day := today - timedelta(days=n)) >= begin]


def _line(each: Compared) -> str:
    told, booked, drift = (format_decimal(usd) for usd in (each.told_usd, each.booked_usd, each.drift_usd))
    return f"{each.day}  told {told}  booked {booked}  drift {drift}{'  LOOK' if each.is_open else ''}"


def _as_json(each: Compared) -> dict[str, Any]:
    money = {name: format_decimal(getattr(each, f"{name}_usd")) for name in ("told", "booked", "drift")}
    return {"upstream": each.upstream, "day": each.day.isoformat(), **money, "is_open": each.is_open}

"""/usage: charts, the same figures as tables, and each table as CSV."""

from collections.abc import Callable

from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from reseller.domain import usage
from reseller.domain.usage.breakdown import breakdown
from reseller.errors import NotFound
from reseller.portal import acting
from reseller.portal.overview import live
from reseller.portal.usage import choices as choosing
from reseller.portal.usage import report as reporting
from reseller.portal.usage.blueprint import own_usage
from reseller.portal.usage.choices import GROUPS, MEASURES, Choices
from reseller.web import ranges
from reseller.web.reports import Report, csv_of
from reseller.wiring import wiring

HEATS = 5


@own_usage.get("/usage")
@acting.scoped
def show() -> str:
    chosen = choosing.choices()
    account_id = acting.scope().account_id
    with wiring().reader.reports() as freshness:
        report = _report(chosen)
    return render_template(
        "portal/usage/charts.html",
        choices=chosen,
        report=report,
        as_of=freshness.as_of,
        heat=_heat(report),
        has_called=usage.has_called(account_id),
        keys=usage.labels_of_keys(account_id),
        presets=ranges.LABELS,
        measures=MEASURES,
        live=live.now(account_id),
    )


@own_usage.get("/usage/export")
@acting.scoped
def export() -> Response:
    """One table of the page, for the same choices: exactly what is shown, every digit."""
    chosen = choosing.choices()
    with wiring().reader.reports():
        table = _report(chosen).table(request.args.get("table", "summary"))
    if table is None:
        raise NotFound("There is no such table on this page.")
    period = chosen.chosen.period
    name = f"usage_{table.name}_{period.first}_{period.last}.csv"
    return Response(csv_of(table), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@own_usage.get("/usage/find")
@acting.scoped
def find() -> Answer:
    """The receipt of the call whose id is asked for, in any shape that answers and headers have it."""
    call_id = usage.call_id_of(request.args.get("id", ""))
    if call_id is None:
        raise NotFound("That is no request id. They look like req_ and 32 characters, or chatcmpl- and the same.")
    return redirect(url_for("own_usage.receipt", call_id=usage.request_id(call_id)))


def _heat(report: Report) -> Callable[[int], int]:
    """How many steps warm an hour of the week is: 0 without calls, HEATS for the busiest."""
    week = report.table("week")
    most = max((calls for row in week.rows for calls in row[1:]), default=0) if week else 0
    return lambda calls: -(-HEATS * calls // most) if most else 0


def _report(chosen: Choices) -> Report:
    by, timed = GROUPS[chosen.group], chosen.measure == "latency"
    found = breakdown(chosen.slice(), chosen.chosen.period, hourly=chosen.is_hourly, by=by, timed=timed)
    return reporting.report(found, chosen)

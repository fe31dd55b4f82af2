"""`flask catalog`: what the upstreams list becomes what we sell."""

from collections.abc import Iterator
from typing import Any

from flask.cli import AppGroup

from reseller.cli.shared import actor, as_operator, emit, json_option
from reseller.domain import pricing
from reseller.wiring import wiring

OUTCOMES = ("added", "changed", "withdrawn", "quarantined", "skipped")

catalog = AppGroup("catalog", help="Models and prices of the upstreams.")


@catalog.command("sync")
@json_option
@as_operator
def sync(as_json: bool) -> None:
    """Ask every active upstream for its models and prices, and sell what can be sold."""
    clients = wiring().upstreams
    clients.register()
    reports = {name: _synced(name, clients[name]) for name in pricing.active_upstreams() if name in clients}
    result: dict[str, Any] = {outcome: [slug for report in reports.values() for slug in report[outcome]] for outcome in OUTCOMES}
    result["reasons"] = {slug: reason for report in reports.values() for slug, reason in report["reasons"].items()}
    result["upstreams"] = sorted(reports)
    emit(result, as_json, _lines(result))


def _synced(name: str, client: Any) -> dict[str, Any]:
    # The list is fetched before the transaction begins: none is open while a socket is waiting.
    report = pricing.sync(name, client.list_models(), actor=actor())
    return {outcome: getattr(report, outcome) for outcome in (*OUTCOMES, "reasons")}


def _lines(result: dict[str, Any]) -> Iterator[str]:
    for outcome in OUTCOMES:
        yield f"{outcome}: {len(result[outcome])}"
        for slug in result[outcome]:
            reason = result["reasons"].get(slug)
            yield f"  {slug}: {reason}" if reason else f"  {slug}"

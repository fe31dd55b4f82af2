"""Jobs around prices: the catalogue as the upstreams list it, quarantines that run out (promise R7), and who is told."""

import structlog

from reseller.domain import pricing
from reseller.errors import Refusal
from reseller.worker.context import Context

ACTOR = "system:catalogue"

log = structlog.get_logger()


def sync_catalogue(context: Context) -> str:
    """Models and prices are as each upstream lists them; what looks wrong is in quarantine and staff are alarmed."""
    said, failed = [], []
    upstreams = context.wiring.upstreams
    upstreams.register()
    for name in pricing.active_upstreams():
        upstream = upstreams.get(name)
        if upstream is None:
            said.append(f"{name}: left alone, its key is not in the environment")
            continue
        try:
            entries = upstream.list_models()
        except Refusal as refusal:
            failed.append(f"{name}: {type(refusal).__name__}")
            continue
        report = pricing.sync(name, entries, actor=ACTOR)
        for slug in report.quarantined:
            log.error("price_quarantined", upstream=name, model=slug, reason=report.reasons.get(slug))
        said.append(f"{name}: {len(report.added)} added, {len(report.changed)} changed, {len(report.withdrawn)} withdrawn")
    if failed:
        raise RuntimeError("; ".join(failed))
    return "; ".join(said)


def expire_quarantine(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Models whose quarantine ran out undecided are withdrawn."""
    withdrawn = pricing.expire_quarantine()
    return f"withdrawn: {', '.join(withdrawn)}" if withdrawn else "none"


def tell_of_prices(context: Context) -> str:  # noqa: ARG001
    """Programs of customers have an event on its way if list prices changed, or what is for sale."""
    changed, gone, back = pricing.tell_of_prices()
    return f"{changed} prices changed, {gone} models withdrawn, {back} back" if changed or gone or back else "nothing changed"

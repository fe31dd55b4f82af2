"""Jobs around the account at the upstream: what credit is left there, and whether its bill is what we booked (R20)."""

from reseller import buyer
from reseller.errors import UpstreamFailure
from reseller.money import display_usd
from reseller.worker.context import Context

OFF = "OPENROUTER_MANAGEMENT_KEY is not set"


def watch_credit(context: Context) -> str:
    """The credit with the upstream is known; staff are alarmed when it becomes low."""
    settings = context.wiring.settings
    if not buyer.is_on(settings):
        return OFF
    try:
        found = buyer.read_credit(settings)
    except UpstreamFailure as failure:
        raise RuntimeError(buyer.words_of(failure)) from failure
    pace = f", {display_usd(found.burn_usd)} a day" if found.burn_usd is not None else ""
    return f"{display_usd(found.remaining_usd)} left{pace}{'; low' if found.is_low else ''}"


def reconcile(context: Context) -> str:
    """Every day that is over and due is compared with what the upstream billed; days that a worker missed, too."""
    settings = context.wiring.settings
    if not buyer.is_on(settings):
        return OFF
    due = buyer.due_days()
    if not due:
        return "no day is due"
    try:
        found = buyer.reconcile(settings, due)
    except UpstreamFailure as failure:
        raise RuntimeError(buyer.words_of(failure)) from failure
    told = f"{len(found.days)} days compared, {len(found.open_days)} to look at"
    if found.troubles:
        raise RuntimeError(f"{told}; {len(found.troubles)} could not be read, first: {found.troubles[0]}")
    return told

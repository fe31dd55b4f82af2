"""Jobs around payments: what Stripe told too early is applied, what it never told is found, what lies around is counted (R20)."""

from datetime import timedelta

from reseller.cashier import LOOK_BACK, reconcile
from reseller.clients.stripe_api import StripeDown
from reseller.clock import now
from reseller.domain import jobs
from reseller.domain.payments import deferred, suspense
from reseller.worker.context import Context

OFF = "Stripe is not configured"
RECONCILE = "reconcile payments"
OVERLAP = timedelta(days=1)


def apply_events(context: Context) -> str:
    """Events that could not be applied when they came are."""
    cashier = context.wiring.cashier
    if not cashier.is_open:
        return OFF
    try:
        waiting = cashier.catch_up()
        return f"{waiting} wait: see Stripe’s events" if waiting else "none waits"
    except StripeDown as error:
        return f"put off: {error}"


def reconcile_payments(context: Context) -> str:
    """What Stripe knows of the last days is in the books (R20)."""
    cashier = context.wiring.cashier
    if not cashier.is_open:
        return OFF
    found = reconcile(cashier, _look_back())
    told = f"{found.sessions} sessions, {found.intents} payments looked at; {found.healed} credited untold"
    odd = f"; {found.unread} that cannot be used: see suspense" if found.unread else ""
    odd += f"; {found.not_paid} credited and not paid: see suspense" if found.not_paid else ""
    stale = suspense.stale()
    return f"{told}{odd}; {stale} wait for more than a day" if stale else f"{told}{odd}"


def close_credit_days(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Days that are over have their sums of credit sold, given, used and deferred."""
    return f"{deferred.close_days()} days closed"


def _look_back() -> timedelta:
    """Over all the time since it last went well, which after a restore is as long as the backup is old."""
    last = jobs.state_of(RECONCILE)
    if last is None or last.succeeded_at is None:
        return LOOK_BACK
    return max(now() - last.succeeded_at + OVERLAP, LOOK_BACK)

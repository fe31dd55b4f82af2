"""The one list of what goes and when, and of what stays. A test holds every table to it: whoever adds one says here how long it lives.

Rows go by verbs of the module that owns them, some thousand in a transaction, so that no lock is held for long.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from reseller.clock import now
from reseller.database import forget_rows
from reseller.domain import letters
from reseller.domain.alarms import keeping as alarms
from reseller.domain.alerts.hit_limits import HIT
from reseller.domain.identity import links, sessions, throttle
from reseller.domain.identity.viewings import Viewing
from reseller.domain.ledger import CapUse
from reseller.domain.notices import EXPIRING, Notice
from reseller.domain.outbox import EventMark
from reseller.domain.payments import events
from reseller.domain.registration import forgetting
from reseller.domain.supplier import SupplierCredit

log = structlog.get_logger()

LATELY, QUARTER = timedelta(days=35), timedelta(days=90)
WEBHOOKS = "WEBHOOKS_KEPT_DAYS, by the job “forget deliveries”"


@dataclass(frozen=True, slots=True)
class Rule:
    """One table: how long its rows are kept, why no longer, and the verb by which they go (None: another job's, as `kept` says)."""

    table: str
    kept: str
    why: str
    forget: Callable[[], int] | None


def _viewings() -> int:
    return forget_rows(Viewing, Viewing.ended_at < now() - QUARTER)


def _notices() -> int:
    return forget_rows(Notice, Notice.told_at < now() - QUARTER)


def _event_marks() -> int:
    return forget_rows(EventMark, EventMark.name.in_((EXPIRING, HIT)), EventMark.told_at < now() - QUARTER)


def _cap_uses() -> int:
    return forget_rows(CapUse, CapUse.created_at < now() - LATELY)


def _credits() -> int:
    return forget_rows(SupplierCredit, SupplierCredit.read_at < now() - QUARTER)


POLICY = (
    Rule(
        "usage_logs",
        "CALL_DETAILS_MONTHS, by the job “drop old months”",
        "one row a call; totals, statement and ledger have the rest",
        None,
    ),
    Rule("sessions", "until they are over", "nobody is signed in by them", sessions.forget_old),
    Rule("throttles", "a day", "the brakes look back no further", throttle.forget_old),
    Rule("links", "until they are over", "they open nothing", links.forget_old),
    Rule("letters", f"{letters.KEPT.days} days", "addresses and words of people; staff ask about the last weeks", letters.forget_old),
    Rule(
        "stripe_events", f"{events.KEPT.days} days", "names and addresses of payers; Stripe repeats none that is older", events.forget_old
    ),
    Rule("outbox", f"{WEBHOOKS}, if they were handed on", "whoever listens has had them", None),
    Rule("webhook_deliveries", WEBHOOKS, "staff and customers ask about the last weeks", None),
    Rule("webhook_attempts", f"{WEBHOOKS}, with their deliveries", "the same", None),
    Rule("service_slots", "as long as the status page looks back, by the job “sum up service”", "nothing shows them any more", None),
    Rule("alarms", f"{alarms.KEPT.days} days after they were over", "who looked after them is in the audit log", alarms.forget_old),
    Rule("alarm_messages", f"{alarms.MESSAGES_KEPT.days} days", "they are sent; with the alarms", None),
    Rule("processes", "a minute of silence, by the job “forget processes”", "who owes no call has nothing to say", None),
    Rule("viewings", f"{QUARTER.days} days after their end", "begin and end are in the audit log", _viewings),
    Rule("notices", f"{QUARTER.days} days after they were told", "the key has ended since", _notices),
    Rule("event_marks", f"of keys and limits {QUARTER.days} days", "the key has ended; a limit is told again by the hour", _event_marks),
    Rule("cap_uses", f"{LATELY.days} days", "a cap counts one day; what was moved is in the ledger and the audit log", _cap_uses),
    Rule("supplier_credits", f"{QUARTER.days} days", "the pace is that of a week", _credits),
    Rule("users", f"unverified registrations {forgetting.KEPT.days} days", "nothing came of them", forgetting.forget_unverified),
)
"""Every table of which rows go."""

KEPT = {
    "ledger_entries": "the book (R2)",
    "balances": "the book's state, one row an account",
    "holds": "the book's state: a row lives as long as its call",
    "carried_charges": "what the audit of the book needs of dropped months; a few rows a month",
    "adjustments": "who gave or took credit, who approved",
    "credit_days": "closed days of the bookkeeping",
    "payments": "orders and what came of them",
    "payment_moves": "money as it moved at Stripe",
    "payment_refunds": "money that went back",
    "payment_disputes": "money that banks hold",
    "suspense_items": "money that fitted nothing, and what became of it",
    "staff_actions": "the audit log (R37)",
    "accounts": "books refer to them",
    "memberships": "who was in an account",
    "identities": "how people sign in, as long as they may",
    "second_factors": "how staff sign in, as long as they may",
    "recovery_codes": "the same",
    "account_notes": "what staff know of a customer",
    "alert_rules": "at most twenty an account",
    "alerts": "what a customer was told of their money, a row a crossing",
    "api_keys": "calls and statements name them",
    "notice_choices": "one row a person",
    "rate_limits": "one row an account",
    "request_counters": "one row an account",
    "limit_presets": "what staff choose from",
    "packs": "what is for sale",
    "bonus_tiers": "what is for sale",
    "upstreams": "calls name them",
    "models": "calls name them",
    "model_prices": "prices of each version explain charges (R7)",
    "price_versions": "the same",
    "pricing_rules": "the same",
    "told_prices": "one row a model: what customers were told last",
    "confirmations": "what operators confirmed",
    "job_runs": "one row a job: its last run",
    "clock_alarms": "one row an alarm: how often it was raised",
    "rollup_marks": "two rows: until when calls are in the sums, and until when months are",
    "dropped_months": "which months are not kept, one row a month",
    "usage_hours": "totals outlive the rows (R36)",
    "usage_latencies": "the same",
    "account_days": "the same",
    "account_months": "the same",
    "active_windows": "the same",
    "traffic_hours": "the same",
    "traffic_days": "the same",
    "traffic_totals": "the same",
    "supplier_models": "the upstream's bill, a row a day and model: evidence towards it",
    "supplier_days": "the same, a row a day",
    "supplier_items": "what differed, and what it was",
    "supplier_balances": "one row an upstream",
    "backup_proofs": "one row a backup that was proved",
    "webhook_endpoints": "deliveries name them, those that were removed too",
    "service_snapshots": "one row: the figures of the status page",
    "incidents": "what everybody was told",
    "incident_updates": "the same",
}
"""Every table of which no row goes, and why."""


def forget() -> Iterator[tuple[str, int]]:
    """Table by table, how many rows are gone now. One whose rows cannot go keeps no other's, and is raised at the end."""
    failed = []
    for rule in POLICY:
        if rule.forget is None:
            continue
        try:
            yield rule.table, rule.forget()
        except Exception as error:  # noqa: BLE001 - the other tables must not grow because of one
            failed.append(f"{rule.table}: {type(error).__name__}")
            log.error("rows_not_forgotten", table=rule.table, exc_info=True)
    if failed:
        raise RuntimeError(f"rows of {len(failed)} tables could not be forgotten: {', '.join(failed)}")

"""Conditions that are alarms for as long as they are so: each looked up from the rows that know, never remembered."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import text

from reseller.clock import day_start, now
from reseller.database import transaction
from reseller.domain import jobs, letters, proofs, supplier
from reseller.domain.payments import suspense
from reseller.domain.payments.suspense import Why
from reseller.money import display_usd, to_usd

Found = Mapping[str, Mapping[str, str]]
"""Alarm → subject → words; every alarm of a finder is there, also one that is so for nothing."""

PATIENCE = timedelta(minutes=10)
LONGEST_RUN = timedelta(hours=1)
INTERVALS = 3
TOLD_APART = frozenset({"watch letters", "verify ledger", "make partitions"})
"""Jobs whose failure is an alarm of its own."""
LEAST_LOSS_USD = Decimal("0.01")
"""Of a model and day: rounding and single odd calls are not worth waking anybody."""


def look() -> Found:
    """What is so now."""
    found: dict[str, Mapping[str, str]] = {}
    for look_at in FINDERS:
        found |= look_at()
    return found


def _jobs() -> Found:
    """Overdue by three intervals, or running for more than an hour; failing for three intervals."""
    at, stuck, failing = now(), {}, {}
    for job in jobs.all_jobs():
        patience = max(INTERVALS * (job.every or PATIENCE), PATIENCE)
        if job.holder is None and job.due_at is not None and job.due_at + patience < at:
            stuck[job.name] = f"due since {job.due_at:%H:%M} UTC, and no worker runs it"
        elif job.holder is not None and job.started_at is not None and job.started_at + LONGEST_RUN < at:
            stuck[job.name] = f"running since {job.started_at:%H:%M} UTC ({job.holder})"
        last_well = job.succeeded_at or job.started_at
        if job.last_error and job.name not in TOLD_APART and last_well is not None and last_well + patience < at:
            failing[job.name] = job.last_error
    return {"job_stuck": stuck, "job_failing": failing}


_QUARANTINED = text("SELECT slug, coalesce(status_reason, '') AS reason FROM models WHERE quarantined_at IS NOT NULL ORDER BY slug")


def _prices() -> Found:
    with transaction() as session:
        return {"price_quarantined": {row.slug: row.reason for row in session.execute(_QUARANTINED)}}


_ASIDE = text("SELECT kind, subject, words FROM suspense_items WHERE resolved_at IS NULL ORDER BY id LIMIT 500")


def _money() -> Found:
    waiting: dict[str, dict[str, str]] = defaultdict(dict, {f"payment_{why}": {} for why in Why})
    with transaction() as session:
        for kind, subject, words in session.execute(_ASIDE):
            waiting[f"payment_{kind}"][subject] = words
        stale = suspense.stale()
    return {**waiting, "suspense_stale": {"": f"{stale} wait"} if stale else {}}


def _letters() -> Found:
    trouble = letters.trouble()
    words = f"{trouble.given_up} given up, {trouble.refused} refused in two days; last: {trouble.error}"
    return {"letters_given_up": {"": words} if trouble.is_grave else {}}


_LOSSES = text(
    """SELECT model, (starts_at AT TIME ZONE 'UTC')::date AS day, sum(charge_nano) AS charge_nano, sum(cost_usd) AS cost_usd
         FROM traffic_hours WHERE starts_at >= :since AND NOT is_test
        GROUP BY 1, 2 HAVING sum(cost_usd) - sum(charge_nano) / 1e9 >= :least ORDER BY 1, 2"""
)


def _margins() -> Found:
    """Models of today and yesterday, in UTC."""
    since = day_start(now().date() - timedelta(days=1))
    with transaction() as session:
        rows = session.execute(_LOSSES, {"since": since, "least": LEAST_LOSS_USD}).all()
    return {
        "margin_negative": {
            f"{row.model}, {row.day}": f"charged {display_usd(to_usd(int(row.charge_nano)))}, cost {display_usd(row.cost_usd)}"
            for row in rows
        }
    }


_LOW = text("SELECT upstream, low_since FROM supplier_balances WHERE low_since IS NOT NULL")


def _supplier() -> Found:
    """What the upstream's own figures say, for as long as its rows do."""
    with transaction() as session:
        low = {row.upstream: f"low since {row.low_since:%-d %B, %H:%M} UTC" for row in session.execute(_LOW)}
    drift = {f"{item.upstream}, {item.day}": f"{item.drift_usd:f} of {item.told_usd:f} USD" for item in supplier.open_items()}
    return {"upstream_balance_low": low, "supplier_drift": drift}


def _backups() -> Found:
    """The newest backup that was proved is old. Whoever never proved one backs up in some other way."""
    proof = proofs.last()
    is_stale = proof is not None and proof.is_stale
    return {"backup_stale": {"": f"the newest proved backup is of {proof.taken_at:%Y-%m-%d %H:%M} UTC"} if proof and is_stale else {}}


FINDERS: tuple[Callable[[], Found], ...] = (_jobs, _prices, _money, _letters, _margins, _supplier, _backups)

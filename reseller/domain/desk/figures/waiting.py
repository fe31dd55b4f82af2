"""What waits for somebody of staff: one number each, from small indexes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from reseller.database import transaction
from reseller.domain import alarms, jobs
from reseller.domain.accounts import Account
from reseller.domain.jobs import JobState
from reseller.domain.ledger import Adjustment, AdjustmentState
from reseller.domain.payments import SuspenseItem, events
from reseller.domain.pricing import ModelPrice, PriceState
from reseller.domain.supplier import SupplierItem

PROOF = "verify ledger"


@dataclass(frozen=True, slots=True)
class Waiting:
    """`proof` is the job that proves the books; None before its first run."""

    alarms: int  # that nobody looks after
    adjustments: int
    quarantined: int
    halted: int
    suspense: int
    events: int  # of Stripe's, not in the books yet
    supplier: int  # days on which the upstream's bill differs from our books
    failing: tuple[str, ...]
    proof: JobState | None

    @property
    def proved_at(self) -> datetime | None:
        return self.proof.succeeded_at if self.proof else None


def waiting() -> Waiting:
    """What is to be decided or looked at now."""
    with transaction() as session:
        adjustments = session.scalar(select(func.count()).where(Adjustment.state == AdjustmentState.WAITING.value))
        quarantined = session.scalar(select(func.count()).where(ModelPrice.state == PriceState.QUARANTINED.value))
        halted = session.scalar(select(func.count()).where(Account.halted_at.is_not(None)))
        aside = session.scalar(select(func.count()).where(SuspenseItem.resolved_at.is_(None)))
        differing = session.scalar(select(func.count()).where(SupplierItem.resolved_at.is_(None)))
        states = jobs.all_jobs()
    failing = tuple(job.name for job in states if job.last_error)
    proof = next((job for job in states if job.name == PROOF), None)
    return Waiting(
        alarms.unacknowledged(),
        adjustments or 0,
        quarantined or 0,
        halted or 0,
        aside or 0,
        events.waiting(),
        differing or 0,
        failing,
        proof,
    )

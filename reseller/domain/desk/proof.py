"""What the last proof of the books said, and the accounts that stand still because of one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain import jobs
from reseller.domain.accounts import Account
from reseller.domain.jobs import JobState

VERIFY = "verify ledger"  # the job's name in the worker's schedule
HALTED_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Halted:
    account_id: UUID
    name: str
    halted_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`job` is None before a worker has run the proof for the first time."""

    job: JobState | None
    halted: tuple[Halted, ...]


def last_proof() -> Proof:
    """The state of the books as far as anybody has looked."""
    with transaction() as session:
        job = jobs.state_of(VERIFY)
        query = select(Account).where(Account.halted_at.is_not(None)).order_by(Account.halted_at.desc()).limit(HALTED_SHOWN)
        halted = [
            Halted(account.id, account.name, account.halted_at, account.halted_reason or "")
            for account in session.scalars(query)
            if account.halted_at is not None
        ]
    return Proof(job, tuple(halted))


def request_proof(*, actor: str, reason: str) -> None:
    """The next worker that looks proves the books. Raises as `jobs.request_run`."""
    jobs.request_run(VERIFY, actor=actor, reason=reason)

"""Holds that are open, with what they wait for: an answer under way, the cost of one that ended, or nobody any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.calls import processes
from reseller.domain.calls.processes import Process
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.ledger import Hold


class Waits(StrEnum):
    ANSWER = "answer"  # its process lives and the call is under way
    COST = "cost"  # the answer has ended; the upstream is asked what it cost
    RECOVERY = "recovery"  # its process is silent: the clock ends the call within a minute


@dataclass(frozen=True, slots=True)
class HoldLine:
    id: UUID  # the call's
    created_at: datetime
    age: timedelta
    account_id: UUID
    account_name: str
    model: str
    upstream: str
    amount_usd: Decimal
    is_test: bool
    waits_for: Waits
    process: str  # host and number, or that its row is gone
    chase_at: datetime | None  # when the upstream is asked next
    chase_attempts: int


def lines(holds: Sequence[Hold]) -> list[HoldLine]:
    """The holds in their order; two queries more, however many they are."""
    accounts = names_of_accounts(hold.account_id for hold in holds)
    with transaction() as session:
        found = session.execute(
            select(Process.id, Process.kind, Process.host, Process.pid, Process.beat_at).where(
                Process.id.in_({hold.process_id for hold in holds})
            )
        )
        known = {row.id: row for row in found}
    at = now()
    silent_since = at - timedelta(seconds=processes.SILENT_SECONDS)
    made = []
    for hold in holds:
        process = known.get(hold.process_id)
        # A worker begins no calls: it has taken this one over from a process that is gone.
        is_alive = process is not None and process.kind != "worker" and process.beat_at >= silent_since
        made.append(
            HoldLine(
                id=hold.id,
                created_at=hold.created_at,
                age=at - hold.created_at,
                account_id=hold.account_id,
                account_name=accounts.get(hold.account_id, str(hold.account_id)),
                model=hold.model,
                upstream=hold.upstream,
                amount_usd=hold.amount_usd,
                is_test=hold.is_test,
                waits_for=_waits_for(hold, is_alive=is_alive),
                process="gone" if process is None else f"{process.host}, process {process.pid}",
                chase_at=hold.chase_at,
                chase_attempts=hold.chase_attempts,
            )
        )
    return made


def _waits_for(hold: Hold, *, is_alive: bool) -> Waits:
    if hold.chase_at is not None:
        return Waits.COST
    return Waits.ANSWER if is_alive else Waits.RECOVERY

"""Ledger entries as staff read them: with the account's name and whoever posted them, never with hashes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.desk.actors import names_of
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.ledger import Adjustment, EntryKind, LedgerEntry

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LedgerLine:
    id: UUID
    created_at: datetime
    account_id: UUID
    account_name: str
    sequence: int  # 1, 2, 3 … within the account
    kind: str
    amount_usd: Decimal
    balance_after_usd: Decimal
    reference: str
    reason: str
    actor: str
    actor_name: str
    corrects_id: UUID | None
    adjustment_id: UUID | None  # the decision of staff behind it; None for one made on the command line

    @property
    def usage_day(self) -> date | None:
        """The UTC day whose charges this entry holds; None for any other entry."""
        return date.fromisoformat(self.reference.rpartition(":")[2]) if self.kind == EntryKind.USAGE else None


def lines(entries: Sequence[LedgerEntry]) -> list[LedgerLine]:
    """The entries in their order; three queries more at most, however many they are."""
    adjustments = _adjustments(entries)
    accounts = names_of_accounts(entry.account_id for entry in entries)
    actors = names_of(entry.actor for entry in entries)
    return [
        LedgerLine(
            id=entry.id,
            created_at=entry.created_at,
            account_id=entry.account_id,
            account_name=accounts[entry.account_id],
            sequence=entry.sequence,
            kind=entry.kind,
            amount_usd=entry.amount_usd,
            balance_after_usd=entry.balance_after_usd,
            reference=entry.reference,
            reason=entry.reason,
            actor=entry.actor,
            actor_name=actors[entry.actor],
            corrects_id=entry.corrects_id,
            adjustment_id=adjustments.get(entry.id),
        )
        for entry in entries
    ]


def _adjustments(entries: Sequence[LedgerEntry]) -> dict[UUID, UUID]:
    """Entry → the adjustment that it is about, whose id its reference is."""
    references = [entry.reference for entry in entries if entry.kind == EntryKind.ADJUSTMENT]
    wanted = {UUID(reference) for reference in references if _UUID.fullmatch(reference)}
    if not wanted:
        return {}
    with transaction() as session:
        found = session.execute(select(Adjustment.entry_id, Adjustment.id).where(Adjustment.id.in_(wanted)))
        return {entry_id: adjustment_id for entry_id, adjustment_id in found if entry_id is not None}

"""Ledger entries as staff read them: with the account's name and whoever posted them, never with hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from reseller.domain.desk.actors import names_of
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.ledger import EntryKind, LedgerEntry


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

    @property
    def usage_day(self) -> date | None:
        """The UTC day whose charges this entry holds; None for any other entry."""
        return date.fromisoformat(self.reference.rpartition(":")[2]) if self.kind == EntryKind.USAGE else None


def lines(entries: Sequence[LedgerEntry]) -> list[LedgerLine]:
    """The entries in their order; two queries more, however many they are."""
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
        )
        for entry in entries
    ]

"""The entries of one account as its people read them: page by page, newest first, without hashes and without names of staff."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from reseller.database import db, transaction
from reseller.domain.ledger.tables import Balance, EntryKind, LedgerEntry
from reseller.errors import NotFound
from reseller.money import ZERO_USD, to_nano

SLICE = 500


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry. `usage_day` is the UTC day whose charges it holds, if it holds any."""

    id: UUID
    sequence: int
    at: datetime
    kind: EntryKind
    amount_nano: int  # + is the customer's to spend
    balance_after_nano: int
    reference: str
    reason: str
    usage_day: date | None
    corrects_id: UUID | None

    @property
    def charged_nano(self) -> int:
        """What calls of the day were charged, positive; 0 for other kinds."""
        return -self.amount_nano if self.kind == EntryKind.USAGE else 0

    @property
    def balance_before_nano(self) -> int:
        return self.balance_after_nano - self.amount_nano


@dataclass(frozen=True, slots=True)
class Unposted:
    """Charges that no entry holds yet, and the balance after them: they become an entry when their day is over."""

    usage_day: date
    amount_nano: int  # negative
    balance_after_nano: int


def entries(account_id: UUID, *, kind: EntryKind | None = None, before: int | None = None, limit: int) -> list[EntryLine]:
    """At most so many entries before that place in the account's book, newest first; of one kind or of all."""
    query = select(LedgerEntry).where(LedgerEntry.account_id == account_id)
    if kind is not None:
        query = query.where(LedgerEntry.kind == kind)
    if before is not None:
        query = query.where(LedgerEntry.sequence < before)
    with transaction() as session:
        return [_line(row) for row in session.scalars(query.order_by(LedgerEntry.sequence.desc()).limit(limit))]


def all_entries(account_id: UUID, *, kind: EntryKind | None = None) -> Iterator[EntryLine]:
    """Every entry, newest first, read slice by slice: no transaction stays open between them."""
    before = None
    while found := entries(account_id, kind=kind, before=before, limit=SLICE):
        yield from found
        before = found[-1].sequence


def entry_of(account_id: UUID, entry_id: UUID) -> EntryLine:
    """One entry of this account. Raises NotFound for none, and for another account's (R23)."""
    with transaction() as session:
        row = session.get(LedgerEntry, entry_id)
        if row is None or row.account_id != account_id:
            raise NotFound("There is no such entry.")
        return _line(row)


def entries_for(account_id: UUID, kinds: Sequence[EntryKind], references: Sequence[str]) -> list[EntryLine]:
    """The account's entries of these kinds that something of one of these names has caused, the oldest first."""
    query = select(LedgerEntry).where(
        LedgerEntry.kind.in_(kinds), LedgerEntry.reference.in_(references), LedgerEntry.account_id == account_id
    )
    with transaction() as session:
        return [_line(row) for row in session.scalars(query.order_by(LedgerEntry.sequence))]


def last_taken(account_id: UUID, kinds: Sequence[EntryKind]) -> EntryLine | None:
    """The account's newest entry of these kinds that took something; None if there is none."""
    query = select(LedgerEntry).where(LedgerEntry.account_id == account_id, LedgerEntry.kind.in_(kinds), LedgerEntry.amount_usd < ZERO_USD)
    with transaction() as session:
        row = session.scalar(query.order_by(LedgerEntry.sequence.desc()).limit(1))
        return None if row is None else _line(row)


def unposted(account_id: UUID) -> Unposted | None:
    """What the running day has been charged so far; None if nothing."""
    balance = db.session.get(Balance, account_id, populate_existing=True)
    if balance is None or not balance.unposted_usd:
        return None
    return Unposted(balance.usage_day, -to_nano(balance.unposted_usd), to_nano(balance.settled_usd))


def _line(row: LedgerEntry) -> EntryLine:
    kind = EntryKind(row.kind)
    return EntryLine(
        id=row.id,
        sequence=row.sequence,
        at=row.created_at,
        kind=kind,
        amount_nano=to_nano(row.amount_usd),
        balance_after_nano=to_nano(row.balance_after_usd),
        reference=row.reference,
        reason=row.reason,
        usage_day=date.fromisoformat(row.reference.rpartition(":")[2]) if kind == EntryKind.USAGE else None,
        corrects_id=row.corrects_id,
    )

"""The only writer of ledger entries. An entry is appended and the balance moves in one commit.

Every verb here first locks the account's balance row, so per-account sequence and hash chain
have no gaps, and answers of two processes cannot interleave.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text

from reseller.clock import new_id, now
from reseller.database import db, transaction
from reseller.domain import outbox
from reseller.domain.ledger.tables import EntryKind, LedgerEntry
from reseller.errors import Conflict, InsufficientBalance, NotFound
from reseller.money import display_usd, format_nano, to_nano, to_usd

_REVERSALS = (EntryKind.REFUND, EntryKind.DISPUTE, EntryKind.BONUS)
"""What follows from money that went back moves all the same, below zero if need be (R3)."""

_LOCK = text("SELECT * FROM balances WHERE account_id = :account_id FOR UPDATE")
_INSERT = text(
    """INSERT INTO ledger_entries (id, account_id, sequence, kind, amount_nano, balance_after_nano, reference, reason,
                                   actor, corrects_id, previous_hash, entry_hash, created_at)
       VALUES (:id, :account_id, :sequence, :kind, :amount_nano, :balance_after_nano, :reference, :reason,
               :actor, :corrects_id, :previous_hash, :entry_hash, :created_at)"""
)
# The guard is the WHERE: without it, and without the CHECK behind it, two takers could both pass a read.
_MOVE = text(
    """UPDATE balances
          SET settled_nano = settled_nano + :amount_nano,
              reversal_floor_nano = CASE WHEN :is_reversal
                  THEN greatest(reversal_floor_nano, held_nano - settled_nano - :amount_nano)
                  ELSE greatest(least(reversal_floor_nano, held_nano - settled_nano - :amount_nano), 0) END,
              entry_count = :sequence, entries_nano = :balance_after_nano, last_hash = :entry_hash, updated_at = now()
        WHERE account_id = :account_id AND entry_count = :sequence - 1
          AND (:is_reversal OR :amount_nano > 0 OR settled_nano - held_nano + :amount_nano >= 0)"""
)
# The day moves on with the entry: if the clock goes back, later charges must not land on a day that is posted.
_POST_USAGE = text(
    """UPDATE balances
          SET unposted_nano = 0, usage_day = :today, entry_count = :sequence, entries_nano = :balance_after_nano, last_hash = :entry_hash
        WHERE account_id = :account_id AND entry_count = :sequence - 1 AND usage_day = :day"""
)


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry before it has its place in the account's chain."""

    account_id: UUID
    kind: EntryKind
    amount_nano: int
    reference: str
    actor: str
    reason: str = ""
    corrects_id: UUID | None = None


def post(draft: EntryDraft) -> LedgerEntry:
    """The entry exists and the balance has moved by its amount, once for each (kind, reference).

    Posting the same (kind, reference) again returns the first entry and moves nothing; a different
    amount or account under the same reference raises Conflict. Refunds and disputes may drive the
    balance below zero; anything else that would raises InsufficientBalance.
    If we die here: nothing happened, the caller repeats it with the same reference.
    """
    with transaction() as session:
        balance = _locked(draft.account_id)
        existing = session.scalar(select(LedgerEntry).where(LedgerEntry.kind == draft.kind, LedgerEntry.reference == draft.reference))
        if existing is not None:
            if existing.account_id != draft.account_id or to_nano(existing.amount_usd) != draft.amount_nano:
                raise Conflict(f"{draft.kind} {draft.reference} is already in the books with another amount or account")
            return existing
        row = chained(draft, balance["entry_count"], balance["entries_nano"], balance["last_hash"], now())
        moved = session.execute(_MOVE, {**row, "is_reversal": draft.kind in _REVERSALS})
        if moved.rowcount != 1:  # type: ignore[attr-defined]
            available = to_usd(balance["settled_nano"] - balance["held_nano"])
            raise InsufficientBalance(
                f"only {display_usd(available)} is available",
                available_usd=available,
                needed_usd=to_usd(-draft.amount_nano),
            )
        session.execute(_INSERT, row)
        if draft.amount_nano > 0:
            _tell_of_credit(draft, row["id"], balance["settled_nano"] + draft.amount_nano)
        return session.get_one(LedgerEntry, row["id"])


def _tell_of_credit(draft: EntryDraft, entry_id: UUID, settled_nano: int) -> None:
    outbox.announce(
        "balance.topped_up",
        draft.account_id,
        kind=str(draft.kind),
        entry_id=entry_id,
        added_usd=to_usd(draft.amount_nano),
        balance_usd=to_usd(settled_nano),
        reason=draft.reason,
    )


def post_usage_day(account_id: UUID, today: date) -> bool:
    """Charges of a day before `today` are one ledger entry; False if there was nothing to post.

    Settlement does the same by itself on the first charge of a new day; this is for
    accounts that went quiet.
    """
    with transaction() as session:
        balance = _locked(account_id)
        if balance["unposted_nano"] == 0 or balance["usage_day"] >= today:
            return False
        draft = usage_draft(account_id, balance["usage_day"], balance["unposted_nano"])
        row = chained(draft, balance["entry_count"], balance["entries_nano"], balance["last_hash"], now())
        session.execute(_POST_USAGE, {**row, "day": balance["usage_day"], "today": today})
        session.execute(_INSERT, row)
        return True


def usage_draft(account_id: UUID, day: date, charged_nano: int) -> EntryDraft:
    """The entry that holds one day's charges; its reference makes a second one for the same day impossible."""
    return EntryDraft(
        account_id=account_id,
        kind=EntryKind.USAGE,
        amount_nano=-charged_nano,
        reference=f"{account_id}:{day.isoformat()}",
        actor="system:settlement",
        reason=f"Usage of {day.isoformat()}",
    )


def chained(draft: EntryDraft, entry_count: int, entries_nano: int, last_hash: str, at: datetime) -> dict[str, Any]:
    """The row of an entry that follows the given end of the account's chain."""
    row: dict[str, Any] = {
        "id": new_id(at),  # so that the order of ids is that of the books, in a replayed history too
        "account_id": draft.account_id,
        "sequence": entry_count + 1,
        "kind": str(draft.kind),
        "amount_nano": draft.amount_nano,
        "balance_after_nano": entries_nano + draft.amount_nano,
        "reference": draft.reference,
        "reason": draft.reason,
        "actor": draft.actor,
        "corrects_id": draft.corrects_id,
        "previous_hash": last_hash,
        "created_at": at,
    }
    row["entry_hash"] = hash_of(row)
    return row


def hash_of(row: dict[str, Any]) -> str:
    """SHA-256 over the previous hash and every fact of the entry, in one fixed order."""
    facts = (
        row["previous_hash"], row["id"], row["account_id"], row["sequence"], row["kind"], row["amount_nano"],
        row["balance_after_nano"], row["reference"], row["reason"], row["actor"], row["corrects_id"],
        row["created_at"].astimezone(UTC).isoformat(),
    )  # fmt: skip
    return hashlib.sha256("\x1f".join(str(fact) for fact in facts).encode()).hexdigest()


def grant(account_id: UUID, amount_usd: Decimal, *, reason: str, actor: str, reference: str | None = None) -> LedgerEntry:
    """The account has this much more (or less) by a decision of staff. Raises InsufficientBalance below zero."""
    if not reason.strip():
        raise Conflict("an adjustment needs a reason")
    amount_nano = to_nano(amount_usd)
    if amount_nano == 0:
        raise Conflict("an adjustment of nothing is no adjustment")
    return post(EntryDraft(account_id, EntryKind.ADJUSTMENT, amount_nano, reference or str(new_id()), actor, reason=reason.strip()))


def _locked(account_id: UUID) -> RowMapping:
    row = db.session.execute(_LOCK, {"account_id": account_id}).mappings().first()
    if row is None:
        raise NotFound(f"no account {account_id}")
    return row


@dataclass(frozen=True, slots=True)
class BalanceNow:
    """An account's money at one instant, in nano-dollars."""

    settled_nano: int
    held_nano: int
    open_calls: int

    @property
    def available_nano(self) -> int:
        return self.settled_nano - self.held_nano

    def as_json(self) -> dict[str, str]:
        return {
            "balance": format_nano(self.settled_nano),
            "held": format_nano(self.held_nano),
            "available": format_nano(self.available_nano),
            "currency": "USD",
        }


def balance_locked(account_id: UUID) -> BalanceNow:
    """What the account has, and goes on having until the caller's transaction changes it or ends. Raises NotFound."""
    row = _locked(account_id)
    return BalanceNow(row["settled_nano"], row["held_nano"], row["open_calls"])


def balance_now(account_id: UUID) -> BalanceNow:
    """What the account has. Raises NotFound."""
    row = db.session.execute(
        text("SELECT settled_nano, held_nano, open_calls FROM balances WHERE account_id = :account_id"), {"account_id": account_id}
    ).first()
    if row is None:
        raise NotFound(f"no account {account_id}")
    return BalanceNow(*row)

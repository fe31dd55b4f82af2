"""Balances, ledger entries and holds: the only tables that say what is owed to whom.

Written by `ledger/posting.py`, and by the admission and settlement
commits of `calls`, which apply the same guards set by set. Money is integers of nano-dollars.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified
from reseller.money import Usd

GENESIS = "0" * 64


class EntryKind(StrEnum):
    TOP_UP = "top_up"  # money the customer paid in; positive
    USAGE = "usage"  # one day's charges of settled calls; negative
    BONUS = "bonus"  # credit on top of a top-up: positive; what goes back with its payment: negative
    REFUND = "refund"  # money given back: negative; a refund that failed: positive
    DISPUTE = "dispute"  # withdrawn: negative, reinstated: positive
    ADJUSTMENT = "adjustment"  # a decision of staff; either sign


class Balance(Base):
    """One row an account. available = settled − held.

    `unposted` is the part of today's charges that no ledger entry holds yet, so that
    settled + unposted = Σ entries at every commit (promise R1).
    """

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("held_nano >= 0 AND open_calls >= 0 AND unposted_nano >= 0", name="counts_not_negative"),
        # Below zero only as far as refunds and disputes drove it (R3).
        CheckConstraint("settled_nano - held_nano + reversal_floor_nano >= 0", name="no_overspend"),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    settled_usd: Mapped[Decimal] = mapped_column("settled_nano", Usd, default=Decimal(0))
    held_usd: Mapped[Decimal] = mapped_column("held_nano", Usd, default=Decimal(0))  # Σ open holds
    open_calls: Mapped[int] = mapped_column(default=0)  # number of open holds
    reversal_floor_usd: Mapped[Decimal] = mapped_column("reversal_floor_nano", Usd, default=Decimal(0))
    usage_day: Mapped[date] = mapped_column(Date, default=lambda: now().date())  # the day `unposted` belongs to
    unposted_usd: Mapped[Decimal] = mapped_column("unposted_nano", Usd, default=Decimal(0))
    entry_count: Mapped[int] = mapped_column(BigInteger, default=0)
    entries_usd: Mapped[Decimal] = mapped_column("entries_nano", Usd, default=Decimal(0))  # Σ entries: the last balance_after
    last_hash: Mapped[str] = mapped_column(Text, default=GENESIS)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class LedgerEntry(Identified, Created, Base):
    """Append-only: a trigger refuses UPDATE, DELETE and TRUNCATE (promise R2)."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("kind", "reference"),
        UniqueConstraint("account_id", "sequence"),
        CheckConstraint("kind IN ('top_up', 'bonus', 'usage', 'refund', 'dispute', 'adjustment')", name="kind_known"),
        CheckConstraint("amount_nano <> 0", name="amount_not_zero"),
        CheckConstraint("kind <> 'top_up' OR amount_nano > 0", name="top_up_positive"),
        CheckConstraint("kind <> 'usage' OR amount_nano < 0", name="usage_negative"),
        # Payments, refunds, disputes and adjustments among very many days of usage.
        Index("ix_ledger_entries_money", "id", postgresql_where="kind <> 'usage'"),
        Index(
            "ix_ledger_entries_paid_in",
            "account_id",
            "created_at",
            postgresql_include=["amount_nano"],
            postgresql_where="kind IN ('top_up', 'refund', 'dispute')",
        ),
        Index("ix_ledger_entries_payments", "created_at", postgresql_where="kind IN ('top_up', 'refund', 'dispute')"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    sequence: Mapped[int] = mapped_column(BigInteger)  # 1, 2, 3 … within the account
    kind: Mapped[str] = mapped_column(Text)
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # the customer's side: + is theirs to spend
    balance_after_usd: Mapped[Decimal] = mapped_column("balance_after_nano", Usd)  # Σ entries up to this one
    reference: Mapped[str] = mapped_column(Text)  # what caused it; unique within a kind
    reason: Mapped[str] = mapped_column(Text, default="")  # shown to the customer
    actor: Mapped[str] = mapped_column(Text)
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))
    previous_hash: Mapped[str] = mapped_column(Text)
    entry_hash: Mapped[str] = mapped_column(Text)  # SHA-256 over previous_hash and the fields above


class Hold(Base):
    """Money reserved for one call in flight. A row exists while the hold is open; leaving `open` is its deletion.

    It carries all that is needed to end the call without the process that began it: the price
    terms of admission (R7), the owner's heartbeat row (R11), the upstream's generation id (R10).
    No foreign keys: each insert would look up again what the same commit has just read under
    lock; the audit names orphans instead.
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount_nano >= 0 AND key_nano >= 0", name="amounts_not_negative"),
        Index("ix_holds_account_id", "account_id"),
        Index("ix_holds_process_id", "process_id"),
        Index("ix_holds_chase_at", "chase_at", postgresql_where="chase_at IS NOT NULL"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)  # the call's id
    account_id: Mapped[UUID]
    api_key_id: Mapped[UUID]
    process_id: Mapped[UUID]
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)
    key_usd: Mapped[Decimal] = mapped_column("key_nano", Usd)  # the part counted in the key's own held
    created_at: Mapped[datetime]
    endpoint: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    upstream: Mapped[str] = mapped_column(Text)
    is_test: Mapped[bool]
    price_version: Mapped[int] = mapped_column(BigInteger)
    rule_id: Mapped[UUID | None]
    markup_percent: Mapped[Decimal] = mapped_column(Numeric)
    min_cost_usd: Mapped[Decimal] = mapped_column("min_cost_nano", Usd)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)  # the bound that was held for
    request_metadata: Mapped[dict[str, Any]] = mapped_column(JSONB)
    generation_id: Mapped[str | None] = mapped_column(Text)
    # Set when the answer has ended and its cost is not known yet: what to book when it is.
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    chase_at: Mapped[datetime | None]
    chase_attempts: Mapped[int] = mapped_column(default=0)

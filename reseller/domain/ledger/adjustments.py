"""Credit and debit by staff: a reason, a cap for each role and day, and a different person above it (promise R25)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified
from reseller.money import Usd


class AdjustmentState(StrEnum):
    WAITING = "waiting"  # above the requester's cap; somebody else decides
    POSTED = "posted"  # in the ledger
    REJECTED = "rejected"


class Adjustment(Identified, Created, Base):
    """`id` is the nonce of the form that asked, so a form sent twice moves money once."""

    __tablename__ = "adjustments"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'posted', 'rejected')", name="state_known"),
        CheckConstraint("amount_nano <> 0", name="amount_not_zero"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> requested_by_id OR entry_id IS NULL", name="approved_by_another"),
        CheckConstraint("(state = 'posted') = (entry_id IS NOT NULL)", name="posted_has_entry"),
        Index("ix_adjustments_waiting", "created_at", postgresql_where="state = 'waiting'"),
        Index("ix_adjustments_requested_by_id_created_at", "requested_by_id", "created_at"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # + is the customer's to spend
    reason: Mapped[str] = mapped_column(Text)  # shown to the customer
    state: Mapped[str] = mapped_column(Text)
    requested_by_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # None: within the requester's own cap, or waiting
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str] = mapped_column(Text, default="")
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))

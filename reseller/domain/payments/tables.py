"""Payments and what became of them; the events that told us; and what nobody could place.

A payment is our own order: what Stripe says is held against it (promise R18). Written by the verbs of this folder alone.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned
from reseller.money import ZERO_USD, Usd


class PaymentStatus(StrEnum):
    OPEN = "open"  # the customer has not paid yet
    PROCESSING = "processing"  # the customer has done their part; the bank has not
    EXPIRED = "expired"  # nobody paid in time
    FAILED = "failed"  # the bank said no, or the page to pay at could not be opened
    PAID = "paid"  # credited, for good; what comes back is in refunds and disputes


class RefundStatus(StrEnum):
    ASKED = "asked"  # by us; Stripe has not confirmed it yet
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the money came back to us
    CANCELED = "canceled"
    REFUSED = "refused"  # Stripe did not take it

    @property
    def is_returned(self) -> bool:
        """Whether the money is with the customer, or on its way there."""
        return self in (RefundStatus.ASKED, RefundStatus.PENDING, RefundStatus.SUCCEEDED)


DISPUTES_OVER = ("won", "lost", "warning_closed", "prevented")
"""Stripe's words for a dispute in which nothing moves any more (docs.stripe.com/api/disputes/object, `status`)."""


class MoveKind(StrEnum):
    """Why money of a payment moved at Stripe."""

    PAYMENT = "payment"
    FEE = "fee"
    REFUND = "refund"
    DISPUTE = "dispute"
    DISPUTE_FEE = "dispute_fee"


class EventState(StrEnum):
    RECEIVED = "received"  # not applied yet
    APPLIED = "applied"
    IGNORED = "ignored"  # not about a payment of ours


class Pack(Identified, Created, Versioned, Base):
    """An amount of credit that is offered with one click."""

    __tablename__ = "packs"
    __table_args__ = (
        UniqueConstraint("amount_nano"),
        CheckConstraint("amount_nano > 0 AND amount_nano % 10000000 = 0", name="whole_cents"),
    )

    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)
    label: Mapped[str] = mapped_column(Text, default="")  # beside the amount, such as "most chosen"
    is_offered: Mapped[bool] = mapped_column(default=True)


class BonusTier(Identified, Created, Versioned, Base):
    """From this amount on, so much more credit on top."""

    __tablename__ = "bonus_tiers"
    __table_args__ = (
        UniqueConstraint("from_nano"),
        CheckConstraint("bonus_percent > 0 AND bonus_percent <= 100", name="percent_possible"),
    )

    from_usd: Mapped[Decimal] = mapped_column("from_nano", Usd)
    bonus_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Payment(Identified, Created, Base):
    """One order of credit. `id` is what Stripe is told as our reference.

    What has been taken back so far stands beside it, so that each new fact moves only the difference.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'processing', 'expired', 'failed', 'paid')", name="status_known"),
        CheckConstraint("amount_nano > 0 AND amount_nano % 10000000 = 0 AND bonus_nano >= 0", name="amounts_possible"),
        CheckConstraint(
            "taken_by_refunds_nano >= 0 AND taken_by_disputes_nano >= 0 AND taken_bonus_nano BETWEEN 0 AND bonus_nano"
            " AND taken_by_refunds_nano + taken_by_disputes_nano <= amount_nano",
            name="never_more_than_granted",
        ),
        CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name="paid_has_time"),
        Index("ix_payments_account_id_id", "account_id", "id"),
        Index("ix_payments_unsettled", "id", postgresql_where="status IN ('open', 'processing')"),
        Index("ix_payments_paid_at", "paid_at", postgresql_where="paid_at IS NOT NULL"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # who buys; None for one that was found at Stripe alone
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # without tax: what is credited
    bonus_usd: Mapped[Decimal] = mapped_column("bonus_nano", Usd, default=ZERO_USD)  # credited on top
    status: Mapped[str] = mapped_column(Text, default=PaymentStatus.OPEN)
    paid_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]  # when Stripe was last asked because somebody waited
    session_id: Mapped[str | None] = mapped_column(Text, unique=True)  # this and the next five: Stripe's names
    intent_id: Mapped[str | None] = mapped_column(Text, unique=True)
    charge_id: Mapped[str | None] = mapped_column(Text, index=True)
    customer_id: Mapped[str | None] = mapped_column(Text)
    checkout_url: Mapped[str | None] = mapped_column(Text)
    receipt_url: Mapped[str | None] = mapped_column(Text)
    invoice_url: Mapped[str | None] = mapped_column(Text)
    total_usd: Mapped[Decimal | None] = mapped_column("total_nano", Usd)  # with tax: what was taken from the customer
    fee_usd: Mapped[Decimal | None] = mapped_column("fee_nano", Usd)  # what Stripe kept of it; None: not known yet
    taken_by_refunds_usd: Mapped[Decimal] = mapped_column("taken_by_refunds_nano", Usd, default=ZERO_USD)
    taken_by_disputes_usd: Mapped[Decimal] = mapped_column("taken_by_disputes_nano", Usd, default=ZERO_USD)
    taken_bonus_usd: Mapped[Decimal] = mapped_column("taken_bonus_nano", Usd, default=ZERO_USD)
    reversals: Mapped[int] = mapped_column(default=0)  # entries that took or gave back

    @property
    def whole_usd(self) -> Decimal:
        """What the customer has paid or is to pay, with tax as far as it is known."""
        return self.amount_usd if self.total_usd is None else self.total_usd


class PaymentRefund(Identified, Created, Base):
    """Money given back, by us or in Stripe's own pages. Our id is the idempotency key."""

    __tablename__ = "payment_refunds"
    __table_args__ = (
        CheckConstraint("status IN ('asked', 'pending', 'succeeded', 'failed', 'canceled', 'refused')", name="status_known"),
        CheckConstraint("amount_nano > 0", name="amount_positive"),
        Index("ix_payment_refunds_asked", "id", postgresql_where="status = 'asked'"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    refund_id: Mapped[str | None] = mapped_column(Text, unique=True)  # Stripe's
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # with tax
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(Text)


class PaymentMove(Identified, Created, Base):
    """Money of a payment that moved at Stripe, as it was booked: never changed, so that a month that is over stays as it was.

    `credit_usd` is the part of it that the ledger has as entries of the same payment, bonuses aside; what is neither credit nor tax
    is a fee, or lost (a payment that went back twice).
    """

    __tablename__ = "payment_moves"
    __table_args__ = (
        CheckConstraint("kind IN ('payment', 'fee', 'refund', 'dispute', 'dispute_fee')", name="kind_known"),
        CheckConstraint("credit_nano = 0 AND tax_nano = 0 OR kind IN ('payment', 'refund', 'dispute')", name="fees_are_fees"),
        Index("ix_payment_moves_created_at", "created_at"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(Text)
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)  # positive: to us
    credit_usd: Mapped[Decimal] = mapped_column("credit_nano", Usd, default=ZERO_USD)
    tax_usd: Mapped[Decimal] = mapped_column("tax_nano", Usd, default=ZERO_USD)


class PaymentDispute(Identified, Created, Base):
    """A payment that the customer's bank questions. What it holds back now is `withdrawn`."""

    __tablename__ = "payment_disputes"
    __table_args__ = (CheckConstraint("withdrawn_nano >= 0 AND movements >= 0", name="amounts_possible"),)

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    dispute_id: Mapped[str] = mapped_column(Text, unique=True)  # Stripe's
    amount_usd: Mapped[Decimal] = mapped_column("amount_nano", Usd)
    withdrawn_usd: Mapped[Decimal] = mapped_column("withdrawn_nano", Usd, default=ZERO_USD)
    fee_usd: Mapped[Decimal] = mapped_column("fee_nano", Usd, default=ZERO_USD)
    movements: Mapped[int] = mapped_column(default=0)  # of money so far: who knows more of them knows better
    status: Mapped[str] = mapped_column(Text)  # Stripe's word
    reason: Mapped[str] = mapped_column(Text, default="")
    evidence_due_at: Mapped[datetime | None]


class StripeEvent(Base):
    """What Stripe has told us, as it came. Stored before anything is done about it."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint("state IN ('received', 'applied', 'ignored')", name="state_known"),
        Index("ix_stripe_events_received_at", "received_at"),
        Index("ix_stripe_events_unapplied", "received_at", postgresql_where="state = 'received'"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)  # Stripe's
    type: Mapped[str] = mapped_column(Text)
    is_live: Mapped[bool]
    happened_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(default=now)
    handled_at: Mapped[datetime | None]  # last tried, whatever came of it
    state: Mapped[str] = mapped_column(Text, default=EventState.RECEIVED)
    payment_id: Mapped[UUID | None] = mapped_column(index=True)
    problem: Mapped[str] = mapped_column(Text, default="")  # why it is not applied yet
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)  # the object it is about


class SuspenseItem(Identified, Created, Base):
    """Money or news of money that does not fit anything of ours: nothing was credited, and somebody has to look (R18)."""

    __tablename__ = "suspense_items"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index("ix_suspense_items_open", "id", postgresql_where="resolved_at IS NULL"),
    )

    kind: Mapped[str] = mapped_column(Text)  # see suspense.Why
    subject: Mapped[str] = mapped_column(Text)  # Stripe's id of what it is about
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"))
    event_id: Mapped[str | None] = mapped_column(Text)
    amount_usd: Mapped[Decimal | None] = mapped_column("amount_nano", Usd)
    words: Mapped[str] = mapped_column(Text)  # what does not fit
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(Text)
    resolution: Mapped[str] = mapped_column(Text, default="")

"""What Stripe says of a payment, as far as the books need it. Amounts are dollars; Stripe's cents end in its client.

Facts may come in any order, twice, or late: whoever learns them keeps the one that is further on (promise R17).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


def is_usd(currency: str) -> bool:
    """Whether amounts in it are dollars; Stripe writes currencies in small letters."""
    return currency.lower() == "usd"


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A Checkout Session. `amount_usd` is what was ordered, `total_usd` what the customer pays, with `tax_usd` of tax in it.

    `bonus_usd` and `mark` are as we wrote them into it (see `own_orders`).
    """

    session_id: str
    payment_id: UUID | None  # as it was opened with; None if it is none of ours
    account_id: UUID | None
    status: str
    payment_status: str
    amount_usd: Decimal
    total_usd: Decimal
    currency: str
    is_live: bool
    created_at: datetime
    tax_usd: Decimal = Decimal(0)
    bonus_usd: Decimal | None = None
    mark: str | None = None
    intent_id: str | None = None
    customer_id: str | None = None
    invoice_url: str | None = None
    has_failed: bool = False  # an event said that the bank refused it after all

    @property
    def is_paid(self) -> bool:
        """Money is there; `complete` alone says only that the customer has done their part."""
        return self.payment_status == "paid"

    @property
    def is_usd(self) -> bool:
        """Whether its amounts are dollars."""
        return is_usd(self.currency)

    @property
    def paid_in_usd(self) -> Decimal | None:
        """The money that came; None where it is not dollars."""
        return self.total_usd if self.is_usd else None


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """`our_id` is that of the row which asked for it, None for one that was made in Stripe's pages."""

    refund_id: str
    amount_usd: Decimal
    currency: str
    status: str
    created_at: datetime
    our_id: UUID | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """`withdrawn_usd`: what the bank holds back now, after `movements` movements of money."""

    dispute_id: str
    amount_usd: Decimal
    currency: str
    status: str
    movements: int
    withdrawn_usd: Decimal
    created_at: datetime
    fee_usd: Decimal = Decimal(0)
    reason: str = ""
    evidence_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MoneySeen:
    """What became of a payment's money. Fields that are None are not known to whoever tells."""

    intent_id: str
    charge_id: str | None = None
    receipt_url: str | None = None
    fee_usd: Decimal | None = None
    refunds: tuple[RefundSeen, ...] = ()
    disputes: tuple[DisputeSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class StraySeen:
    """Money that came without a Checkout Session: not by us."""

    intent_id: str
    amount_usd: Decimal
    currency: str

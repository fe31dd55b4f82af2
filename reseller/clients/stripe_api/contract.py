"""What we ask of Stripe, what we learn from it, and how it fails. Values only; amounts are Decimal dollars, instants aware UTC.

    StripeTrouble
    ├── StripeDown       no answer, or none that means anything: asking again later may help
    ├── StripeRefused    it understood and said no: asking again will not help
    │   └── Unreadable   what came lacks what Stripe's reference promises
    └── NotGenuine       an event that nobody with our secret signed just now

An amount stands for dollars only where `currency` is "usd"; elsewhere it is a hundredth of Stripe's integer, and whoever reads facts
compares the currency first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

MISSING = "resource_missing"
"""The code of a refusal because Stripe knows no such thing (docs.stripe.com/error-codes): it was made in the other mode, or with another
account's keys."""


class StripeTrouble(Exception):
    """Whatever goes wrong with Stripe."""


class StripeDown(StripeTrouble):
    """No answer, or none that means anything: network, timeout, 5xx, 429, a lock (409), an unknown key. Asking again later may help."""


class StripeRefused(StripeTrouble):
    """Stripe understood and said no. `message` is fit for staff; `code` and `param` are Stripe's (docs.stripe.com/error-codes)."""

    def __init__(self, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Unreadable(StripeRefused):
    """An object that lacks what Stripe's reference promises. `subject`: its id, where one of several is told of."""

    subject: str = ""


class NotGenuine(StripeTrouble):
    """Not an event of Stripe's, or too old or too new to be believed. The message names no secret and no signature."""


@dataclass(frozen=True, slots=True)
class CheckoutWanted:
    """A checkout page for one order. The two urls are where the browser goes afterwards; what became of the money they never tell."""

    payment_id: UUID
    account_id: UUID
    amount_usd: Decimal
    bonus_usd: Decimal  # travels along, so that an order which a restored database forgot can be made anew
    mark: str  # ours, of the four above
    product_name: str
    email: str
    customer_id: str | None  # Stripe's; None makes a new one
    success_url: str
    cancel_url: str
    collect_tax_id: bool
    automatic_tax: bool
    create_invoice: bool
    expires_at: datetime  # 30 minutes to 24 hours from now


@dataclass(frozen=True, slots=True)
class CheckoutOpened:
    """Where the customer pays."""

    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A checkout session as Stripe tells it; `payment_status` "paid" alone means money."""

    session_id: str
    status: str  # open, complete, expired
    payment_status: str  # unpaid, paid, no_payment_required
    payment_id: UUID | None  # ours; None if the session carries none, or two that differ
    account_id: UUID | None
    bonus_usd: Decimal | None  # as it was opened with; this and the mark mean something only together
    mark: str | None
    amount_usd: Decimal  # what the order is about, before tax and discounts
    total_usd: Decimal  # what the customer pays
    tax_usd: Decimal
    currency: str
    is_live: bool
    intent_id: str | None
    customer_id: str | None
    invoice_url: str | None  # where the invoice is part of the object, which it is not in events
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """One refund. Its money is on the way back unless `status` is failed or canceled."""

    refund_id: str
    intent_id: str | None
    amount_usd: Decimal
    currency: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    reason: str | None
    metadata_id: UUID | None  # ours; None for a refund made in Stripe's dashboard
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """One dispute. `net_withdrawn_usd` is what the bank holds of the payment at present, fees aside."""

    dispute_id: str
    intent_id: str | None
    amount_usd: Decimal
    currency: str
    status: str
    reason: str | None
    movements: int  # balance transactions so far: of two tellings, the one with more is the later
    net_withdrawn_usd: Decimal
    fee_usd: Decimal
    evidence_due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MoneyFacts:
    """What became of a payment's money."""

    intent_id: str
    status: str
    received_usd: Decimal
    currency: str
    charge_id: str | None
    receipt_url: str | None
    fee_usd: Decimal | None  # None until Stripe has booked the charge, and where it does not say what its currency is worth
    refunds: tuple[RefundFacts, ...]
    disputes: tuple[DisputeFacts, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """An event that Stripe signed. `body` is the object as it was when the event was made, not as it is now."""

    event_id: str
    type: str
    is_live: bool
    created_at: datetime
    body: Mapping[str, Any] = field(repr=False)
    account: str | None  # of a connected account; None is our own

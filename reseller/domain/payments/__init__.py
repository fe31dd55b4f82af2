"""Money in, exactly once, and back out: orders, what Stripe says of them, refunds, disputes, and what fits nothing.

A door asks Stripe and tells here what it heard; whatever it was, and in whatever order, the books end the same (R17–R20).
"""

from reseller.domain.payments import deferred, events, pack_changes, packs, refunds, suspense, topups
from reseller.domain.payments.audit import mismatches
from reseller.domain.payments.booking import BACK_REASONS
from reseller.domain.payments.facts import DisputeSeen, MoneySeen, RefundSeen, SessionSeen, StraySeen
from reseller.domain.payments.learning import Learned, learn_money, learn_session, learn_stray
from reseller.domain.payments.own_orders import OwnOrders, own_orders_of
from reseller.domain.payments.tables import (
    BonusTier,
    EventState,
    MoveKind,
    Pack,
    Payment,
    PaymentDispute,
    PaymentMove,
    PaymentRefund,
    PaymentStatus,
    RefundStatus,
    StripeEvent,
    SuspenseItem,
)

__all__ = [
    "BACK_REASONS", "BonusTier", "DisputeSeen", "EventState", "Learned", "MoneySeen", "MoveKind", "OwnOrders", "Pack",
    "Payment", "PaymentDispute", "PaymentMove", "PaymentRefund", "PaymentStatus", "RefundSeen", "RefundStatus", "SessionSeen", "StraySeen",
    "StripeEvent", "SuspenseItem", "deferred", "events", "learn_money", "learn_session", "learn_stray", "mismatches",
    "own_orders_of", "pack_changes", "packs", "refunds", "suspense", "topups",
]  # fmt: skip

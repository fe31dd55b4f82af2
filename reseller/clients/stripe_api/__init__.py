"""Stripe, which takes the money: checkout pages, what was paid, refunds, disputes, and events in Stripe's name.

The only place that imports stripe, and the only one where cents exist: outside it, money is Decimal dollars. Knows no order, no
account and no table of ours beyond the ids that we let Stripe carry. No exception of the SDK's leaves it.
"""

from reseller.clients.stripe_api.api import StripeApi
from reseller.clients.stripe_api.contract import (
    MISSING,
    CheckoutOpened,
    CheckoutWanted,
    DisputeFacts,
    Event,
    MoneyFacts,
    NotGenuine,
    RefundFacts,
    SessionFacts,
    StripeDown,
    StripeRefused,
    StripeTrouble,
    Unreadable,
)
from reseller.clients.stripe_api.reading import dispute_in, intent_id_in, refund_in, session_in

__all__ = [
    "MISSING",
    "CheckoutOpened",
    "CheckoutWanted",
    "DisputeFacts",
    "Event",
    "MoneyFacts",
    "NotGenuine",
    "RefundFacts",
    "SessionFacts",
    "StripeApi",
    "StripeDown",
    "StripeRefused",
    "StripeTrouble",
    "Unreadable",
    "dispute_in",
    "intent_id_in",
    "refund_in",
    "session_in",
]

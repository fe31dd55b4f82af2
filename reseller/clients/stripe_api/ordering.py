"""What we ask for, in Stripe's words. Pure.

Source: docs.stripe.com/api/checkout/sessions/create and docs.stripe.com/api/refunds/create, version 2026-10-28.
"""

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from reseller.clients.stripe_api.cents import cents_of
from reseller.clients.stripe_api.contract import CheckoutWanted
from reseller.money import format_decimal

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
"""The only ones that Stripe takes; other words travel as metadata."""
MAX_METADATA_CHARACTERS = 500  # docs.stripe.com/api/metadata


def checkout_params(wanted: CheckoutWanted) -> "SessionCreateParams":
    """A session for the order. Raises ValueError for a fraction of a cent.

    Whatever the account's default is, it is paid in dollars: with adaptive pricing refunds and disputes would be in the customer's
    currency (docs.stripe.com/payments/currencies/localize-prices/adaptive-pricing, 2026-10).
    Our ids go on the session and on the payment intent, because metadata is not handed down (docs.stripe.com/metadata).
    """
    carried = {"payment_id": str(wanted.payment_id), "account_id": str(wanted.account_id)}
    order = {**carried, "bonus_usd": format_decimal(wanted.bonus_usd), "mark": wanted.mark}
    params: SessionCreateParams = {
        "mode": "payment",
        "adaptive_pricing": {"enabled": False},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": "usd",
                    "unit_amount": cents_of(wanted.amount_usd),
                    "product_data": {"name": wanted.product_name},
                    "tax_behavior": "exclusive",
                },
            }
        ],
        "client_reference_id": str(wanted.payment_id),
        "metadata": order,
        "payment_intent_data": {"metadata": carried},
        "success_url": wanted.success_url,
        "cancel_url": wanted.cancel_url,
        "expires_at": int(wanted.expires_at.timestamp()),
        "tax_id_collection": {"enabled": wanted.collect_tax_id},
        "automatic_tax": {"enabled": wanted.automatic_tax},
        "invoice_creation": {"enabled": wanted.create_invoice},
    }
    if wanted.customer_id is None:
        params["customer_email"] = wanted.email
        params["customer_creation"] = "always"
    else:
        params["customer"] = wanted.customer_id
        _let_update(params, wanted)
    return params


def _let_update(params: "SessionCreateParams", wanted: CheckoutWanted) -> None:
    """A customer who is known lacks what only the page asks for; Stripe refuses the session unless the page may keep it.

    Source: docs.stripe.com/tax/checkout/tax-ids ("Existing customers") and docs.stripe.com/tax/checkout ("customer_update"), 2026-10.
    """
    if wanted.collect_tax_id or wanted.automatic_tax:
        params["customer_update"] = {"name": "auto", "address": "auto"}


def refund_params(refund_id: UUID, intent_id: str, amount_usd: Decimal, reason: str) -> "RefundCreateParams":
    """A refund that carries our id. Raises ValueError for a fraction of a cent."""
    params: RefundCreateParams = {
        "payment_intent": intent_id,
        "amount": cents_of(amount_usd),
        "metadata": {"refund_id": str(refund_id)},
    }
    if reason in REASONS:
        params["reason"] = reason
    elif reason:
        params["metadata"] = {"refund_id": str(refund_id), "reason": reason[:MAX_METADATA_CHARACTERS]}
    return params

"""Orders for tests of the Stripe client, and what a browser does with them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from reseller.clients.stripe_api import CheckoutWanted, StripeApi
from reseller.clock import new_id, now
from tests.fakes.stripe import FakeStripe

BACK = "https://shop.example/billing"


def order(**changes: Any) -> CheckoutWanted:
    """An order of 25 dollars by somebody new."""
    usual = CheckoutWanted(
        payment_id=new_id(),
        account_id=new_id(),
        amount_usd=Decimal(25),
        bonus_usd=Decimal("2.50"),
        mark="a mark",
        product_name="Example credit",
        email="ann@example.com",
        customer_id=None,
        success_url=f"{BACK}/back?session={{CHECKOUT_SESSION_ID}}",
        cancel_url=f"{BACK}/left",
        collect_tax_id=False,
        automatic_tax=False,
        create_invoice=False,
        expires_at=now() + timedelta(hours=1),
    )
    return replace(usual, **changes)


def paid(stripe: StripeApi, fake: FakeStripe, **changes: Any) -> tuple[CheckoutWanted, str, str]:
    """An order that is paid by card: itself, its session and its intent."""
    wanted = order(**changes)
    session = fake.pay(stripe.open_checkout(wanted).session_id)
    return wanted, session["id"], session["payment_intent"]

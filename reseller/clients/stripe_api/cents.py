"""Cents, which exist nowhere else. Pure.

Source: docs.stripe.com/currencies, "Minor units in API amounts", 2026-10: amounts are integers in the currency's smallest unit.
"""

from decimal import Decimal
from typing import Any


def cents_of(amount_usd: Decimal) -> int:
    """The same amount in cents. Raises ValueError for a fraction of a cent, and for what is no amount to ask for."""
    if not isinstance(amount_usd, Decimal) or not amount_usd.is_finite() or amount_usd <= 0:
        raise ValueError(f"not an amount to ask for: {amount_usd!r}")
    cents = int(amount_usd * 100)
    if Decimal(cents) != amount_usd * 100:
        raise ValueError(f"a fraction of a cent: {amount_usd}")
    return cents


def usd_of(cents: Any) -> Decimal:
    """The same amount in dollars. Raises ValueError for anything but an integer."""
    if not isinstance(cents, int) or isinstance(cents, bool):
        raise ValueError("an amount of Stripe's is an integer")
    return Decimal(cents).scaleb(-2)

"""Stripe's objects as its API tells them, new and untouched. Pure but for their ids. Source: docs.stripe.com/api, version 2026-10-28."""

import secrets
from typing import Any

Made = dict[str, Any]
SESSION_FIELDS = {
    "mode", "line_items", "client_reference_id", "metadata", "payment_intent_data", "success_url", "cancel_url", "expires_at", "expand",
    "adaptive_pricing",
    "tax_id_collection", "automatic_tax", "invoice_creation", "customer", "customer_email", "customer_creation", "customer_update",
}  # fmt: skip
REFUND_FIELDS = {"payment_intent", "charge", "amount", "metadata", "reason", "expand"}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def of_kind(kind: str, prefix: str, created: int, is_live: bool, **fields: Any) -> Made:
    return {"id": new_id(prefix), "object": kind, "created": created, "livemode": is_live, **fields}


def fee_of(cents: int) -> int:
    """2.9 % and 30 cents (stripe.com/pricing), rounded half up."""
    return (cents * 29 + 500) // 1000 + 30


def movement(created: int, kind: str, cents: int, fee: int, source: str, currency: str = "usd") -> Made:
    """A balance transaction."""
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": cents,
        "created": created,
        "currency": currency,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{"amount": fee, "currency": currency, "type": "stripe_fee", "description": "Stripe processing fees"}]
        if fee
        else [],
        "net": cents - fee,
        "source": source,
        "status": "pending",
        "type": kind,
    }


def charge(created: int, is_live: bool, intent: Made, *, is_card: bool, base_url: str) -> Made:
    made = of_kind("charge", "ch", created, is_live)
    return made | {
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "captured": True,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "metadata": dict(intent["metadata"]),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method_details": {"type": "card" if is_card else "us_bank_account"},
        "receipt_url": f"{base_url}/receipts/{made['id']}",
        "refunded": False,
        "status": "pending",
    }


def intent(created: int, is_live: bool, cents: int, currency: str, customer: str | None, metadata: dict[str, str]) -> Made:
    return of_kind(
        "payment_intent",
        "pi",
        created,
        is_live,
        amount=cents,
        amount_received=0,
        currency=currency,
        customer=customer,
        latest_charge=None,
        last_payment_error=None,
        metadata=metadata,
        status="requires_payment_method",
    )


def refund(created: int, paid: Made, cents: int, metadata: dict[str, str], reason: str | None) -> Made:
    """Refunds carry no livemode."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": cents,
        "balance_transaction": None,
        "charge": paid["id"],
        "created": created,
        "currency": paid["currency"],
        "metadata": metadata,
        "payment_intent": paid["payment_intent"],
        "reason": reason,
        "status": "succeeded",
    }


def dispute(created: int, is_live: bool, paid: Made, cents: int) -> Made:
    return of_kind(
        "dispute",
        "dp",
        created,
        is_live,
        amount=cents,
        balance_transactions=[],
        charge=paid["id"],
        currency=paid["currency"],
        evidence_details={"due_by": created + 9 * 86_400, "has_evidence": False, "past_due": False, "submission_count": 0},
        is_charge_refundable=False,
        metadata={},
        payment_intent=paid["payment_intent"],
        reason="fraudulent",
        status="needs_response",
    )


def event(created: int, is_live: bool, kind: str, body: Made, api_version: str) -> Made:
    return of_kind(
        "event",
        "evt",
        created,
        is_live,
        api_version=api_version,
        data={"object": body},
        pending_webhooks=1,
        request={"id": None, "idempotency_key": None},
        type=kind,
    )

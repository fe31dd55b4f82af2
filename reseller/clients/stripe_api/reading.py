"""Facts out of Stripe's objects, whether an answer or an event brought them. Pure: nobody is asked.

Source: docs.stripe.com/api (checkout/sessions/object, payment_intents/object, charges/object, refunds/object, disputes/object,
balance_transactions/object), version 2026-10-28. A field that is an id may be the expanded object instead ("Expanding responses").
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from reseller.clients.stripe_api.cents import usd_of
from reseller.clients.stripe_api.contract import DisputeFacts, MoneyFacts, RefundFacts, SessionFacts, Unreadable
from reseller.money import ZERO_USD, parse_usd

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""What JSON can say and PostgreSQL cannot keep: NUL, and half a pair of surrogates."""

Object = Mapping[str, Any]
P = ParamSpec("P")
R = TypeVar("R")


def _or_unreadable(read: Callable[P, R]) -> Callable[P, R]:
    """What is not as the reference says is Unreadable, and named by its kind alone."""

    @wraps(read)
    def reader(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            raise Unreadable(f"Stripe tells {read.__name__} what we cannot read: {type(error).__name__}", "unreadable") from None

    return reader


@_or_unreadable
def session_in(body: Object) -> SessionFacts:
    """The session's facts. One that sells nothing has no amounts; they read as zero, which is no order's amount. Raises Unreadable."""
    metadata = body.get("metadata") or {}
    invoice = body.get("invoice")
    total = _amount(body.get("amount_total"))
    return SessionFacts(
        session_id=_text(body["id"]),
        status=body.get("status") or "",
        payment_status=body.get("payment_status") or "",
        payment_id=_one(body.get("client_reference_id"), metadata.get("payment_id")),
        account_id=uuid_of(metadata.get("account_id")),
        bonus_usd=_bonus(metadata.get("bonus_usd")),
        mark=_said(metadata.get("mark")),
        amount_usd=_amount(body.get("amount_subtotal")),
        total_usd=total,
        tax_usd=_amount((body.get("total_details") or {}).get("amount_tax")),
        currency=body.get("currency") or "",
        is_live=body.get("livemode") is True,
        intent_id=id_of(body.get("payment_intent")),
        customer_id=id_of(body.get("customer")),
        invoice_url=invoice.get("hosted_invoice_url") if isinstance(invoice, Mapping) else None,
        created_at=instant(body["created"]),
    )


@_or_unreadable
def refund_in(body: Object) -> RefundFacts:
    """The refund's facts. Raises Unreadable."""
    metadata = body.get("metadata") or {}
    return RefundFacts(
        refund_id=_text(body["id"]),
        intent_id=id_of(body.get("payment_intent")),
        amount_usd=usd_of(body["amount"]),
        currency=_text(body["currency"]),
        status=body.get("status") or "pending",
        reason=metadata.get("reason") or body.get("reason"),
        metadata_id=uuid_of(metadata.get("refund_id")),
        created_at=instant(body["created"]),
    )


@_or_unreadable
def dispute_in(body: Object) -> DisputeFacts:
    """The dispute's facts. Raises Unreadable.

    `balance_transactions` lists none, one or two: money withdrawn (a negative amount), then reinstated. They are in the currency that
    Stripe pays us in; where that is not the dispute's, the rate differs from one to the other, and the last says where the money is.
    """
    moved = sorted(body.get("balance_transactions") or [], key=lambda each: each.get("created") or 0)
    currency = _text(body["currency"])
    amount = usd_of(body["amount"])
    net = -sum((usd_of(each["amount"]) for each in moved), ZERO_USD)
    if any(each["currency"] != currency for each in moved):
        net = amount if usd_of(moved[-1]["amount"]) < 0 else ZERO_USD
    due = (body.get("evidence_details") or {}).get("due_by")
    return DisputeFacts(
        dispute_id=_text(body["id"]),
        intent_id=id_of(body.get("payment_intent")),
        amount_usd=amount,
        currency=currency,
        status=_text(body["status"]),
        reason=body.get("reason"),
        movements=len(moved),
        net_withdrawn_usd=max(net, ZERO_USD),
        fee_usd=sum((_fee(each, currency) or ZERO_USD for each in moved), ZERO_USD),
        evidence_due_at=None if due is None else instant(due),
        created_at=instant(body["created"]),
    )


@_or_unreadable
def money_in(intent: Object, refunds: tuple[RefundFacts, ...], disputes: tuple[DisputeFacts, ...]) -> MoneyFacts:
    """The facts of an intent whose `latest_charge.balance_transaction` is expanded. Raises Unreadable."""
    charge = intent.get("latest_charge")
    details: Object = charge if isinstance(charge, Mapping) else {}
    booked = details.get("balance_transaction")
    return MoneyFacts(
        intent_id=_text(intent["id"]),
        status=_text(intent["status"]),
        received_usd=_amount(intent.get("amount_received")),
        currency=_text(intent["currency"]),
        charge_id=id_of(charge),
        receipt_url=details.get("receipt_url"),
        fee_usd=_fee(booked, _text(intent["currency"])) if isinstance(booked, Mapping) else None,
        refunds=refunds,
        disputes=disputes,
    )


def intent_id_in(type_: str, body: Object) -> str | None:
    """The payment intent that an event of this type is about; None if it is about none."""
    return id_of(body.get("id") if type_.startswith("payment_intent.") else body.get("payment_intent"))


def id_of(value: Any) -> str | None:
    """The id, given as such or as the object that has it."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def uuid_of(value: Any) -> UUID | None:
    """An id of ours as we write it; None for anything else."""
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and str(found) == value else None


def instant(seconds: Any) -> datetime:
    """Seconds since 1970 as an aware instant. Raises ValueError."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise ValueError("an instant of Stripe's is an integer")
    return datetime.fromtimestamp(seconds, UTC)


def storable(value: Any) -> Any:
    """The same without characters and numbers that PostgreSQL's JSON has not."""
    match value:
        case str():
            return _NO_TEXT.sub("\ufffd", value)
        case dict():
            return {storable(name): storable(inner) for name, inner in value.items()}
        case list():
            return [storable(inner) for inner in value]
        case float():
            return value if math.isfinite(value) else None
    return value


def _one(*values: Any) -> UUID | None:
    """The id that all of those say which say anything."""
    said = {value for value in values if value is not None}
    return uuid_of(said.pop()) if len(said) == 1 else None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def _amount(value: Any) -> Decimal:
    return ZERO_USD if value is None else usd_of(value)


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _bonus(value: Any) -> Decimal | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_usd(value)
    except ValueError:
        return None


def _fee(booked: Object, currency: str) -> Decimal | None:
    """What Stripe kept of a movement whose object is in this currency; None if nobody says what it is worth in it.

    "If money was converted from currency A to currency B, then the amount in A, times exchange_rate, would be the amount in B"
    (docs.stripe.com/api/balance_transactions/object, `exchange_rate`).
    """
    fee = usd_of(booked["fee"])
    if booked["currency"] == currency:
        return fee
    rate = booked.get("exchange_rate")
    return None if not rate else (fee / Decimal(str(rate))).quantize(fee)

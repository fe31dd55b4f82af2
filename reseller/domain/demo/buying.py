"""Payments of the past as rows: what the product itself would have written of them, fees and all. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from reseller.domain.demo.replay import Bought, History
from reseller.domain.demo.traffic import id_at
from reseller.domain.ledger import EntryKind
from reseller.domain.payments import MoveKind, PaymentStatus, RefundStatus
from reseller.domain.payments.packs import CENT
from reseller.domain.payments.topups import INVENTED
from reseller.money import NANO, to_nano

CARD_PERCENT, CARD_FIXED_USD, DISPUTE_FEE_USD = Decimal("2.9"), Decimal("0.30"), Decimal(15)
PAYING = timedelta(seconds=95)
_BACK = {EntryKind.REFUND: MoveKind.REFUND, EntryKind.DISPUTE: MoveKind.DISPUTE}
Row = dict[str, Any]


def paid_rows(history: History, user_id: UUID) -> dict[str, list[Row]]:
    """By table: the account's payments, all by this person, with what went back and how money moved."""
    found: dict[str, list[Row]] = {"payments": [], "payment_refunds": [], "payment_disputes": [], "payment_moves": []}
    for bought in history.bought:
        found["payments"].append(_payment(history, bought, user_id))
        found["payment_moves"] += _moves(history, bought)
        found["payment_refunds"] += _refunds(history, bought)
        found["payment_disputes"] += _disputes(history, bought)
    return found


def _fee_nano(bought: Bought) -> int:
    fee = bought.amount_usd * CARD_PERCENT / 100 + CARD_FIXED_USD
    return to_nano(fee.quantize(CENT, ROUND_HALF_UP))


def _taken_nano(bought: Bought, kind: EntryKind) -> int:
    return -sum(usd for _, its_kind, usd in bought.back if its_kind == kind) * NANO


def _payment(history: History, bought: Bought, user_id: UUID) -> Row:
    amount = bought.amount_usd * NANO
    return {
        "id": bought.payment_id,
        "account_id": history.account_id,
        "user_id": user_id,
        "amount_nano": amount,
        "bonus_nano": 0,
        "status": PaymentStatus.PAID,
        "paid_at": bought.at,
        "expires_at": bought.at + timedelta(hours=2),
        "session_id": f"{INVENTED}{bought.payment_id.hex[-20:]}",
        "intent_id": f"pi_demo_{bought.payment_id.hex[-20:]}",
        "charge_id": f"ch_demo_{bought.payment_id.hex[-20:]}",
        "total_nano": amount,
        "fee_nano": _fee_nano(bought),
        "taken_by_refunds_nano": _taken_nano(bought, EntryKind.REFUND),
        "taken_by_disputes_nano": _taken_nano(bought, EntryKind.DISPUTE),
        "taken_bonus_nano": 0,
        "reversals": len(bought.back),
        "created_at": bought.at - PAYING,
    }


def _moves(history: History, bought: Bought) -> Iterator[Row]:
    amount = bought.amount_usd * NANO
    yield _move(history, bought, bought.at, MoveKind.PAYMENT, amount, amount)
    yield _move(history, bought, bought.at, MoveKind.FEE, -_fee_nano(bought), 0)
    for at, kind, usd in bought.back:
        yield _move(history, bought, at, _BACK[kind], usd * NANO, usd * NANO)
        if kind == EntryKind.DISPUTE and usd < 0:
            yield _move(history, bought, at, MoveKind.DISPUTE_FEE, -to_nano(DISPUTE_FEE_USD), 0)


def _move(history: History, bought: Bought, at: datetime, kind: MoveKind, amount_nano: int, credit_nano: int) -> Row:
    return {**_of(history, bought, at), "kind": kind, "amount_nano": amount_nano, "credit_nano": credit_nano, "tax_nano": 0}


def _refunds(history: History, bought: Bought) -> Iterator[Row]:
    for at, kind, usd in bought.back:
        if kind == EntryKind.REFUND:
            yield {
                **_of(history, bought, at),
                "refund_id": f"re_demo_{bought.payment_id.hex[-20:]}",
                "amount_nano": -usd * NANO,
                "status": RefundStatus.SUCCEEDED,
                "reason": "Bought twice by mistake",
                "actor": "system:demo",
            }


def _disputes(history: History, bought: Bought) -> Iterator[Row]:
    of_disputes = [(at, usd) for at, kind, usd in bought.back if kind == EntryKind.DISPUTE]
    if of_disputes:
        left = -sum(usd for _, usd in of_disputes) * NANO
        yield {
            **_of(history, bought, of_disputes[0][0]),
            "dispute_id": f"dp_demo_{bought.payment_id.hex[-20:]}",
            "amount_nano": -of_disputes[0][1] * NANO,
            "withdrawn_nano": left,
            "fee_nano": to_nano(DISPUTE_FEE_USD),
            "movements": len(of_disputes),
            "status": "needs_response" if left else "won",
            "reason": "fraudulent",
            "evidence_due_at": of_disputes[0][0] + timedelta(days=9),
        }


def _of(history: History, bought: Bought, at: datetime) -> Row:
    return {"id": id_at(at, history.chance), "created_at": at, "payment_id": bought.payment_id, "account_id": history.account_id}

"""Rows of a payment as far on as Stripe says. Called under the lock of the payment's row; nothing is booked here.

Facts may come in any order: what is further on wins, and stays.
"""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.domain.payments.facts import DisputeSeen, RefundSeen, SessionSeen, is_usd
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.payments.tables import DISPUTES_OVER, Payment, PaymentDispute, PaymentRefund, PaymentStatus, RefundStatus
from reseller.domain.payments.taken import taken_of
from reseller.money import ZERO_USD, to_nano, to_usd

STRIPE = "system:stripe"
_FURTHER = {
    RefundStatus.ASKED: 0, RefundStatus.REFUSED: 0, RefundStatus.PENDING: 1, RefundStatus.SUCCEEDED: 2, RefundStatus.FAILED: 3,
    RefundStatus.CANCELED: 3,
}  # fmt: skip
"""A refund only moves on: one that failed was perhaps said to have succeeded before. What Stripe has made after all it has not refused."""

_WAYS = {
    PaymentStatus.OPEN: 0, PaymentStatus.PROCESSING: 1, PaymentStatus.EXPIRED: 2, PaymentStatus.FAILED: 2, PaymentStatus.PAID: 3,
}  # fmt: skip


def keep_session(payment: Payment, seen: SessionSeen) -> None:
    """The order is as far on as its session."""
    payment.session_id = seen.session_id
    payment.intent_id = payment.intent_id or seen.intent_id
    payment.customer_id = seen.customer_id or payment.customer_id
    payment.invoice_url = seen.invoice_url or payment.invoice_url
    status = _status_of(seen)
    if _WAYS[status] > _WAYS[PaymentStatus(payment.status)]:
        payment.status = status
    if payment.status == PaymentStatus.PAID and payment.paid_at is None:
        payment.paid_at = now()
        payment.total_usd = seen.total_usd


def keep_refund(session: Session, payment: Payment, seen: RefundSeen, event_id: str | None) -> None:
    """The refund's row, made now if it came from elsewhere, is as far on as was seen."""
    row = session.scalar(select(PaymentRefund).where(PaymentRefund.refund_id == seen.refund_id))
    if row is None and seen.our_id is not None:
        asked = session.get(PaymentRefund, seen.our_id)
        row = asked if asked is not None and asked.payment_id == payment.id and asked.refund_id is None else None
    status = RefundStatus.PENDING if seen.status not in list(RefundStatus) else RefundStatus(seen.status)
    amount_usd = seen.amount_usd
    if not is_usd(seen.currency):
        amount_usd = _feared(session, payment, seen.refund_id, seen.currency, event_id) if row is None else row.amount_usd
        if not amount_usd:
            return
    if row is None:
        row = PaymentRefund(
            payment_id=payment.id,
            account_id=payment.account_id,
            amount_usd=amount_usd,
            status=status,
            reason=seen.reason,
            actor=STRIPE,
            created_at=seen.created_at,
        )
        session.add(row)
    row.refund_id, row.amount_usd = seen.refund_id, amount_usd
    if _FURTHER[status] > _FURTHER[RefundStatus(row.status)]:
        row.status = status
    session.flush()


def keep_dispute(session: Session, payment: Payment, seen: DisputeSeen, event_id: str | None) -> None:
    """The dispute's row, made now if it is new, is as far on as was seen."""
    row = session.scalar(select(PaymentDispute).where(PaymentDispute.dispute_id == seen.dispute_id))
    amount_usd, withdrawn_usd = seen.amount_usd, seen.withdrawn_usd
    if not is_usd(seen.currency):
        amount_usd = _feared(session, payment, seen.dispute_id, seen.currency, event_id) if row is None else row.amount_usd
        withdrawn_usd = amount_usd if withdrawn_usd else ZERO_USD
    if row is None:
        row = PaymentDispute(
            payment_id=payment.id,
            account_id=payment.account_id,
            dispute_id=seen.dispute_id,
            amount_usd=amount_usd,
            status=seen.status,
            movements=0,
            created_at=seen.created_at,
        )
        session.add(row)
    is_news = seen.movements > row.movements or (seen.movements == row.movements and row.status not in DISPUTES_OVER)
    if is_news:
        row.withdrawn_usd, row.movements, row.fee_usd = withdrawn_usd, seen.movements, seen.fee_usd
        row.status, row.reason, row.evidence_due_at = seen.status, seen.reason, seen.evidence_due_at
    session.flush()


def _status_of(seen: SessionSeen) -> PaymentStatus:
    if seen.is_paid:
        return PaymentStatus.PAID
    if seen.has_failed:
        return PaymentStatus.FAILED
    if seen.status == "expired":
        return PaymentStatus.EXPIRED
    return PaymentStatus.PROCESSING if seen.status == "complete" else PaymentStatus.OPEN


def _feared(session: Session, payment: Payment, subject: str, currency: str, event_id: str | None) -> Decimal:
    """All that is left of the payment, since nobody here knows what another currency is worth; somebody is asked to look."""
    taken = taken_of(session, payment)
    words = f"Money of this payment went back in {currency.upper()[:10]}: all that was left of it was taken until somebody has looked."
    put_aside(Aside(Why.UNKNOWN_MONEY, subject, words, payment.id, event_id=event_id))
    return to_usd(max(to_nano(payment.whole_usd) - taken.refunded - taken.disputed, 0))

"""What Stripe says of a payment is known and in the books. From events, from looking, from reconciling: always by these two verbs."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.accounts import Account
from reseller.domain.payments.booking import book
from reseller.domain.payments.facts import USD, DisputeSeen, MoneySeen, RefundSeen, SessionSeen, StraySeen
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.payments.tables import Payment, PaymentDispute, PaymentRefund, PaymentStatus, RefundStatus
from reseller.money import display_usd

STRIPE = "system:stripe"
_FURTHER = {
    RefundStatus.ASKED: 0, RefundStatus.REFUSED: 0, RefundStatus.PENDING: 1, RefundStatus.SUCCEEDED: 2, RefundStatus.FAILED: 3,
    RefundStatus.CANCELED: 3,
}  # fmt: skip
"""A refund only moves on: one that failed was perhaps said to have succeeded before. What Stripe has made after all it has not refused."""

_WAYS = {
    PaymentStatus.OPEN: 0, PaymentStatus.PROCESSING: 1, PaymentStatus.EXPIRED: 2, PaymentStatus.FAILED: 2, PaymentStatus.PAID: 3,
}  # fmt: skip


def learn_session(seen: SessionSeen, *, expects_live: bool, event_id: str | None = None) -> UUID | None:
    """The payment that this session is for is as far on as the session says, once; its id, or None if it is none of ours.

    Paid money that does not fit the order is put aside and credits nothing.
    """
    with transaction() as session:
        payment = _of_session(session, seen)
        if payment is None:
            if seen.is_paid:
                words = "A Checkout Session was paid that belongs to no order of ours."
                put_aside(Aside(Why.FOREIGN, seen.session_id, words, amount_usd=seen.amount_usd, event_id=event_id))
            return None
        misfit = _misfit(payment, seen, expects_live)
        if misfit is not None:
            if seen.is_paid:
                why, words = misfit
                put_aside(Aside(why, seen.session_id, words, payment.id, seen.amount_usd, event_id))
            return payment.id
        _keep(payment, seen)
        session.flush()
        book(session, payment)
        return payment.id


def learn_money(seen: MoneySeen, *, event_id: str | None = None) -> UUID | None:
    """Refunds, disputes and fees of the payment are as far on as this says; its id, or None if it is none of ours."""
    with transaction() as session:
        payment = _of_money(session, seen)
        if payment is None:
            return None
        payment.intent_id = payment.intent_id or seen.intent_id
        payment.charge_id = seen.charge_id or payment.charge_id
        payment.receipt_url = seen.receipt_url or payment.receipt_url
        payment.fee_usd = payment.fee_usd if seen.fee_usd is None else seen.fee_usd
        for refund in seen.refunds:
            if _is_ours_to_book(refund.currency, refund.refund_id, payment, event_id):
                _keep_refund(session, payment, refund)
        for dispute in seen.disputes:
            if _is_ours_to_book(dispute.currency, dispute.dispute_id, payment, event_id):
                _keep_dispute(session, payment, dispute)
        session.flush()
        book(session, payment)
        return payment.id


def learn_stray(seen: StraySeen, *, event_id: str | None = None) -> None:
    """Somebody looks at this money; nothing is credited."""
    words = f"A payment in {seen.currency.upper()[:10]} was made at Stripe that belongs to no order of ours."
    amount_usd = seen.amount_usd if seen.currency.lower() == USD else None
    put_aside(Aside(Why.FOREIGN, seen.intent_id, words, amount_usd=amount_usd, event_id=event_id))


def _of_session(session: Session, seen: SessionSeen) -> Payment | None:
    """The order, locked. One that a restored database has forgotten is made anew: only we could have opened the session with its id."""
    if seen.payment_id is None:
        return None
    payment = session.get(Payment, seen.payment_id, with_for_update=True, populate_existing=True)
    if payment is not None or seen.account_id is None or not seen.is_paid or not seen.amount_usd:
        return payment
    if session.get(Account, seen.account_id) is None:
        return None
    found = Payment(
        id=seen.payment_id, account_id=seen.account_id, amount_usd=seen.amount_usd, session_id=seen.session_id, created_at=seen.created_at
    )
    session.add(found)
    session.flush()
    return found


def _of_money(session: Session, seen: MoneySeen) -> Payment | None:
    """The order, locked: by the intent if it is known with it, else by the id that the intent was made with."""
    by_intent = session.scalar(select(Payment).where(Payment.intent_id == seen.intent_id).with_for_update())
    if by_intent is not None or seen.payment_id is None:
        return by_intent
    payment = session.get(Payment, seen.payment_id, with_for_update=True, populate_existing=True)
    return payment if payment is None or payment.intent_id is None else None


def _misfit(payment: Payment, seen: SessionSeen, expects_live: bool) -> tuple[Why, str] | None:
    """Why the session cannot be for this order; None if it can."""
    if seen.is_live != expects_live:
        return Why.WRONG_MODE, f"{'Live' if seen.is_live else 'Test'} money for an order of {'live' if expects_live else 'test'} mode."
    if seen.currency.lower() != USD:
        return Why.WRONG_CURRENCY, f"Paid in {seen.currency.upper()[:10]}, ordered in USD."
    if seen.amount_usd is not None and seen.amount_usd != payment.amount_usd:
        return Why.WRONG_AMOUNT, f"Paid {display_usd(seen.amount_usd)}, ordered {display_usd(payment.amount_usd)}."
    if seen.is_paid and seen.amount_usd is None:
        return Why.WRONG_AMOUNT, f"Paid an amount that Stripe does not name, ordered {display_usd(payment.amount_usd)}."
    if payment.session_id not in (None, seen.session_id):
        return Why.WRONG_SESSION, f"The order was opened with {payment.session_id}."
    if seen.intent_id is not None and payment.intent_id not in (None, seen.intent_id):
        return Why.WRONG_SESSION, f"The order was paid with {payment.intent_id}."
    return None


def _keep(payment: Payment, seen: SessionSeen) -> None:
    payment.session_id = seen.session_id
    payment.intent_id = payment.intent_id or seen.intent_id
    payment.customer_id = seen.customer_id or payment.customer_id
    payment.invoice_url = seen.invoice_url or payment.invoice_url
    status = _status_of(seen)
    if _WAYS[status] > _WAYS[PaymentStatus(payment.status)]:
        payment.status = status
    if payment.status == PaymentStatus.PAID and payment.paid_at is None:
        payment.paid_at = now()
        payment.total_usd = seen.total_usd or seen.amount_usd


def _status_of(seen: SessionSeen) -> PaymentStatus:
    if seen.is_paid:
        return PaymentStatus.PAID
    if seen.has_failed:
        return PaymentStatus.FAILED
    if seen.status == "expired":
        return PaymentStatus.EXPIRED
    return PaymentStatus.PROCESSING if seen.status == "complete" else PaymentStatus.OPEN


def _is_ours_to_book(currency: str, subject: str, payment: Payment, event_id: str | None) -> bool:
    if currency.lower() == USD:
        return True
    words = f"Money of this payment went back in {currency.upper()[:10]}; nothing was booked for it."
    put_aside(Aside(Why.UNKNOWN_MONEY, subject, words, payment.id, event_id=event_id))
    return False


def _keep_refund(session: Session, payment: Payment, seen: RefundSeen) -> None:
    """The refund's row, made now if it came from elsewhere, is as far on as was seen."""
    row = session.scalar(select(PaymentRefund).where(PaymentRefund.refund_id == seen.refund_id))
    if row is None and seen.our_id is not None:
        asked = session.get(PaymentRefund, seen.our_id)
        row = asked if asked is not None and asked.payment_id == payment.id and asked.refund_id is None else None
    status = RefundStatus.PENDING if seen.status not in list(RefundStatus) else RefundStatus(seen.status)
    if row is None:
        row = PaymentRefund(
            payment_id=payment.id,
            account_id=payment.account_id,
            amount_usd=seen.amount_usd,
            status=status,
            reason=seen.reason,
            actor=STRIPE,
            created_at=seen.created_at,
        )
        session.add(row)
    row.refund_id, row.amount_usd = seen.refund_id, seen.amount_usd
    if _FURTHER[status] > _FURTHER[RefundStatus(row.status)]:
        row.status = status


def _keep_dispute(session: Session, payment: Payment, seen: DisputeSeen) -> None:
    row = session.scalar(select(PaymentDispute).where(PaymentDispute.dispute_id == seen.dispute_id))
    if row is None:
        row = PaymentDispute(
            payment_id=payment.id,
            account_id=payment.account_id,
            dispute_id=seen.dispute_id,
            amount_usd=seen.amount_usd,
            status=seen.status,
            movements=0,
            created_at=seen.created_at,
        )
        session.add(row)
    is_news = seen.movements > row.movements or (seen.movements == row.movements and not _is_over(row.status))
    if is_news:
        row.withdrawn_usd, row.movements, row.fee_usd = seen.withdrawn_usd, seen.movements, seen.fee_usd
        row.status, row.reason, row.evidence_due_at = seen.status, seen.reason, seen.evidence_due_at


def _is_over(status: str) -> bool:
    return status in ("won", "lost", "warning_closed", "prevented")

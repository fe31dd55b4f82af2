"""Money back to a customer by staff: first the credit is taken, then Stripe is asked. If Stripe says no, the credit returns (R19)."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain import ledger, staff
from reseller.domain.payments.booking import book
from reseller.domain.payments.packs import CENT
from reseller.domain.payments.tables import Payment, PaymentDispute, PaymentRefund, PaymentStatus, RefundStatus
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import ZERO_USD, display_usd, format_decimal, to_usd

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Refundable:
    """What could go back of a payment, in dollars.

    `most_usd`: what has not gone back yet. `unspent_usd`: the part of it whose credit is still there; more than that makes the
    account owe us. `spent_usd`: credit of this payment and others that calls have used or hold.
    """

    total_usd: Decimal
    returned_usd: Decimal
    disputed_usd: Decimal
    most_usd: Decimal
    unspent_usd: Decimal
    spent_usd: Decimal


@dataclass(frozen=True, slots=True)
class Asked:
    """What Stripe is to be asked: `refund_id` is the idempotency key."""

    refund_id: UUID
    payment_id: UUID
    intent_id: str
    amount_usd: Decimal
    reason: str


def refundable(payment_id: UUID) -> Refundable:
    """What could go back now. Raises NotFound."""
    with transaction() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise NotFound("There is no such payment.")
        return _refundable(payment)


def ask(refund_id: UUID, payment_id: UUID, amount_usd: Decimal, *, actor: str, reason: str) -> Asked:
    """The credit is taken, and the refund waits to be told to Stripe. `refund_id` is the form's nonce: sent twice, it is one refund.

    Raises InvalidRequest for an amount or reason that will not do, NotFound, Conflict for a payment that cannot be refunded.
    """
    words = reason.strip()
    if not words or len(words) > MAX_REASON_CHARACTERS:
        raise InvalidRequest(f"Say why, in at most {MAX_REASON_CHARACTERS} characters.", param="reason")
    with transaction() as session:
        payment = session.get(Payment, payment_id, with_for_update=True, populate_existing=True)
        if payment is None:
            raise NotFound("There is no such payment.")
        known = session.get(PaymentRefund, refund_id)
        if known is not None:
            return _same(known, payment, amount_usd)
        if payment.status != PaymentStatus.PAID or payment.intent_id is None:
            raise Conflict("Only a payment that was paid can be refunded.")
        most = _refundable(payment).most_usd
        if not amount_usd.is_finite() or amount_usd != amount_usd.quantize(CENT) or not 0 < amount_usd <= most:
            raise InvalidRequest(f"At most {display_usd(most)} of this payment can go back, in whole cents.", param="amount_usd")
        row = PaymentRefund(
            id=refund_id,
            payment_id=payment.id,
            account_id=payment.account_id,
            amount_usd=amount_usd,
            status=RefundStatus.ASKED,
            reason=words,
            actor=actor,
        )
        session.add(row)
        changes = {"amount_usd": [None, format_decimal(amount_usd)]}
        staff.record(actor, "payment.refund", "payment", payment.id, account_id=payment.account_id, reason=words, changes=changes)
        session.flush()
        book(session, payment)
        return Asked(row.id, payment.id, payment.intent_id, amount_usd, words)


def refused(refund_id: UUID, *, words: str) -> None:
    """Stripe did not take it: the credit is the customer's again. Nothing if it was taken meanwhile."""
    with transaction() as session:
        row = session.get(PaymentRefund, refund_id)
        if row is None:
            return
        payment = session.get_one(Payment, row.payment_id, with_for_update=True, populate_existing=True)
        session.refresh(row)
        if row.status != RefundStatus.ASKED or row.refund_id is not None:
            return
        row.status = RefundStatus.REFUSED
        changes = {"status": [str(RefundStatus.ASKED), str(RefundStatus.REFUSED)]}
        staff.record(
            "system:stripe", "payment.refund_refused", "payment", payment.id, account_id=payment.account_id, reason=words, changes=changes
        )
        session.flush()
        book(session, payment)


def waiting() -> list[Asked]:
    """Refunds that Stripe may not have heard of, the oldest first."""
    with transaction() as session:
        query = (
            select(PaymentRefund, Payment.intent_id)
            .join(Payment, Payment.id == PaymentRefund.payment_id)
            .where(PaymentRefund.status == RefundStatus.ASKED, PaymentRefund.refund_id.is_(None))
            .order_by(PaymentRefund.id)
        )
        return [Asked(row.id, row.payment_id, str(intent_id), row.amount_usd, row.reason) for row, intent_id in session.execute(query)]


def _same(known: PaymentRefund, payment: Payment, amount_usd: Decimal) -> Asked:
    if known.payment_id != payment.id or known.amount_usd != amount_usd:
        raise Conflict("This form was sent before with something else in it. Open the page again; nothing was changed.")
    if known.status == RefundStatus.REFUSED:
        raise Conflict("Stripe has refused this refund. Open the page again to ask for another; nothing was changed.")
    return Asked(known.id, payment.id, str(payment.intent_id), known.amount_usd, known.reason)


def _refundable(payment: Payment) -> Refundable:
    """Inside the caller's transaction."""
    with transaction() as session:
        refunds = session.scalars(select(PaymentRefund).where(PaymentRefund.payment_id == payment.id))
        returned = sum((row.amount_usd for row in refunds if RefundStatus(row.status).is_returned), ZERO_USD)
        disputes = session.scalars(select(PaymentDispute).where(PaymentDispute.payment_id == payment.id))
        disputed = sum((row.withdrawn_usd for row in disputes), ZERO_USD)
        available = to_usd(ledger.balance_now(payment.account_id).available_nano)
    total = payment.total_usd or payment.amount_usd
    most = max(total - returned - disputed, ZERO_USD) if payment.status == PaymentStatus.PAID else ZERO_USD
    granted = payment.amount_usd + payment.bonus_usd
    unspent = min(most, max((available * total / granted).quantize(CENT, "ROUND_DOWN"), ZERO_USD))
    return Refundable(total, returned, disputed, most, unspent, max(most - unspent, ZERO_USD))

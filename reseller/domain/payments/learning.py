"""What Stripe says of a payment is known and in the books. From events, from looking, from reconciling: always by these verbs."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.payments.booking import book
from reseller.domain.payments.facts import MoneySeen, SessionSeen, StraySeen, is_usd
from reseller.domain.payments.fitting import Misfit, misfit, order_of
from reseller.domain.payments.keeping import keep_dispute, keep_refund, keep_session
from reseller.domain.payments.own_orders import OwnOrders
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.payments.tables import Payment, PaymentStatus
from reseller.domain.payments.telling import telling

NO_ORDER = (Why.FOREIGN, "A Checkout Session was paid that belongs to no order of ours.")


@dataclass(frozen=True, slots=True)
class Learned:
    """The payment that something was told of, and whether that credited it."""

    payment_id: UUID
    has_credited: bool = False


def learn_session(seen: SessionSeen, own: OwnOrders, *, event_id: str | None = None) -> Learned | None:
    """The payment that this session is for is as far on as the session says, once; None if it is none of ours.

    Paid money that does not fit the order is put aside and credits nothing.
    """
    with transaction() as session:
        payment = order_of(session, seen, own)
        if payment is None:
            _put_aside(seen, NO_ORDER, None, event_id)
            return None
        wrong = misfit(payment, seen, own)
        if wrong is not None:
            _put_aside(seen, wrong, payment.id, event_id)
            return Learned(payment.id)
        was_paid = payment.status == PaymentStatus.PAID
        with telling(session, payment):
            keep_session(payment, seen)
            session.flush()
            book(session, payment)
        return Learned(payment.id, has_credited=seen.is_paid and not was_paid)


def learn_money(seen: MoneySeen, *, event_id: str | None = None) -> Learned | None:
    """Refunds, disputes and fees of the payment are as far on as this says; None if no session of ours is known by the intent.

    The intent is bound to its order by its session alone: what an intent says of itself, anybody on the same Stripe account can write.
    """
    with transaction() as session:
        payment = session.scalar(select(Payment).where(Payment.intent_id == seen.intent_id).with_for_update())
        if payment is None:
            return None
        payment.charge_id = seen.charge_id or payment.charge_id
        payment.receipt_url = seen.receipt_url or payment.receipt_url
        payment.fee_usd = payment.fee_usd if seen.fee_usd is None else seen.fee_usd
        with telling(session, payment):
            for refund in seen.refunds:
                keep_refund(session, payment, refund, event_id)
            for dispute in seen.disputes:
                keep_dispute(session, payment, dispute, event_id)
            session.flush()
            book(session, payment)
        return Learned(payment.id)


def learn_stray(seen: StraySeen, *, event_id: str | None = None) -> None:
    """Somebody looks at this money; nothing is credited."""
    words = f"A payment in {seen.currency.upper()[:10]} was made at Stripe that belongs to no order of ours."
    amount_usd = seen.amount_usd if is_usd(seen.currency) else None
    put_aside(Aside(Why.FOREIGN, seen.intent_id, words, amount_usd=amount_usd, event_id=event_id))


def _put_aside(seen: SessionSeen, wrong: Misfit, payment_id: UUID | None, event_id: str | None) -> None:
    """Where there is money, somebody looks at it."""
    if seen.is_paid:
        why, words = wrong
        put_aside(Aside(why, seen.session_id, words, payment_id, seen.paid_in_usd, event_id))

"""How much of a payment has gone back, of its money and of its credit, whatever order the news came in (R19). Nothing is written."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.domain.payments.tables import Payment, PaymentDispute, PaymentRefund, RefundStatus
from reseller.money import to_nano


@dataclass(frozen=True, slots=True)
class Taken:
    """In nano-dollars, none below zero. `refunded` and `disputed` are money, with tax; `_credit` is what they take of the credit."""

    refunded: int
    disputed: int
    refunded_credit: int
    disputed_credit: int
    refunded_tax: int
    disputed_tax: int
    bonus: int
    dispute_fees: int


def taken_of(session: Session, payment: Payment) -> Taken:
    """What has gone back now. Of credit and tax never more than there was, though money may go back twice: by refund and by dispute."""
    refunded, (disputed, dispute_fees) = _refunded(session, payment), _disputed(session, payment)
    total, amount = to_nano(payment.whole_usd), to_nano(payment.amount_usd)
    by_refunds = min(refunded, total)
    by_disputes = min(disputed, total - by_refunds)
    credit = _share(amount, by_refunds, total)
    both = _share(amount, by_refunds + by_disputes, total)
    return Taken(
        refunded=refunded,
        disputed=disputed,
        refunded_credit=credit,
        disputed_credit=both - credit,
        refunded_tax=by_refunds - credit,
        disputed_tax=by_disputes - (both - credit),
        bonus=_share(to_nano(payment.bonus_usd), by_refunds + by_disputes, total),
        dispute_fees=dispute_fees,
    )


def _share(granted: int, part: int, whole: int) -> int:
    """So much of what was granted goes with this part of the money; all of it with all of the money."""
    return granted if part >= whole else granted * part // whole


def _refunded(session: Session, payment: Payment) -> int:
    refunds = session.scalars(select(PaymentRefund).where(PaymentRefund.payment_id == payment.id))
    return sum(to_nano(refund.amount_usd) for refund in refunds if RefundStatus(refund.status).is_returned)


def _disputed(session: Session, payment: Payment) -> tuple[int, int]:
    disputes = list(session.scalars(select(PaymentDispute).where(PaymentDispute.payment_id == payment.id)))
    return sum(to_nano(dispute.withdrawn_usd) for dispute in disputes), sum(to_nano(dispute.fee_usd) for dispute in disputes)

"""Money of payments as it moved at Stripe: what finance needs of each month, written once and never changed."""

from dataclasses import astuple, dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reseller.domain.payments.tables import MoveKind, Payment, PaymentMove
from reseller.domain.payments.taken import Taken
from reseller.money import to_nano, to_usd


@dataclass(frozen=True, slots=True)
class Cash:
    """Nano-dollars, positive: to us."""

    amount: int
    credit: int = 0
    tax: int = 0


def write_moves(session: Session, payment: Payment, taken: Taken) -> None:
    """The payment's moves add up to what is known now. Called under the lock of its row."""
    so_far = _so_far(session, payment)
    for kind, wanted in _wanted(payment, taken).items():
        before = so_far.get(kind, Cash(0))
        amount, credit, tax = (to - so for to, so in zip(astuple(wanted), astuple(before), strict=True))
        if amount or credit or tax:
            move = PaymentMove(payment_id=payment.id, account_id=payment.account_id, kind=kind, amount_usd=to_usd(amount))
            move.credit_usd, move.tax_usd = to_usd(credit), to_usd(tax)
            session.add(move)


def _wanted(payment: Payment, taken: Taken) -> dict[MoveKind, Cash]:
    total, amount = to_nano(payment.whole_usd), to_nano(payment.amount_usd)
    return {
        MoveKind.PAYMENT: Cash(total, amount, total - amount),
        MoveKind.FEE: Cash(0 if payment.fee_usd is None else -to_nano(payment.fee_usd)),
        MoveKind.REFUND: Cash(-taken.refunded, -taken.refunded_credit, -taken.refunded_tax),
        MoveKind.DISPUTE: Cash(-taken.disputed, -taken.disputed_credit, -taken.disputed_tax),
        MoveKind.DISPUTE_FEE: Cash(-taken.dispute_fees),
    }


def _so_far(session: Session, payment: Payment) -> dict[MoveKind, Cash]:
    columns = PaymentMove.amount_usd, PaymentMove.credit_usd, PaymentMove.tax_usd
    query = select(PaymentMove.kind, *(func.sum(column) for column in columns)).where(PaymentMove.payment_id == payment.id)
    return {MoveKind(kind): Cash(*map(to_nano, sums)) for kind, *sums in session.execute(query.group_by(PaymentMove.kind))}

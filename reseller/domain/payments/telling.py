"""What became of a payment is told to its account: each fact once, in whatever order and however often we hear of it.

Which facts there are is read off the rows: those that a change has added are told in its transaction. Facts about money that went
back are none before the payment is known to be paid, so whoever listens hears of a payment first. A row only moves on (`keeping`),
so no fact comes twice.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.domain import outbox
from reseller.domain.payments.tables import DISPUTES_OVER, Payment, PaymentDispute, PaymentRefund, PaymentStatus, RefundStatus

AT_STRIPE = (RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED)
"""Refunds that Stripe has taken on, whatever came of them. One that is asked for may yet be refused, and then nothing was."""
UNPAID = {PaymentStatus.FAILED: "payment.failed", PaymentStatus.EXPIRED: "payment.expired"}
CAME_BACK = (RefundStatus.FAILED, RefundStatus.CANCELED)

Facts = Mapping[tuple[str, UUID], Mapping[str, Any]]
"""What each fact tells, by its event and the id of what it is about."""


@contextmanager
def telling(session: Session, payment: Payment) -> Iterator[None]:
    """Whatever the block adds to what is known of the payment is told. Under the lock of its row."""
    before = facts_of(session, payment)
    yield
    session.flush()
    for (name, subject_id), told in facts_of(session, payment).items():
        if (name, subject_id) not in before:
            outbox.announce(name, payment.account_id, **told)


def facts_of(session: Session, payment: Payment) -> Facts:
    """Everything that can be told of the payment as its rows are, in the order in which it happened."""
    of_payment = {"payment_id": payment.id, "amount_usd": payment.amount_usd}
    if payment.status == PaymentStatus.PAID:
        paid = {"bonus_usd": payment.bonus_usd, "total_usd": payment.whole_usd, "paid_at": payment.paid_at}
        return {
            ("payment.paid", payment.id): {**of_payment, **paid},
            **_refunds(session, payment),
            **_disputes(session, payment),
        }
    ended = UNPAID.get(PaymentStatus(payment.status))
    return {} if ended is None else {(ended, payment.id): of_payment}


def _refunds(session: Session, payment: Payment) -> Facts:
    facts: dict[tuple[str, UUID], Mapping[str, Any]] = {}
    query = select(PaymentRefund).where(PaymentRefund.payment_id == payment.id, PaymentRefund.status.in_(AT_STRIPE))
    for refund in session.scalars(query.order_by(PaymentRefund.id)):
        told = {"payment_id": payment.id, "refund_id": refund.id, "refunded_usd": refund.amount_usd}
        facts["payment.refunded", refund.id] = told
        if refund.status in CAME_BACK:
            facts["payment.refund_failed", refund.id] = told
    return facts


def _disputes(session: Session, payment: Payment) -> Facts:
    facts: dict[tuple[str, UUID], Mapping[str, Any]] = {}
    for dispute in session.scalars(select(PaymentDispute).where(PaymentDispute.payment_id == payment.id).order_by(PaymentDispute.id)):
        told: dict[str, UUID | Decimal] = {
            "payment_id": payment.id,
            "dispute_id": dispute.id,
            "disputed_usd": dispute.amount_usd,
            "withdrawn_usd": dispute.withdrawn_usd,
        }
        facts["payment.disputed", dispute.id] = told
        if dispute.status in DISPUTES_OVER:
            facts["payment.dispute_closed", dispute.id] = told
    return facts

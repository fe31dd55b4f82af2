"""Payments as staff look at them: a list with names, one with everything that belongs to it, and finding one by any of its ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain.accounts import User
from reseller.domain.desk.actors import names_of
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.ledger import LedgerEntry
from reseller.domain.payments import Payment, PaymentDispute, PaymentRefund, StripeEvent, SuspenseItem
from reseller.domain.payments.reading import KINDS, gone_back
from reseller.errors import NotFound

Row = TypeVar("Row")

MAX_ID_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One payment of the list. Money in dollars; `fee_usd` None: not known yet."""

    id: UUID
    created_at: datetime
    paid_at: datetime | None
    account_id: UUID
    account_name: str
    buyer: str
    status: str
    amount_usd: Decimal
    bonus_usd: Decimal
    total_usd: Decimal
    tax_usd: Decimal
    refunded_usd: Decimal
    disputed_usd: Decimal
    fee_usd: Decimal | None
    session_id: str | None
    intent_id: str | None
    charge_id: str | None
    receipt_url: str | None
    invoice_url: str | None


@dataclass(frozen=True, slots=True)
class WholePayment:
    """A payment with all that belongs to it, each the oldest first."""

    line: PaymentRow
    refunds: tuple[PaymentRefund, ...]
    disputes: tuple[PaymentDispute, ...]
    entries: tuple[LedgerEntry, ...]
    events: tuple[StripeEvent, ...]
    suspense: tuple[SuspenseItem, ...]
    actors: dict[str, str]  # of refunds → their names


def lines(payments: Sequence[Payment]) -> list[PaymentRow]:
    """The payments in their order; three queries, however many they are."""
    gone = gone_back([payment.id for payment in payments])
    with transaction() as session:
        names = names_of_accounts(payment.account_id for payment in payments)
        buyers = select(User.id, User.email).where(User.id.in_({payment.user_id for payment in payments if payment.user_id}))
        emails = {row.id: row.email for row in session.execute(buyers)}
    return [
        PaymentRow(
            id=payment.id,
            created_at=payment.created_at,
            paid_at=payment.paid_at,
            account_id=payment.account_id,
            account_name=names[payment.account_id],
            buyer=emails.get(payment.user_id, "") if payment.user_id else "",
            status=payment.status,
            amount_usd=payment.amount_usd,
            bonus_usd=payment.bonus_usd,
            total_usd=payment.whole_usd,
            tax_usd=payment.whole_usd - payment.amount_usd,
            refunded_usd=gone[payment.id].refunded_usd,
            disputed_usd=gone[payment.id].disputed_usd,
            fee_usd=payment.fee_usd,
            session_id=payment.session_id,
            intent_id=payment.intent_id,
            charge_id=payment.charge_id,
            receipt_url=payment.receipt_url,
            invoice_url=payment.invoice_url,
        )
        for payment in payments
    ]


def one(payment_id: UUID) -> PaymentRow:
    """Raises NotFound."""
    with transaction() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise NotFound("There is no such payment.")
        return lines([payment])[0]


def whole(payment_id: UUID) -> WholePayment:
    """Raises NotFound."""
    with transaction() as session:
        line = one(payment_id)
        caused = or_(LedgerEntry.reference == str(payment_id), LedgerEntry.reference.startswith(f"{payment_id}:"))
        entries = select(LedgerEntry).where(LedgerEntry.account_id == line.account_id, LedgerEntry.kind.in_(KINDS), caused)
        back = _all(session, select(PaymentRefund).where(PaymentRefund.payment_id == payment_id).order_by(PaymentRefund.id))
        found = WholePayment(
            line=line,
            refunds=back,
            disputes=_all(session, select(PaymentDispute).where(PaymentDispute.payment_id == payment_id).order_by(PaymentDispute.id)),
            entries=_all(session, entries.order_by(LedgerEntry.sequence)),
            events=_all(session, select(StripeEvent).where(StripeEvent.payment_id == payment_id).order_by(StripeEvent.received_at)),
            suspense=_all(session, select(SuspenseItem).where(SuspenseItem.payment_id == payment_id).order_by(SuspenseItem.id)),
            actors=names_of(refund.actor for refund in back),
        )
        session.expunge_all()
        return found


def find(text: str) -> UUID | None:
    """The payment that goes by this id: ours, or Stripe's of its session, intent, charge, refund or dispute."""
    if not text or len(text) > MAX_ID_CHARACTERS or "\x00" in text:
        return None
    with transaction() as session:
        try:
            return session.scalar(select(Payment.id).where(Payment.id == UUID(text)))
        except ValueError:
            pass
        by_payment = select(Payment.id).where(or_(Payment.session_id == text, Payment.intent_id == text, Payment.charge_id == text))
        by_refund = select(PaymentRefund.payment_id).where(PaymentRefund.refund_id == text)
        by_dispute = select(PaymentDispute.payment_id).where(PaymentDispute.dispute_id == text)
        return session.scalar(by_payment.union_all(by_refund, by_dispute).limit(1))


def _all(session: Session, query: Select[Row]) -> tuple[Row, ...]:
    return tuple(session.scalars(query))

"""Payments as people look at them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.ledger import EntryKind, history
from reseller.domain.ledger.history import EntryLine
from reseller.domain.payments.tables import Payment, PaymentDispute, PaymentRefund, PaymentStatus, RefundStatus
from reseller.errors import NotFound
from reseller.money import ZERO_USD, Usd

KINDS = (EntryKind.TOP_UP, EntryKind.BONUS, EntryKind.REFUND, EntryKind.DISPUTE)
"""Entries that payments cause."""


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """One payment of an account. `refunded_usd`: money that went back by refunds; `disputed_usd`: what a bank holds back now."""

    id: UUID
    account_id: UUID
    created_at: datetime
    status: PaymentStatus
    amount_usd: Decimal
    bonus_usd: Decimal
    total_usd: Decimal
    paid_at: datetime | None
    expires_at: datetime | None
    refunded_usd: Decimal
    disputed_usd: Decimal
    session_id: str | None
    checkout_url: str | None
    receipt_url: str | None
    invoice_url: str | None

    @property
    def tax_usd(self) -> Decimal:
        return self.total_usd - self.amount_usd

    @property
    def gone_back_usd(self) -> Decimal:
        return self.refunded_usd + self.disputed_usd

    @property
    def is_waiting(self) -> bool:
        """Nobody knows yet how it ends."""
        return self.status in (PaymentStatus.OPEN, PaymentStatus.PROCESSING)


def of_account(account_id: UUID, *, limit: int = 50) -> list[PaymentLine]:
    """The account's payments, the newest first. Orders that nobody paid in time are left out."""
    with transaction() as session:
        query = select(Payment).where(Payment.account_id == account_id, Payment.status != PaymentStatus.EXPIRED)
        query = query.where((Payment.status != PaymentStatus.OPEN) | (Payment.expires_at > now()))
        return _lines(list(session.scalars(query.order_by(Payment.id.desc()).limit(limit))))


def one(account_id: UUID, payment_id: UUID) -> PaymentLine:
    """The account's own payment. Raises NotFound."""
    with transaction() as session:
        return _lines([_own(session, account_id, payment_id)])[0]


def entries_of(account_id: UUID, payment_id: UUID) -> list[EntryLine]:
    """What the account's ledger has of its payment, the oldest first. Raises NotFound."""
    with transaction() as session:
        payment = _own(session, account_id, payment_id)
        references = [str(payment_id), *(f"{payment_id}:{number}" for number in range(1, payment.reversals + 1))]
        return history.entries_for(account_id, KINDS, references)


def of_entry(line: EntryLine, account_id: UUID) -> UUID | None:
    """The payment that caused this entry of the account; None where none did."""
    if line.kind not in KINDS:
        return None
    try:
        return one(account_id, UUID(line.reference.partition(":")[0])).id
    except (ValueError, NotFound):
        return None


@dataclass(frozen=True, slots=True)
class Reversal:
    """What took credit off an account: a payment that went back. `payment_id`, `payment_usd` are None where nobody knows it."""

    is_dispute: bool
    at: datetime
    payment_id: UUID | None
    payment_usd: Decimal | None


def last_reversal(account_id: UUID) -> Reversal | None:
    """The newest refund or dispute that took credit off the account."""
    with transaction():
        line = history.last_taken(account_id, (EntryKind.REFUND, EntryKind.DISPUTE))
        if line is None:
            return None
        payment_id = of_entry(line, account_id)
        payment_usd = None if payment_id is None else one(account_id, payment_id).amount_usd
        return Reversal(line.kind == EntryKind.DISPUTE, line.at, payment_id, payment_usd)


@dataclass(frozen=True, slots=True)
class GoneBack:
    """Money of one payment, with tax: what went back by refunds, and what banks hold back now."""

    refunded_usd: Decimal = ZERO_USD
    disputed_usd: Decimal = ZERO_USD


def gone_back(payment_ids: Sequence[UUID]) -> defaultdict[UUID, GoneBack]:
    """By payment; in one query, however many there are."""
    found: defaultdict[UUID, GoneBack] = defaultdict(GoneBack)
    if not payment_ids:
        return found
    of_refunds = select(PaymentRefund.payment_id, PaymentRefund.amount_usd, literal(ZERO_USD, Usd)).where(
        PaymentRefund.payment_id.in_(payment_ids), PaymentRefund.status.in_([status for status in RefundStatus if status.is_returned])
    )
    of_disputes = select(PaymentDispute.payment_id, literal(ZERO_USD, Usd), PaymentDispute.withdrawn_usd).where(
        PaymentDispute.payment_id.in_(payment_ids)
    )
    with transaction() as session:
        for payment_id, refunded, disputed in session.execute(of_refunds.union_all(of_disputes)):
            so_far = found[payment_id]
            found[payment_id] = GoneBack(so_far.refunded_usd + refunded, so_far.disputed_usd + disputed)
    return found


def _own(session: Session, account_id: UUID, payment_id: UUID) -> Payment:
    payment = session.get(Payment, payment_id)
    if payment is None or payment.account_id != account_id:
        raise NotFound("There is no such payment.")
    return payment


def _lines(found: list[Payment]) -> list[PaymentLine]:
    gone = gone_back([payment.id for payment in found])
    return [
        PaymentLine(
            id=payment.id,
            account_id=payment.account_id,
            created_at=payment.created_at,
            status=PaymentStatus(payment.status),
            amount_usd=payment.amount_usd,
            bonus_usd=payment.bonus_usd,
            total_usd=payment.whole_usd,
            paid_at=payment.paid_at,
            expires_at=payment.expires_at,
            refunded_usd=gone[payment.id].refunded_usd,
            disputed_usd=gone[payment.id].disputed_usd,
            session_id=payment.session_id,
            checkout_url=payment.checkout_url,
            receipt_url=payment.receipt_url,
            invoice_url=payment.invoice_url,
        )
        for payment in found
    ]

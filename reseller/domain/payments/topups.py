"""Buying credit: an order of ours first, then Stripe is asked. Nothing is credited here (see `learning`)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.clock import new_id, now
from reseller.database import lock_name, transaction
from reseller.domain.accounts import Account, User
from reseller.domain.payments.packs import CENT, bonus_for
from reseller.domain.payments.tables import Payment, PaymentStatus
from reseller.domain.payments.telling import telling
from reseller.errors import Conflict, InvalidRequest, NotFound, TooManyRequests
from reseller.money import display_usd

STAYS_OPEN = timedelta(hours=2)
"""How long a Checkout page can be paid; Stripe takes from 30 minutes to 24 hours."""

GRACE = timedelta(days=1)
"""After its time an order is over for us as well, unless Stripe says otherwise."""
LOOK_PAUSE, MAX_LOOKS = timedelta(seconds=5), 3
MAX_BEGUN, WITHIN = 20, timedelta(hours=1)
AT_A_TIME = 500

FORM_LASTS = timedelta(days=1)
"""How long credit can be bought from a page that was opened once: its orders are sorted by when that was."""
AGAIN = "Nothing was charged now; choose again to buy more."
SENT_BEFORE = f"This form had been sent before. {AGAIN}"

INVENTED = "cs_demo_"
"""How sessions of demo data begin, of which Stripe has never heard."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one payment may be of."""

    least_usd: Decimal
    most_usd: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """What Stripe is asked to take. `customer_id`: as Stripe knows the account from an earlier payment.

    `is_repeat`: it had been begun before, by a form that was sent again.
    """

    payment_id: UUID
    account_id: UUID
    amount_usd: Decimal
    bonus_usd: Decimal
    email: str
    customer_id: str | None
    expires_at: datetime
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Credited:
    """A payment that is in the books, and the session that it was paid in."""

    payment_id: UUID
    session_id: str
    amount_usd: Decimal


def check_amount(amount_usd: Decimal, bounds: Bounds) -> None:
    """Raises InvalidRequest for an amount that is not sold."""
    if not amount_usd.is_finite() or not bounds.least_usd <= amount_usd <= bounds.most_usd or amount_usd != amount_usd.quantize(CENT):
        words = f"Choose an amount from {display_usd(bounds.least_usd)} to {display_usd(bounds.most_usd)}, in whole cents."
        raise InvalidRequest(words, param="amount_usd")


def begin(account_id: UUID, user_id: UUID, amount_usd: Decimal, bounds: Bounds, *, nonce: UUID | None = None) -> Order:
    """An open order; the same one however often its form is sent. `nonce` is the form's, and becomes the order's id.

    Raises InvalidRequest for an amount out of bounds, TooManyRequests after MAX_BEGUN of an account WITHIN an hour, Conflict for a
    form that had been sent before for something else, or whose order is over.
    """
    check_amount(amount_usd, bounds)
    order_id = nonce or new_id()
    try:
        return _begun(order_id, account_id, user_id, amount_usd)
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        # the id of another account's order, which this transaction does not see
        raise Conflict(SENT_BEFORE, param="nonce") from None


def _begun(order_id: UUID, account_id: UUID, user_id: UUID, amount_usd: Decimal) -> Order:
    with transaction() as session:
        lock_name(f"payments of {account_id}")
        account, user = session.get(Account, account_id), session.get(User, user_id)
        if account is None or user is None:
            raise NotFound("There is no such account.")
        known = select(Payment.customer_id).where(Payment.account_id == account_id, Payment.customer_id.is_not(None))
        customer_id = session.scalar(known.order_by(Payment.id.desc()).limit(1))
        before = session.get(Payment, order_id)
        if before is not None:
            _require_same(before, account_id, amount_usd)
            return replace(_order(before, user.email, customer_id), is_repeat=True)
        begun = select(func.count()).where(Payment.account_id == account_id, Payment.created_at > now() - WITHIN)
        if int(session.scalar(begun) or 0) >= MAX_BEGUN:
            raise TooManyRequests("Too many payments were begun. Try again in a while.", retry_after_seconds=600)
        payment = Payment(
            id=order_id,
            account_id=account_id,
            user_id=user_id,
            amount_usd=amount_usd,
            bonus_usd=bonus_for(amount_usd),
            expires_at=now() + STAYS_OPEN,
        )
        session.add(payment)
        session.flush()
        return _order(payment, user.email, customer_id)


def _require_same(before: Payment, account_id: UUID, amount_usd: Decimal) -> None:
    if before.account_id != account_id:
        raise Conflict(SENT_BEFORE, param="nonce")
    if before.status != PaymentStatus.OPEN or before.expires_at is None or before.expires_at <= now():
        raise Conflict(f"The order of {display_usd(before.amount_usd)} that you began with this page is over. {AGAIN}", param="nonce")
    if before.amount_usd != amount_usd:
        raise Conflict(f"You began an order of {display_usd(before.amount_usd)} with this page. {AGAIN}", param="nonce")


def _order(payment: Payment, email: str, customer_id: str | None) -> Order:
    assert payment.expires_at is not None
    return Order(
        payment_id=payment.id,
        account_id=payment.account_id,
        amount_usd=payment.amount_usd,
        bonus_usd=payment.bonus_usd,
        email=email,
        customer_id=customer_id,
        expires_at=payment.expires_at,
    )


def address_of(payment_id: UUID) -> str | None:
    """Where the order is paid; None until it was opened. Raises Conflict once it is over."""
    with transaction() as session:
        row = session.execute(select(Payment.checkout_url, Payment.status).where(Payment.id == payment_id)).one()
        if row.status != PaymentStatus.OPEN:
            raise Conflict(f"The order that you began with this page is over. {AGAIN}", param="nonce")
        address: str | None = row.checkout_url
        return address


def opened(payment_id: UUID, *, session_id: str, url: str, expires_at: datetime) -> None:
    """The order can be paid at this address. Raises NotFound.

    Stripe said so to us: whatever session was heard of before, and whoever had copied our mark into it, this one is the order's.
    """
    with transaction() as session:
        payment = session.get(Payment, payment_id, with_for_update=True)
        if payment is None:
            raise NotFound("There is no such payment.")
        if payment.status != PaymentStatus.PAID:
            payment.session_id = session_id
        payment.checkout_url, payment.expires_at = url, expires_at


def not_opened(payment_id: UUID) -> None:
    """Stripe could not be asked, or said no: the order is over, unless it was opened all the same (then `learning` knows better)."""
    with transaction() as session:
        payment = session.get(Payment, payment_id, with_for_update=True)
        if payment is not None and payment.status == PaymentStatus.OPEN and payment.session_id is None:
            _end(session, payment, PaymentStatus.FAILED)


def forget_customer(account_id: UUID, customer_id: str) -> None:
    """Stripe does not know this customer any more: the account's next order is of a new one."""
    with transaction() as session:
        known = update(Payment).where(Payment.account_id == account_id, Payment.customer_id == customer_id)
        session.execute(known.values(customer_id=None))


def may_look(account_id: UUID, payment_id: UUID) -> bool:
    """Whether Stripe is to be asked now for somebody who waits: of a payment not more often than every LOOK_PAUSE, and in that time of
    MAX_LOOKS payments of an account, however many it has begun. Stripe takes so many requests of a shop and no more."""
    at = now()
    of_account, is_due = Payment.account_id == account_id, Payment.looked_at.is_(None) | (Payment.looked_at < at - LOOK_PAUSE)
    with transaction() as session:
        lock_name(f"payments of {account_id}")
        looked_at = select(func.count()).where(of_account, Payment.looked_at >= at - LOOK_PAUSE)
        if int(session.scalar(looked_at) or 0) >= MAX_LOOKS:
            return False
        look = update(Payment).where(of_account, Payment.id == payment_id, is_due).values(looked_at=at)
        return session.execute(look.returning(Payment.id)).first() is not None


def is_known_by(intent_id: str) -> bool:
    """Whether a payment of ours goes by this intent."""
    with transaction() as session:
        return session.scalar(select(Payment.id).where(Payment.intent_id == intent_id)) is not None


def unsettled() -> list[str]:
    """Sessions of orders of which nobody knows yet how they end, the oldest first."""
    with transaction() as session:
        waiting = Payment.status.in_((PaymentStatus.OPEN, PaymentStatus.PROCESSING)), Payment.session_id.is_not(None)
        return [str(found) for found in session.scalars(select(Payment.session_id).where(*waiting).order_by(Payment.id).limit(AT_A_TIME))]


def credited_since(at: datetime) -> list[Credited]:
    """Payments that were credited at or after this instant, the oldest first."""
    with transaction() as session:
        query = select(Payment.id, Payment.session_id, Payment.amount_usd).where(
            Payment.paid_at >= at, Payment.session_id.is_not(None), ~Payment.session_id.startswith(INVENTED, autoescape=True)
        )
        return [Credited(row[0], str(row[1]), row[2]) for row in session.execute(query.order_by(Payment.paid_at))]


def end_lost(session_id: str) -> bool:
    """An order whose time is over and whose session Stripe does not know is expired; whether it is. Money that comes after all counts."""
    with transaction() as session:
        is_over = Payment.status == PaymentStatus.OPEN, Payment.expires_at < now() - GRACE
        payment = session.scalar(select(Payment).where(Payment.session_id == session_id, *is_over).with_for_update())
        if payment is not None:
            _end(session, payment, PaymentStatus.EXPIRED)
        return payment is not None


def forget_unopened() -> int:
    """Orders that never reached Stripe and whose time is over are expired; how many."""
    with transaction() as session:
        query = select(Payment).where(
            Payment.status == PaymentStatus.OPEN, Payment.session_id.is_(None), Payment.expires_at < now() - GRACE
        )
        found = list(session.scalars(query.with_for_update(skip_locked=True)))
        for payment in found:
            _end(session, payment, PaymentStatus.EXPIRED)
        return len(found)


def _end(session: Session, payment: Payment, status: PaymentStatus) -> None:
    with telling(session, payment):
        payment.status = status

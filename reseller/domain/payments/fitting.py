"""Which order a Checkout Session is for, and whether its money is that order's (R18)."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reseller.domain.accounts import Account
from reseller.domain.payments.facts import SessionSeen
from reseller.domain.payments.own_orders import OwnOrders
from reseller.domain.payments.suspense import Why
from reseller.domain.payments.tables import Payment
from reseller.money import ZERO_USD, display_usd

Misfit = tuple[Why, str]


def order_of(session: Session, seen: SessionSeen, own: OwnOrders) -> Payment | None:
    """The order, locked. One that a restored database has forgotten is made anew if the session was paid in full and bears our mark."""
    if seen.payment_id is None:
        return None
    payment = session.get(Payment, seen.payment_id, with_for_update=True, populate_existing=True)
    if payment is not None or not seen.is_paid or not own.has_marked(seen) or _misfit_of_itself(seen, own):
        return payment
    if session.get(Account, seen.account_id) is None:
        return None
    forgotten = {
        "id": seen.payment_id,
        "account_id": seen.account_id,
        "amount_usd": seen.amount_usd,
        "bonus_usd": seen.bonus_usd or ZERO_USD,
        "session_id": seen.session_id,
        "created_at": seen.created_at,
    }
    session.execute(insert(Payment).values(forgotten).on_conflict_do_nothing())
    return session.get(Payment, seen.payment_id, with_for_update=True, populate_existing=True)


def misfit(payment: Payment, seen: SessionSeen, own: OwnOrders) -> Misfit | None:
    """Why the session cannot be for this order; None if it can."""
    wrong = _misfit_of_itself(seen, own)
    if wrong is not None:
        return wrong
    if seen.amount_usd != payment.amount_usd:
        return Why.WRONG_AMOUNT, f"Paid {display_usd(seen.amount_usd)}, ordered {display_usd(payment.amount_usd)}."
    if seen.account_id != payment.account_id:
        return Why.WRONG_SESSION, "The session was opened for another account than the order."
    if payment.session_id is None and not own.has_marked(seen):
        return Why.WRONG_SESSION, "The session names the order and was not opened by us."
    if payment.session_id not in (None, seen.session_id):
        return Why.WRONG_SESSION, f"The order was opened with {payment.session_id}."
    if seen.intent_id is not None and payment.intent_id not in (None, seen.intent_id):
        return Why.WRONG_SESSION, f"The order was paid with {payment.intent_id}."
    return None


def _misfit_of_itself(seen: SessionSeen, own: OwnOrders) -> Misfit | None:
    """Why the session cannot be for any order of ours."""
    if seen.is_live != own.is_live:
        return Why.WRONG_MODE, f"{'Live' if seen.is_live else 'Test'} money for an order of {'live' if own.is_live else 'test'} mode."
    if not seen.is_usd:
        return Why.WRONG_CURRENCY, f"Paid in {seen.currency.upper()[:10]}, ordered in USD."
    paid = seen.total_usd - seen.tax_usd
    if paid != seen.amount_usd or seen.tax_usd < 0:
        return Why.WRONG_AMOUNT, f"Paid {display_usd(paid)} without tax, of {display_usd(seen.amount_usd)} in the session."
    return None

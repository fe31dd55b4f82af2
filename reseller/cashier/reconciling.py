"""Stripe's last days against the books: what no event told is found, and what waited is done (R20)."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from reseller import metrics
from reseller.cashier.desk import Cashier
from reseller.cashier.seen import money_seen, session_seen
from reseller.cashier.told import Fact, known_now
from reseller.clients.stripe_api import StripeRefused
from reseller.clock import now
from reseller.domain import payments
from reseller.domain.payments import SessionSeen, refunds, topups
from reseller.domain.payments.refunds import Asked

LOOK_BACK = timedelta(days=3)
"""How far it looks back unless told otherwise: Stripe itself repeats events for three days."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was looked at, what was credited that no event had told, and what Stripe told that could not be read."""

    sessions: int
    intents: int
    healed: int
    unread: int


def reconcile(cashier: Cashier, look_back: timedelta = LOOK_BACK) -> Reconciled:
    """What Stripe knows of the last days is in the books, and what waited is done. Raises StripeDown.

    What cannot be read is counted and logged, and keeps nothing else from being looked at.
    """
    stripe, since = cashier.stripe, now() - look_back
    for asked in refunds.waiting():
        _send_again(cashier, asked)
    healed = sessions = intents = unread = 0
    for seen in map(session_seen, stripe.sessions_since(since)):
        sessions += 1
        healed += _learn_anew(cashier, (seen,))
    for session_id in topups.unsettled():
        try:
            healed += _learn_anew(cashier, tuple(known_now(stripe, session_id)))
        except StripeRefused as error:
            unread += _odd(session_id, error)
    for intent_id in dict.fromkeys(stripe.changed_since(since)):
        intents += 1
        try:
            payments.learn_money(money_seen(stripe.money_of(intent_id)))
        except StripeRefused as error:
            unread += _odd(intent_id, error)
    topups.forget_unopened()
    return Reconciled(sessions, intents, healed, unread)


def _send_again(cashier: Cashier, asked: Asked) -> None:
    try:
        cashier.send_refund(asked)
    except StripeRefused as error:
        log.error("refund_refused", payment_id=str(asked.payment_id), error=str(error))


def _learn_anew(cashier: Cashier, facts: tuple[Fact, ...]) -> int:
    """1 if this credited what no event had told, else 0."""
    payment_id = facts[0].payment_id if isinstance(facts[0], SessionSeen) else None
    was_paid = payment_id is not None and topups.is_paid(payment_id)
    found = cashier.learn(facts)
    if found is None or was_paid or not topups.is_paid(found):
        return 0
    metrics.count(metrics.ALARMS, "payment_event_lost")
    log.error("alarm", alarm="payment_event_lost", payment_id=str(found))
    return 1


def _odd(subject: str, error: StripeRefused) -> int:
    log.error("payment_not_read", subject=subject, error=str(error))
    return 1

"""Stripe's last days against the books, and the books against Stripe: what no event told is found, what waited is done (R20)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from reseller import alarms
from reseller.cashier.cashier import Cashier
from reseller.cashier.seen import session_seen
from reseller.cashier.told import known_now, money_now
from reseller.clients.stripe_api import MISSING, SessionFacts, StripeDown, StripeRefused, Unreadable
from reseller.clock import now
from reseller.domain.payments import Learned, refunds, topups
from reseller.domain.payments.refunds import Asked
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.payments.topups import Credited

LOOK_BACK = timedelta(days=3)
"""How far it looks back unless told otherwise: Stripe itself repeats events for three days."""
MAX_TROUBLES = 20
"""So many things without an answer are a Stripe that is down; each may have cost a timeout."""

T = TypeVar("T")

log = structlog.get_logger()


class Unfinished(RuntimeError):
    """Something could not be looked at, and the next run looks as far back; the log has each."""


@dataclass(slots=True)
class Reconciled:
    """What was looked at, what was credited that no event had told, and what lies in suspense: what Stripe told that could not be
    used, and what was credited and is not paid there."""

    sessions: int = 0
    intents: int = 0
    healed: int = 0
    unread: int = 0
    not_paid: int = 0


def reconcile(cashier: Cashier, look_back: timedelta = LOOK_BACK) -> Reconciled:
    """What Stripe knows of the last days is in the books, and what waited is done.

    Raises StripeDown and StripeRefused where Stripe cannot be asked at all, and Unfinished after all else was looked at where
    something could not be.
    """
    stripe, since, run = cashier.stripe, now() - look_back, _Run(cashier)
    for facts in stripe.sessions_since(since):
        run.found.sessions += 1
        run.look(facts.subject if isinstance(facts, Unreadable) else facts.session_id, run.learn_listed, facts)
    for session_id in topups.unsettled():
        run.look(session_id, _learn_session, session_id)
    for intent_id in stripe.changed_since(since):
        run.found.intents += 1
        run.look(intent_id, _learn_money, intent_id)
    for asked in refunds.waiting():
        run.look(str(asked.refund_id), _send_again, asked)
    for credited in topups.credited_since(since):
        run.look(credited.session_id, run.confirm, credited)
    topups.forget_unopened()
    run.end()
    return run.found


class _Run:
    """One reconciling."""

    def __init__(self, cashier: Cashier) -> None:
        self.cashier = cashier
        self.found = Reconciled()
        self.troubles: list[Exception] = []
        self._paid: set[str] = set()

    def look(self, subject: str, learn: Callable[[Cashier, T], Learned | None], item: T) -> None:
        """What Stripe says of it is in the books, or what is wrong with it is kept."""
        try:
            learned = learn(self.cashier, item)
        except StripeRefused as error:
            self.found.unread += 1
            put_aside(Aside(Why.UNREADABLE, subject, f"What Stripe says of it cannot be used: {error}"))
        except Exception as error:
            log.exception("payment_not_read", subject=subject)
            self.troubles.append(error)
            if len(self.troubles) == MAX_TROUBLES:
                self.end()
        else:
            self._tell_of(learned)

    def end(self) -> None:
        """Raises Unfinished unless all could be looked at."""
        if self.troubles:
            first = self.troubles[0]
            words = str(first) if isinstance(first, (StripeDown, StripeRefused)) else f"failed here: {type(first).__name__}"
            raise Unfinished(f"{len(self.troubles)} could not be looked at, see the log; the first: {words}") from first

    def learn_listed(self, cashier: Cashier, facts: SessionFacts | Unreadable) -> Learned | None:
        """What Stripe lists is in the books. Raises Unreadable."""
        if isinstance(facts, Unreadable):
            raise facts
        seen = session_seen(facts)
        if seen.is_paid:
            self._paid.add(seen.session_id)
        return cashier.learn((seen,))

    def confirm(self, cashier: Cashier, credited: Credited) -> None:
        """Stripe has it as paid too, or somebody will look: nobody may have paid for this credit."""
        words = None if credited.session_id in self._paid else _why_not_paid(cashier, credited.session_id)
        if words is not None:
            self.found.not_paid += 1
            put_aside(Aside(Why.NOT_PAID, credited.session_id, words, credited.payment_id, credited.amount_usd))

    def _tell_of(self, learned: Learned | None) -> None:
        if learned is not None and learned.has_credited:
            self.found.healed += 1
            alarms.sound("payment_event_lost", str(learned.payment_id), payment_id=str(learned.payment_id))


def _learn_session(cashier: Cashier, session_id: str) -> Learned | None:
    try:
        facts = tuple(known_now(cashier.stripe, session_id))
    except StripeRefused as error:
        if error.code == MISSING and topups.end_lost(session_id):
            return None
        raise
    return cashier.learn(facts)


def _learn_money(cashier: Cashier, intent_id: str) -> Learned | None:
    return cashier.learn(tuple(money_now(cashier.stripe, intent_id)))


def _why_not_paid(cashier: Cashier, session_id: str) -> str | None:
    try:
        facts = cashier.stripe.session(session_id)
    except StripeRefused as error:
        if error.code != MISSING:
            raise
        return "This payment was credited, and Stripe knows no such session."
    paid = session_seen(facts).is_paid
    return None if paid else f"This payment was credited, and Stripe has its session as {facts.payment_status}."


def _send_again(cashier: Cashier, asked: Asked) -> None:
    try:
        cashier.send_refund(asked)
    except StripeRefused as error:  # its credit is back, and the payment's page says so
        log.error("refund_refused", payment_id=str(asked.payment_id), error=str(error))

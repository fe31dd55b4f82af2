"""What each type of Stripe's events tells. A new one is a line in HANDLERS and a sample in the tests.

A session is believed as the event has it: it says what was ordered, and Stripe signed it. An intent alone does not tell tax from
credit, so that its session is looked up.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reseller.cashier.seen import dispute_seen, money_seen, refund_seen, session_seen
from reseller.clients.stripe_api import StripeApi, dispute_in, intent_id_in, refund_in, session_in
from reseller.domain.payments import MoneySeen, SessionSeen, StraySeen, topups
from reseller.domain.payments.events import Heard

Fact = SessionSeen | MoneySeen | StraySeen
Handler = Callable[[StripeApi, Heard], Iterator[Fact]]

REFUSED_BY_BANK = ("requires_payment_method", "canceled")
"""How an intent stands whose payment the bank has refused in the end; its session stays complete and unpaid for ever."""


def known_now(stripe: StripeApi, session_id: str) -> Iterator[Fact]:
    """What Stripe knows of this session at present, and of its money. Raises StripeDown, StripeRefused."""
    session = stripe.session(session_id)
    money = stripe.money_of(session.intent_id) if session.intent_id is not None and session.status == "complete" else None
    yield session_seen(session, has_failed=money is not None and money.status in REFUSED_BY_BANK)
    if money is not None and session.payment_status == "paid":
        yield money_seen(money)


def intent_now(stripe: StripeApi, intent_id: str) -> Iterator[Fact]:
    """What Stripe knows of this intent at present: its session first, which alone says whose it is. Raises StripeDown, StripeRefused."""
    session, money = stripe.session_of_intent(intent_id), stripe.money_of(intent_id)
    if session is not None:
        yield session_seen(session)
        yield money_seen(money)
    elif money.received_usd:
        yield StraySeen(intent_id, money.received_usd, money.currency)


def money_now(stripe: StripeApi, intent_id: str) -> Iterator[Fact]:
    """What Stripe knows of this intent's money, and whose it is unless we know. Raises StripeDown, StripeRefused."""
    if topups.is_known_by(intent_id):
        yield money_seen(stripe.money_of(intent_id))
    else:
        yield from intent_now(stripe, intent_id)


def _of_session(stripe: StripeApi, heard: Heard) -> Iterator[Fact]:  # noqa: ARG001 - nobody has to be asked
    yield session_seen(session_in(heard.body), has_failed=heard.type.endswith("async_payment_failed"))


def _of_intent(stripe: StripeApi, heard: Heard) -> Iterator[Fact]:
    intent_id = intent_id_in(heard.type, heard.body)
    if intent_id is not None:
        yield from intent_now(stripe, intent_id)


def _of_refund(stripe: StripeApi, heard: Heard) -> Iterator[Fact]:
    facts = refund_in(heard.body)
    yield from _of_money(stripe, facts.intent_id, refunds=(refund_seen(facts),))


def _of_dispute(stripe: StripeApi, heard: Heard) -> Iterator[Fact]:
    facts = dispute_in(heard.body)
    yield from _of_money(stripe, facts.intent_id, disputes=(dispute_seen(facts),))


def _of_money(stripe: StripeApi, intent_id: str | None, **told: Any) -> Iterator[Fact]:
    """As the event tells it; an intent that no payment is known by is looked up, since its session may not have been heard of yet."""
    if intent_id is None:
        return
    if topups.is_known_by(intent_id):
        yield MoneySeen(intent_id, **told)
    else:
        yield from intent_now(stripe, intent_id)


HANDLERS: Mapping[str, Handler] = {
    "checkout.session.completed": _of_session,
    "checkout.session.async_payment_succeeded": _of_session,
    "checkout.session.async_payment_failed": _of_session,
    "checkout.session.expired": _of_session,
    "payment_intent.succeeded": _of_intent,
    "charge.succeeded": _of_intent,
    "charge.updated": _of_intent,
    "charge.refunded": _of_intent,
    "refund.created": _of_refund,
    "refund.updated": _of_refund,
    "refund.failed": _of_refund,
    "charge.refund.updated": _of_refund,
    "charge.dispute.created": _of_dispute,
    "charge.dispute.updated": _of_dispute,
    "charge.dispute.funds_withdrawn": _of_dispute,
    "charge.dispute.funds_reinstated": _of_dispute,
    "charge.dispute.closed": _of_dispute,
}

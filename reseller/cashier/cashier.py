"""Between Stripe and the books: asks the one, tells the other. Whatever is asked of Stripe goes through here.

No transaction is open while Stripe is asked. What was heard is learned and its event done in one commit, so that a crash in
between costs nothing but time: the event comes again, or the reconciling finds it (R17, R20).
"""

from collections.abc import Iterable
from dataclasses import replace

import structlog
from gevent import sleep

from config import Settings
from reseller import tally
from reseller.cashier.seen import refund_seen
from reseller.cashier.told import HANDLERS, Fact, known_now
from reseller.clients.stripe_api import CheckoutOpened, CheckoutWanted, StripeApi, StripeDown, StripeRefused, Unreadable
from reseller.clock import now
from reseller.database import transaction
from reseller.domain import payments
from reseller.domain.payments import EventState, Learned, MoneySeen, SessionSeen, StraySeen, events, own_orders_of, refunds, topups
from reseller.domain.payments.events import Heard
from reseller.domain.payments.refunds import Asked
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.payments.topups import Bounds, Order
from reseller.errors import Conflict, Unavailable
from reseller.tally import Part

LOOKS, LOOK_SECONDS = 10, 0.2
"""Two clicks at once: how often the second looks whether the first has the page to pay at."""

log = structlog.get_logger()


class Cashier:
    """Payments of one deployment. Where Stripe is not configured, `is_open` says so and nothing is sold."""

    def __init__(self, settings: Settings) -> None:
        key, given = (
            settings.stripe_secret_key.get_secret_value(),
            (settings.stripe_webhook_secret, settings.stripe_webhook_secret_previous),
        )
        signed_with = [secret.get_secret_value() for secret in given if secret.get_secret_value()]
        self._stripe = StripeApi(key, *signed_with, api_base=settings.stripe_api_base) if key else None
        self._settings = settings
        self._own_orders = own_orders_of(settings.secret_keys, is_live=self.takes_real_money)

    @property
    def is_open(self) -> bool:
        return self._stripe is not None

    @property
    def takes_real_money(self) -> bool:
        """Whether what is sold is paid with more than test cards."""
        return self._stripe is not None and self._stripe.is_live

    @property
    def stripe(self) -> StripeApi:
        """Raises Unavailable where it is not configured."""
        if self._stripe is None:
            raise Unavailable("Payments are switched off here.")
        return self._stripe

    @property
    def bounds(self) -> Bounds:
        """What one payment may be of."""
        return Bounds(self._settings.top_up_min_usd, self._settings.top_up_max_usd)

    def open_checkout(self, order: Order) -> str:
        """Where the customer pays the order. Raises Unavailable if Stripe cannot be asked; the order is over then.

        Only whoever began it asks Stripe; a repeat waits a little for that. Raises Conflict if it was in vain.
        """
        if order.is_repeat:
            return self._opened_by_first(order)
        try:
            opened = self._opened(order)
        except (StripeDown, StripeRefused) as error:
            topups.not_opened(order.payment_id)
            tally.note(Part.PAYMENTS, is_good=False)
            log.error("checkout_not_opened", payment_id=str(order.payment_id), error=str(error))
            raise Unavailable("Payments cannot be made just now. Nothing was charged; please try again in a few minutes.") from error
        tally.note(Part.PAYMENTS, is_good=True)
        topups.opened(order.payment_id, session_id=opened.session_id, url=opened.url, expires_at=opened.expires_at)
        return opened.url

    def hear(self, raw: bytes, signature: str) -> None:
        """The event is stored and applied, or stored and put off. Returns only after the commit (R17).

        Raises NotGenuine for what Stripe has not signed; StripeDown, StripeRefused to be told again.
        """
        event = self.stripe.read_event(raw, signature)
        heard = Heard(event.event_id, event.type, event.is_live, event.created_at, event.body)
        if event.account is not None:
            self._set_aside(heard, Why.FOREIGN, f"{heard.type} of a connected account.")
        elif events.keep(heard) == EventState.RECEIVED:
            self.apply(heard)

    def apply(self, heard: Heard) -> None:
        """What the event tells is in the books. Raises StripeDown, StripeRefused; the event waits then."""
        handler = HANDLERS.get(heard.type)
        if handler is None:
            events.done(heard.event_id, None)
            return
        if heard.is_live != self.stripe.is_live:
            self._set_aside(heard, Why.WRONG_MODE, f"{heard.type} of {'live' if heard.is_live else 'test'} mode.")
            return
        try:
            facts = list(handler(self.stripe, heard))
        except (StripeDown, StripeRefused) as error:
            events.put_off(heard.event_id, str(error))
            raise
        with transaction():
            learned = self.learn(facts, heard.event_id)
            events.done(heard.event_id, None if learned is None else learned.payment_id)

    def look(self, session_id: str) -> None:
        """The books know of this session's payment what Stripe knows now. Raises StripeDown, StripeRefused."""
        facts = list(known_now(self.stripe, session_id))
        with transaction():
            self.learn(facts)

    def send_refund(self, asked: Asked) -> None:
        """Stripe has been asked for the refund, and the books know what it said.

        Raises StripeRefused if it will never be made, and its credit is back; StripeDown if nobody knows: then it is asked again.
        """
        try:
            told = self.stripe.refund(asked.refund_id, asked.intent_id, asked.amount_usd, asked.reason)
        except Unreadable as error:  # it answered, so that it may have been made
            raise StripeDown(str(error)) from None
        except StripeRefused as error:
            refunds.refused(asked.refund_id, words=str(error))
            raise
        payments.learn_money(MoneySeen(asked.intent_id, refunds=(refund_seen(told),)))

    def catch_up(self) -> int:
        """Every event that is due was tried once; how many wait still.

        Raises StripeDown at the first that Stripe does not answer for. That one is tried last the next time, so that no event keeps
        the others waiting for long. What was tried is known by its id: by a clock that was put back it would be due again and again.
        """
        began, tried = now(), set[str]()
        while due := [heard for heard in events.unapplied(began) if heard.event_id not in tried]:
            for heard in due:
                tried.add(heard.event_id)
                self.try_again(heard)
        return events.waiting()

    def try_again(self, heard: Heard) -> str:
        """The event is in the books, or waits on: why it waits, "" if it does not. Raises StripeDown."""
        told = {"event_id": heard.event_id, "type": heard.type}
        try:
            self.apply(heard)
        except StripeDown:
            raise
        except StripeRefused as error:
            log.error("payment_event_waits", error=str(error), **told)
            return str(error)
        except Exception as error:  # a mistake of ours in one event must not keep all others waiting; it stays in sight as this one's
            log.exception("payment_event_failed", **told)
            problem = f"Failed here: {type(error).__name__}"
            events.put_off(heard.event_id, problem)
            return problem
        return ""

    def learn(self, facts: Iterable[Fact], event_id: str | None = None) -> Learned | None:
        """These are in the books; what the last of them was about, and whether one of them has credited it."""
        found: Learned | None = None
        for fact in facts:
            learned = self._learn(fact, event_id)
            if learned is not None:
                found = Learned(learned.payment_id, learned.has_credited or (found is not None and found.has_credited))
        return found

    @staticmethod
    def _opened_by_first(order: Order) -> str:
        for _ in range(LOOKS):
            if url := topups.address_of(order.payment_id):
                return url
            sleep(LOOK_SECONDS)
        raise Conflict("The page to pay this order at is still being opened. Look below in a moment, or choose again.", param="nonce")

    def _opened(self, order: Order) -> CheckoutOpened:
        """The page; for a new customer where Stripe does not know the old one any more (somebody deleted it in Stripe's pages)."""
        try:
            return self.stripe.open_checkout(self._wanted(order))
        except StripeRefused as error:
            if error.param != "customer" or order.customer_id is None:
                raise
        topups.forget_customer(order.account_id, order.customer_id)
        return self.stripe.open_checkout(self._wanted(replace(order, customer_id=None)))

    def _learn(self, fact: Fact, event_id: str | None) -> Learned | None:
        match fact:
            case SessionSeen():
                return payments.learn_session(fact, self._own_orders, event_id=event_id)
            case MoneySeen():
                return payments.learn_money(fact, event_id=event_id)
            case StraySeen():
                payments.learn_stray(fact, event_id=event_id)
        return None

    def _wanted(self, order: Order) -> CheckoutWanted:
        settings = self._settings
        page = f"{settings.base_url}/billing/payments/{order.payment_id}"
        return CheckoutWanted(
            payment_id=order.payment_id,
            account_id=order.account_id,
            amount_usd=order.amount_usd,
            bonus_usd=order.bonus_usd,
            mark=self._own_orders.mark(order.payment_id, order.account_id, order.amount_usd, order.bonus_usd),
            product_name=f"{settings.brand_name} credit",
            email=order.email,
            customer_id=order.customer_id,
            success_url=page,
            cancel_url=f"{page}?left=1",
            collect_tax_id=settings.stripe_collects_tax_id,
            automatic_tax=settings.stripe_automatic_tax,
            create_invoice=settings.stripe_creates_invoices,
            expires_at=order.expires_at,
        )

    @staticmethod
    def _set_aside(heard: Heard, why: Why, words: str) -> None:
        """Stored and done with in one commit, so that nobody applies it later; an event that is about nothing of ours alarms nobody."""
        with transaction():
            events.keep(heard)
            if heard.type in HANDLERS:
                put_aside(Aside(why, heard.event_id, words, event_id=heard.event_id))
            events.done(heard.event_id, None)

"""What we ask of Stripe. Every method may raise StripeDown and StripeRefused, and nothing else of the outside's."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import stripe

from reseller.clients.stripe_api.contract import (
    MISSING,
    CheckoutOpened,
    CheckoutWanted,
    DisputeFacts,
    Event,
    MoneyFacts,
    NotGenuine,
    RefundFacts,
    SessionFacts,
    StripeDown,
    StripeRefused,
    Unreadable,
)
from reseller.clients.stripe_api.ordering import checkout_params, refund_params
from reseller.clients.stripe_api.reading import dispute_in, id_of, instant, intent_id_in, money_in, refund_in, session_in
from reseller.clients.stripe_api.signed import read_event
from reseller.clients.stripe_api.wire import asking, client_of, plain

PAGE = 100
"""The most that a list gives at once (docs.stripe.com/api/pagination)."""
LATER_EVENTS = (
    "refund.updated", "refund.failed", "charge.dispute.updated", "charge.dispute.closed",
    "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
)  # fmt: skip
"""What happens to refunds and disputes long after they were created."""


class StripeApi:
    """One account at Stripe. Safe for any number of greenlets at once; nothing is asked before the first call."""

    def __init__(self, secret_key: str, *webhook_secrets: str, api_base: str = "") -> None:
        self._client = client_of(secret_key, api_base)
        self._webhook_secrets = webhook_secrets
        self._is_live = secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def is_live(self) -> bool:
        """Whether real money moves (docs.stripe.com/keys: the key's prefix tells)."""
        return self._is_live

    def open_checkout(self, wanted: CheckoutWanted) -> CheckoutOpened:
        """A page to pay the order at; the same one however often it is asked for. Raises ValueError for a fraction of a cent."""
        params, key = checkout_params(wanted), f"checkout-{wanted.payment_id}-{wanted.customer_id or 'new'}"
        with asking():
            found = plain(self._client.v1.checkout.sessions.create(params, {"idempotency_key": key}))
        session_id, url = id_of(found), found.get("url")
        if session_id is None or not isinstance(url, str):
            raise Unreadable("Stripe opened a checkout without an address", "unreadable")
        return CheckoutOpened(session_id, url, instant(found.get("expires_at")))

    def session(self, session_id: str) -> SessionFacts:
        """The session as it is now, with the address of its invoice."""
        with asking():
            return session_in(plain(self._client.v1.checkout.sessions.retrieve(session_id, {"expand": ["invoice"]})))

    def session_of_intent(self, intent_id: str) -> SessionFacts | None:
        """The session that the payment was made in; None if it was made without one."""
        for found in self._all(self._client.v1.checkout.sessions.list, payment_intent=intent_id, expand=["data.invoice"]):
            return session_in(found)
        return None

    def sessions_since(self, at: datetime) -> Iterator[SessionFacts | Unreadable]:
        """Every session created at or after this instant, the newest first; one that cannot be read is what is wrong with it."""
        for found in self._all(self._client.v1.checkout.sessions.list, created=_since(at), expand=["data.invoice"]):
            try:
                yield session_in(found)
            except Unreadable as error:
                error.subject = id_of(found) or "a Checkout Session without an id"
                yield error

    def money_of(self, intent_id: str) -> MoneyFacts:
        """What became of the payment's money, with every refund and dispute.

        The fee is in the balance transaction of the charge (docs.stripe.com/api/balance_transactions/object, `fee`).
        """
        with asking():
            expand = ["latest_charge.balance_transaction"]
            intent = plain(self._client.v1.payment_intents.retrieve(intent_id, {"expand": expand}))
        return money_in(intent, tuple(self._refunds_of(intent_id)), tuple(self._disputes_of(intent_id)))

    def changed_since(self, at: datetime) -> Iterator[str]:
        """Intents with a charge, refund or dispute that was created since, or a refund or dispute that changed since; each once.

        Of changes Stripe remembers 30 days (docs.stripe.com/api/events).
        """
        v1, told = self._client.v1, set[str]()
        for ask in (v1.charges.list, v1.refunds.list, v1.disputes.list):
            yield from self._new(told, (intent_id_in("", found) for found in self._all(ask, created=_since(at))))
        events = self._all(v1.events.list, created=_since(at), types=list(LATER_EVENTS))
        yield from self._new(told, (intent_id_in(found["type"], found["data"]["object"]) for found in events))

    def refund(self, refund_id: UUID, intent_id: str, amount_usd: Decimal, reason: str) -> RefundFacts:
        """The money is on its way back, once, however often and however late this is asked.

        An idempotency key may be forgotten after 24 hours (docs.stripe.com/api/idempotent_requests), so that the refunds there are
        are looked at first. A no to that look is no answer, since the refund may be among them, unless there is no such payment.
        Raises ValueError for a fraction of a cent.
        """
        params = refund_params(refund_id, intent_id, amount_usd, reason)
        try:
            made = next((each for each in self._refunds_of(intent_id) if each.metadata_id == refund_id), None)
        except StripeRefused as error:
            if error.code == MISSING:
                raise
            raise StripeDown(f"Stripe does not say what was refunded before: {error}") from None
        if made is not None:
            return made
        with asking():
            return refund_in(plain(self._client.v1.refunds.create(params, {"idempotency_key": f"refund-{refund_id}"})))

    def read_event(self, raw: bytes, signature: str) -> Event:
        """The event of these very bytes with this Stripe-Signature, by any of our secrets. Raises NotGenuine."""
        *others, last = self._webhook_secrets
        for secret in others:
            with suppress(NotGenuine):
                return read_event(raw, signature, secret)
        return read_event(raw, signature, last)

    def _refunds_of(self, intent_id: str) -> Iterator[RefundFacts]:
        return map(refund_in, self._all(self._client.v1.refunds.list, payment_intent=intent_id))

    def _disputes_of(self, intent_id: str) -> Iterator[DisputeFacts]:
        return map(dispute_in, self._all(self._client.v1.disputes.list, payment_intent=intent_id))

    @staticmethod
    def _all(ask: Any, **params: Any) -> Iterator[dict[str, Any]]:
        """Everything on a list, page by page."""
        with asking():
            page: stripe.ListObject[Any] = ask({"limit": PAGE, **params})
            yield from map(plain, page.auto_paging_iter())

    @staticmethod
    def _new(told: set[str], found: Iterator[str | None]) -> Iterator[str]:
        for intent_id in found:
            if intent_id is not None and intent_id not in told:
                told.add(intent_id)
                yield intent_id


def _since(at: datetime) -> dict[str, int]:
    return {"gte": int(at.timestamp())}

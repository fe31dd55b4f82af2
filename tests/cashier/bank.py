"""One customer, a stand-in for Stripe, and the way between them as the internet has it."""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any
from uuid import UUID

from flask import Flask

from reseller.clock import new_id
from reseller.domain import ledger
from reseller.domain.accounts import Person, Role
from reseller.domain.payments import reading, refunds, topups
from reseller.domain.payments.refunds import Asked, RefundDraft
from reseller.domain.payments.topups import Order
from reseller.money import to_usd
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.fakes.stripe import FakeStripe

CALLBACK = "/callbacks/stripe"


@dataclass
class Bank:
    """`fake` tells nobody by itself: the test says what arrives when."""

    app: Flask
    fake: FakeStripe
    buyer: Person = field(default_factory=factories.make_person)

    @property
    def cashier(self) -> Any:
        return wiring_of(self.app).cashier

    def order(self, usd: str = "20") -> Order:
        """An order that is open at Stripe."""
        begun = topups.begin(self.buyer.account_id, self.buyer.user_id, Decimal(usd), self.cashier.bounds)
        self.cashier.open_checkout(begun)
        return begun

    def paid(self, usd: str = "20") -> Order:
        """An order that was paid, and every event of it has been heard."""
        begun = self.order(usd)
        with self.fake.hold_back() as events:
            self.fake.pay(self.session_of(begun))
        self.tell(*events)
        return begun

    @cached_property
    def clerk(self) -> Person:
        """Whoever refunds."""
        return factories.make_person(role=Role.FINANCE)

    def ask(self, begun: Order, usd: str, *, nonce: UUID | None = None, reason: str = "asked for it") -> Asked:
        """A refund whose credit is taken, and of which Stripe has not heard yet."""
        draft = RefundDraft(nonce or new_id(), begun.payment_id, Decimal(usd), reason, Decimal(0))
        return refunds.ask(draft, self.clerk.user_id, {Role.FINANCE: Decimal(500)})

    def line(self, begun: Order) -> reading.PaymentLine:
        return reading.one(begun.account_id, begun.payment_id)

    def session_of(self, begun: Order) -> str:
        return str(self.line(begun).session_id)

    def intent_of(self, begun: Order) -> str:
        return str(self.fake.shop.sessions[self.session_of(begun)]["payment_intent"])

    def tell(self, *events: Any, at: int | None = None) -> list[int]:
        """The statuses by which our callback answers these events."""
        return [self.post(*self.fake.signed(event, at=at)) for event in events]

    def tell_all(self, *, seed: int = 0) -> None:
        """Everything there has ever been, twice, in some order."""
        events = self.fake.events * 2
        Random(seed).shuffle(events)
        self.tell(*events)

    def post(self, raw: bytes, signature: str | None) -> int:
        headers = {} if signature is None else {"Stripe-Signature": signature}
        return self.app.test_client().post(CALLBACK, data=raw, headers=headers, content_type="application/json").status_code

    @property
    def balance(self) -> Decimal:
        return to_usd(ledger.balance_now(self.buyer.account_id).settled_nano)

    @property
    def aside(self) -> list[str]:
        return [row["kind"] for row in scenes.rows("SELECT kind FROM suspense_items ORDER BY id")]

    @property
    def waiting(self) -> list[str]:
        """Types of events that are stored and not applied."""
        return [row["type"] for row in scenes.rows("SELECT type FROM stripe_events WHERE state = 'received' ORDER BY received_at")]

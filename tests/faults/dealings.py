"""What goes on in a shop beside calls: top-ups and refunds at a stand-in for Stripe, adjustments by staff, keys made and revoked.

Each goes on in a thread of its own until told to stop. What a fault makes fail is tried again or left: what must be true in the
end is worked out from what the stand-in says has happened.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from reseller.domain import keys
from reseller.domain.keys import digest_of
from tests import factories
from tests.cashier.bank import CALLBACK, Bank
from tests.fakes.stripe import FakeStripe
from tests.faults.clients import buy
from tests.faults.storm import Storm
from tests.servers import run_flask
from tests.shop import Customer

EFFECTIVE_SECONDS = 1.0  # R22
ORDERS_OF_ONE = 10  # an account may begin twenty in an hour
RICH_USD = "100"  # so that no refund makes an account owe us: then it would be below zero, and rightly
LOST, TWICE = 0.1, 0.4
PAUSE_SECONDS = (0.5, 5.0)
RECONCILE_SECONDS = 600.0  # for hundreds of payments, each asked about
NANO_OF_CENT = 10_000_000


class Dealings:
    """`done` counts what succeeded; `problems` are promises that were broken, in words."""

    def __init__(self, storm: Storm, stripe: FakeStripe, customers: list[Customer], seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self._storm, self._stripe, self._customers, self._seed = storm, stripe, customers, seed
        stripe.delivery.webhook = f"{storm.web.origin}{CALLBACK}"
        stripe.delivery.is_held = True  # events are told by us, and not at once
        self._bank: Bank | None = None
        self._paid: list[tuple[Bank, Any]] = []
        self._stop = threading.Event()
        self._told = 0
        doings = {"buy": self._buy, "tell": self._tell, "refund": self._refund, "adjust": self._adjust, "revoke": self._revoke}
        self._threads = [threading.Thread(target=self._run, args=(work, f"{seed} {name}"), daemon=True) for name, work in doings.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    def _run(self, work: Callable[[random.Random], None], seed: str) -> None:
        dice = random.Random(seed)
        while not self._stop.wait(dice.uniform(*PAUSE_SECONDS)):
            with suppress(Exception):  # a fault: what it left is looked at in the end
                work(dice)

    def _buy(self, dice: random.Random) -> None:
        """Somebody pays at Stripe; we hear of it later, or never."""
        with self._storm.at_work():
            if self._bank is None or len(self._paid) % ORDERS_OF_ONE == 0:
                self._bank = Bank(self._storm.app, self._stripe, factories.make_person(usd=RICH_USD))
            order = self._bank.order(str(dice.randint(5, 50)))
            self._stripe.pay(self._bank.session_of(order))
            self._paid.append((self._bank, order))
        self.done["top-up"] += 1

    def _tell(self, dice: random.Random) -> None:
        """The events since the last time, shuffled, some never, some twice; what is not taken is told again later."""
        events = self._stripe.events
        news = [event for event in events[self._told :] if dice.random() > LOST]
        self._told = len(events)
        news += [event for event in news if dice.random() < TWICE]
        dice.shuffle(news)
        for event in news:
            while self._stripe.deliver(event) != 200 and not self._stop.wait(1):
                self.done["event told in vain"] += 1

    def _refund(self, dice: random.Random) -> None:
        """At Stripe, or by staff of ours; once a payment."""
        if len(self._paid) < 4:
            return
        bank, order = self._paid[dice.randrange(len(self._paid))]
        with self._storm.at_work():
            if any(each["payment_intent"] == bank.intent_of(order) for each in self._stripe.shop.refunds.values()):
                return
            if dice.random() < 0.5:
                self._stripe.refund(bank.intent_of(order), dice.randint(1, int(order.amount_usd) * 100))
            else:
                bank.cashier.send_refund(bank.ask(order, str(dice.randint(1, int(order.amount_usd)))))
        self.done["refund"] += 1

    def _adjust(self, dice: random.Random) -> None:
        with self._storm.at_work():
            factories.grant(dice.choice(self._customers).person, usd=dice.choice(["0.01", "0.5", "-0.01", "-0.000000001"]))
        self.done["adjustment"] += 1

    def _revoke(self, dice: random.Random) -> None:
        """A new key works, or meets a fault; a second after its revocation it never works again."""
        customer = dice.choice(self._customers)
        with self._storm.at_work():
            customer = replace(customer, key=factories.make_key(customer.person))
        buy(customer)
        while not self._revoked(customer):
            if self._stop.wait(0.5):
                return
        until = time.monotonic() + EFFECTIVE_SECONDS
        self._stop.wait(until - time.monotonic())
        answer = buy(customer, stream=dice.random() < 0.5)
        if answer.status == 200:
            self.problems.append(f"R22: a key was revoked a second ago and bought {answer.call_id}")
        self.done["revocation"] += 1

    def _revoked(self, customer: Customer) -> bool:
        [row] = self._storm.query("SELECT id FROM api_keys WHERE key_hash = %s", digest_of(customer.key))
        with suppress(Exception), self._storm.at_work():
            keys.revoke(str(row["id"]), actor=factories.ACTOR)
        [row] = self._storm.query("SELECT revoked_at FROM api_keys WHERE id = %s", row["id"])
        return row["revoked_at"] is not None

    def settle(self) -> list[str]:
        """Everything that Stripe knows has been found out; credits that are not what was paid less what went back, in words."""
        told = run_flask("payments", "reconcile", env=self._storm.web.environment, seconds=RECONCILE_SECONDS)
        problems = [told.stdout + told.stderr] if told.returncode else []
        for bank, order in self._paid:
            with self._storm.at_work():
                due = self._due_cents(bank, order) * NANO_OF_CENT
            [row] = self._storm.query(
                "SELECT coalesce(sum(amount_nano), 0) AS nano FROM ledger_entries WHERE reference = %s OR reference LIKE %s",
                str(order.payment_id),
                f"{order.payment_id}:%",
            )
            if row["nano"] != due:
                problems.append(f"R17, R19: payment {order.payment_id} is in the books with {row['nano']}, at Stripe with {due}")
        return problems

    def _due_cents(self, bank: Bank, order: Any) -> int:
        """Paid less taken back, as the stand-in has it."""
        intent = bank.intent_of(order)
        back = [each["amount"] for each in self._stripe.shop.refunds.values() if each["payment_intent"] == intent]
        return int(order.amount_usd * 100) - sum(back)

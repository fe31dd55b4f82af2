"""Stripe tells of payments while processes die and the database fails: one credit, and none is called done too early (R17, R13)."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from reseller.domain import books
from reseller.domain.payments.topups import Order
from tests.cashier.bank import CALLBACK, Bank
from tests.deployment import Cluster
from tests.fakes.stripe import FakeStripe
from tests.faults.commits import Fate
from tests.faults.evidence import assert_proved_by_command
from tests.faults.storm import Storm, open_storm
from tests.waiting import wait_until

STORED, APPLIED = 1, 2
"""The commits of an event in their order: it is kept, and what it tells is in the books."""

KILLS = 6
DOUBTFUL = [Fate.NEVER_ARRIVES, Fate.ANSWER_LOST, Fate.ANSWER_CUT_SHORT]


@dataclass(slots=True)
class Till:
    """A shop in the open, and the stand-in whose events reach it only when a test delivers them."""

    storm: Storm
    fake: FakeStripe

    def buyer(self) -> Bank:
        with self.storm.at_work():
            return Bank(self.storm.app, self.fake)

    def paid(self, bank: Bank, usd: str = "20") -> tuple[Order, list[Any]]:
        """An order that was paid, and the events that nobody has been told."""
        with self.storm.at_work():
            order = bank.order(usd)
            session_id = bank.session_of(order)
        with self.fake.hold_back() as events:
            self.fake.pay(session_id)
        return order, events

    def balance(self, bank: Bank) -> Decimal:
        with self.storm.at_work():
            return bank.balance

    def state_of(self, event: Any) -> str:
        """How far it has come; "" if it is not stored."""
        found = self.storm.query("SELECT state FROM stripe_events WHERE id = %s", event["id"])
        return found[0]["state"] if found else ""

    def assert_credited_once(self, *orders: Order) -> None:
        for order in orders:
            entries = self.storm.query(
                "SELECT kind, amount_nano FROM ledger_entries WHERE reference = %s OR reference LIKE %s",
                str(order.payment_id),
                f"{order.payment_id}:%",
            )
            assert [(entry["kind"], entry["amount_nano"]) for entry in entries] == [("top_up", int(order.amount_usd * 10**9))]
        with self.storm.at_work():
            assert list(books.verify().mismatches) == []


@pytest.fixture(scope="module")
def opened(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """Two web processes and no worker, which would find out by itself what was not told."""
    with FakeStripe() as fake, open_storm(cluster, tmp_path_factory.mktemp("paying"), **fake.settings()) as storm:
        storm.kill_clock()
        fake.webhook = f"{storm.web.origin}{CALLBACK}"
        yield Till(storm, fake)
        assert_proved_by_command(storm)


@pytest.fixture
def till(opened: Till) -> Iterator[Till]:
    yield opened
    opened.storm.proxy.let_all_pass()
    opened.storm.proxy.pass_on()


def at_once(till: Till, events: Sequence[Any], sides: int, seed: int = 0) -> list[int]:
    """Every event from every side, each in an order of its own; all the answers."""

    def tell(side: int) -> list[int]:
        told = list(events)
        Random(seed * 100 + side).shuffle(told)
        return [till.fake.deliver(event) for event in told]

    with ThreadPoolExecutor(sides) as pool:
        return [status for told in pool.map(tell, range(sides)) for status in told]


@pytest.mark.parametrize("commit", [STORED, APPLIED])
@pytest.mark.parametrize("fate", DOUBTFUL)
def test_an_event_whose_commit_is_in_doubt_is_told_again_and_credits_once(till: Till, fate: Fate, commit: int) -> None:
    bank = till.buyer()
    order, events = till.paid(bank)
    [event] = [event for event in events if event["type"] == "checkout.session.completed"]
    trap = till.storm.proxy.catch_about(fate, event["id"], nth=commit)

    first = till.fake.deliver(event)
    trap.await_catch()
    till.storm.proxy.let_all_pass()
    committed = till.balance(bank)
    again = [till.fake.deliver(event) for _ in range(2)]

    assert first in (500, 503)
    assert committed == (20 if commit == APPLIED and fate is not Fate.NEVER_ARRIVES else 0)
    assert again == [200, 200]
    assert (till.balance(bank), till.state_of(event)) == (Decimal(20), "applied")
    till.assert_credited_once(order)


@pytest.mark.parametrize("commit", [STORED, APPLIED])
@pytest.mark.parametrize("fate", [Fate.HELD_BACK, Fate.ANSWER_HELD_BACK])
def test_a_process_killed_around_a_commit_leaves_one_credit_once_it_is_told_again(till: Till, fate: Fate, commit: int) -> None:
    """kill -9 before the COMMIT arrives, and between the COMMIT and the answer to Stripe."""
    bank = till.buyer()
    order, events = till.paid(bank)
    [event] = [event for event in events if event["type"] == "checkout.session.completed"]
    trap = till.storm.proxy.catch_about(fate, event["id"], nth=commit)
    answers: list[int] = []
    telling = threading.Thread(target=lambda: answers.append(till.fake.deliver(event)), daemon=True)

    telling.start()
    trap.await_catch()
    till.storm.kill_webs()
    telling.join(20)
    till.storm.proxy.let_all_pass()
    committed = till.balance(bank)
    again = at_once(till, [*events, event], sides=2)

    assert answers == [0]
    assert committed == (20 if (commit, fate) == (APPLIED, Fate.ANSWER_HELD_BACK) else 0)
    assert set(again) == {200}
    assert till.balance(bank) == Decimal(20)
    till.assert_credited_once(order)


def test_events_under_repeated_kills_credit_each_payment_once(till: Till) -> None:
    """One of the two processes dies, again and again, while events arrive from three sides; what was not taken is told again."""
    bank = till.buyer()
    paid = [till.paid(bank, str(10 + number)) for number in range(4)]
    events = [event for _, told in paid for event in told]
    answers: list[int] = []
    telling = threading.Thread(target=lambda: answers.extend(at_once(till, events, sides=3)), daemon=True)
    dice = Random(1)

    telling.start()
    kills = 0
    while telling.is_alive() and kills < KILLS:
        os.kill(dice.choice(till.storm.web.worker_pids), signal.SIGKILL)
        kills += 1
        wait_until(lambda: len(till.storm.web.worker_pids) == 2)
        telling.join(0.5)
    telling.join(60)
    wait_until(lambda: till.storm.web.status_of("/readyz") == 200)
    last = at_once(till, events, sides=2, seed=1)

    assert kills > 1
    assert len(answers) == 3 * len(events)
    assert set(answers) > {200}, "no delivery was hit"
    assert set(answers) <= {0, 200, 500, 502, 503}
    assert set(last) == {200}
    assert till.balance(bank) == Decimal(10 + 11 + 12 + 13)
    till.assert_credited_once(*(order for order, _ in paid))


def test_two_processes_that_hear_the_same_events_at_once_credit_once(till: Till) -> None:
    bank = till.buyer()
    paid = [till.paid(bank, usd) for usd in ("10", "20", "30")]
    events = [event for _, told in paid for event in told]

    answers = at_once(till, events, sides=8)

    assert set(answers) == {200}
    assert till.balance(bank) == Decimal(60)
    till.assert_credited_once(*(order for order, _ in paid))


def test_without_a_database_nothing_is_called_done_and_it_is_told_again(till: Till) -> None:
    """R13."""
    bank = till.buyer()
    order, events = till.paid(bank)
    till.storm.proxy.refuse()
    till.storm.proxy.cut_all()

    down = [till.fake.deliver(event) for event in events]
    till.storm.proxy.pass_on()
    up = [till.fake.deliver(event) for event in events]

    assert set(down) <= {500, 503}
    assert set(up) == {200}
    assert till.balance(bank) == Decimal(20)
    till.assert_credited_once(order)


def test_a_database_that_has_fallen_silent_is_not_waited_for_for_ever(till: Till) -> None:
    bank = till.buyer()
    order, events = till.paid(bank)
    till.storm.proxy.fall_silent()

    silent = [till.fake.deliver(event) for event in events[:1]]
    till.storm.proxy.pass_on(revives=False)
    wait_until(lambda: till.storm.web.status_of("/readyz") == 200, 30)
    for event in events:  # a process may still find out which of its connections are dead
        wait_until(lambda event=event: till.fake.deliver(event) == 200, 60)  # type: ignore[misc]

    assert silent[0] in (500, 503)
    till.assert_credited_once(order)

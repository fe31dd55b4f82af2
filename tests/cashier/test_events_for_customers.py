"""From what Stripe says at our callback, by the worker, to the customer's own program: each fact once."""

from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from reseller.domain import webhooks
from reseller.domain.identity.sealing import Seal
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker.context import Context
from reseller.worker.webhooks import send_webhooks
from tests.cashier.bank import Bank
from tests.domain.webhooks import hooking
from tests.fakes.receiver import Receiver


class Program:
    """What the buyer runs; `heard` is what it has been sent so far, without what it heard before."""

    def __init__(self, bank: Bank, receiver: Receiver) -> None:
        wiring = wiring_of(bank.app)
        settings = wiring.settings.model_copy(update={"webhooks_allow_loopback": True})
        self._worker = Context(replace(wiring, settings=settings), Heart(bank.app, "worker"), is_once=True)
        self._receiver, self._known = receiver, 0
        seal = Seal(settings.secret_keys, webhooks.SEALED_FOR)
        self._secret, _ = hooking.add(bank.buyer, url=receiver.url(), seal=seal)

    def heard(self) -> list[tuple[str, dict[str, Any]]]:
        send_webhooks(self._worker)
        new, self._known = self._receiver.at("/ok")[self._known :], len(self._receiver.at("/ok"))
        messages = [Webhook(self._secret).verify(message.body, message.headers) for message in new]
        return [(message["type"], message["data"]) for message in messages]


@pytest.fixture
def program(bank: Bank, receiver: Receiver) -> Program:
    return Program(bank, receiver)


def test_a_payment_and_its_credit(bank: Bank, program: Program) -> None:
    order = bank.paid("20")
    bank.tell_all()

    (credit, added), (paid, payment) = program.heard()

    assert (credit, added["kind"], added["added_usd"], added["balance_usd"]) == ("balance.topped_up", "top_up", "20", "20")
    assert (paid, payment["payment_id"], payment["amount_usd"]) == ("payment.paid", str(order.payment_id), "20")
    bank.tell_all(seed=3)
    assert program.heard() == []


def test_money_that_goes_back_and_comes_again(bank: Bank, program: Program) -> None:
    order = bank.paid("50")
    program.heard()
    intent_id = bank.intent_of(order)

    failed = bank.fake.refund(intent_id, 500)
    bank.tell_all(seed=1)
    refunded = program.heard()
    bank.fake.fail_refund(failed["id"])
    dispute = bank.fake.dispute(intent_id, 1500)
    bank.tell_all(seed=2)
    disputed = program.heard()
    bank.fake.win(dispute["id"])
    bank.tell_all(seed=3)
    won = program.heard()

    assert [(name, data["refunded_usd"]) for name, data in refunded] == [("payment.refunded", "5")]
    assert {name for name, _ in disputed} == {"payment.refund_failed", "balance.topped_up", "payment.disputed"}
    assert [name for name, _ in won] == ["balance.topped_up", "payment.dispute_closed"]
    assert (won[0][1]["kind"], won[0][1]["added_usd"], won[1][1]["withdrawn_usd"]) == ("dispute", "15", "0")


def test_a_refund_by_staff_is_told_once_stripe_has_taken_it(bank: Bank, program: Program) -> None:
    order = bank.paid("50")
    program.heard()
    asked = bank.ask(order, "10")
    before = program.heard()

    bank.cashier.send_refund(asked)
    bank.tell_all()

    assert before == []
    assert [(name, data["refund_id"], data["refunded_usd"]) for name, data in program.heard()] == [
        ("payment.refunded", str(asked.refund_id), "10")
    ]


def test_what_was_not_paid(bank: Bank, program: Program) -> None:
    late, bounced = bank.order(), bank.order("30")
    bank.fake.expire(bank.session_of(late))
    bank.fake.pay_later(bank.session_of(bounced))
    bank.fake.bounce(bank.session_of(bounced))

    bank.tell_all()
    bank.tell_all(seed=5)

    assert sorted((name, data["payment_id"]) for name, data in program.heard()) == [
        ("payment.expired", str(late.payment_id)),
        ("payment.failed", str(bounced.payment_id)),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_two_processes_that_hear_it_in_another_order_tell_it_once(bank: Bank, program: Program, seed: int) -> None:
    order = bank.order("50")
    bank.fake.pay(bank.session_of(order))
    bank.fake.refund(bank.intent_of(order), 500)
    bank.fake.lose(bank.fake.dispute(bank.intent_of(order), 1500)["id"])

    bank.tell_all(seed=seed)

    found = [name for name, _ in program.heard()]
    assert sorted(found) == [
        "balance.topped_up", "payment.dispute_closed", "payment.disputed", "payment.paid", "payment.refunded",
    ]  # fmt: skip

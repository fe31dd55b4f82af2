"""POST /callbacks/stripe: what Stripe signs is in the books once, whatever comes in whatever order (R17-R19)."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import stripe

from reseller.callbacks import MAX_BYTES
from reseller.cashier import HANDLERS
from reseller.clock import unix_seconds
from tests.cashier.bank import Bank
from tests.domain import scenes
from tests.fakes.stripe import FakeStripe


def test_a_paid_order_is_credit_once(bank: Bank) -> None:
    order = bank.paid()

    bank.tell_all()

    line = bank.line(order)
    assert (bank.balance, line.status, bank.aside, bank.waiting) == (Decimal(20), "paid", [], [])
    assert line.receipt_url is not None
    assert scenes.problems() == []


@pytest.mark.parametrize("alone", ["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded", "charge.updated"])
def test_one_event_of_any_type_is_enough(bank: Bank, alone: str) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))

    assert set(bank.tell(*bank.fake.events_of(alone))) == {200}

    assert bank.balance == Decimal(20)


def test_a_debit_is_credit_when_the_bank_has_paid(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay_later(bank.session_of(order))
    bank.tell(*bank.fake.events)
    before, status = bank.balance, bank.line(order).status

    bank.fake.arrive(bank.session_of(order))
    bank.tell_all()

    assert (before, status, bank.balance, bank.line(order).status) == (0, "processing", Decimal(20), "paid")


def test_a_debit_that_bounced_is_none(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay_later(bank.session_of(order))
    bank.fake.bounce(bank.session_of(order))

    bank.tell_all()

    assert (bank.balance, bank.line(order).status) == (0, "failed")


def test_nobody_paid_in_time(bank: Bank) -> None:
    order = bank.order()
    bank.fake.expire(bank.session_of(order))

    bank.tell_all()

    assert (bank.balance, bank.line(order).status) == (0, "expired")


def test_what_goes_back_at_stripe_goes_back_here(bank: Bank) -> None:
    order = bank.paid("50")
    intent_id = bank.intent_of(order)
    bank.fake.refund(intent_id, 1000)
    failed = bank.fake.refund(intent_id, 500)
    bank.fake.fail_refund(failed["id"])
    dispute = bank.fake.dispute(intent_id, 1500)
    bank.tell_all(seed=1)
    disputed = bank.balance

    bank.fake.win(dispute["id"])
    bank.tell_all(seed=2)

    assert (disputed, bank.balance) == (Decimal(25), Decimal(40))
    assert scenes.problems() == []


def test_a_refund_that_is_heard_of_before_its_payment(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    bank.fake.refund(bank.intent_of(order), 500)
    backwards = sorted(bank.fake.events, key=lambda event: not event["type"].startswith(("refund", "charge.refund")))

    assert set(bank.tell(*backwards)) == {200}

    assert bank.balance == Decimal(15)


@pytest.mark.parametrize("seed", range(6))
def test_everything_at_once_from_many_sides(bank: Bank, seed: int) -> None:
    """R17: seven deliveries at a time, each in an order of its own."""
    orders = [bank.order(str(10 + number)) for number in range(3)]
    for order in orders:
        bank.fake.pay(bank.session_of(order))
    bank.fake.refund(bank.intent_of(orders[0]), 400)
    bank.fake.lose(bank.fake.dispute(bank.intent_of(orders[1]))["id"])

    with ThreadPoolExecutor(7) as sides:
        statuses = list(sides.map(lambda side: bank.tell(*_shuffled(bank.fake.events, seed * 10 + side)), range(7)))

    assert {status for answered in statuses for status in answered} == {200}
    assert bank.balance == Decimal(10 - 4 + 12)
    assert (bank.aside, bank.waiting, scenes.problems()) == ([], [], [])


def _shuffled(events: list[Any], seed: int) -> list[Any]:
    told = events + events[: len(events) // 2]
    Random(seed).shuffle(told)
    return told


def test_every_type_that_is_handled_has_been_heard_in_these_tests(bank: Bank) -> None:
    """So that a new handler comes with its event."""
    order, debit, bounced, late = (bank.order() for _ in range(4))
    bank.fake.pay(bank.session_of(order))
    bank.fake.pay_later(bank.session_of(debit))
    bank.fake.arrive(bank.session_of(debit))
    bank.fake.pay_later(bank.session_of(bounced))
    bank.fake.bounce(bank.session_of(bounced))
    bank.fake.expire(bank.session_of(late))
    bank.fake.fail_refund(bank.fake.refund(bank.intent_of(order), 100)["id"])
    bank.fake.win(bank.fake.dispute(bank.intent_of(order), 100)["id"])

    bank.tell(*bank.fake.events)

    heard = {row["type"] for row in scenes.rows("SELECT type FROM stripe_events WHERE state = 'applied'")}
    assert set(HANDLERS) <= heard
    assert bank.balance == Decimal(40)


# What is not Stripe's word, or none about us (R18).


def forged(fake: FakeStripe, event: Any) -> tuple[bytes, str]:
    """Signed with another secret."""
    with FakeStripe(webhook_secret="whsec_of_somebody_else") as other:
        return other.signed(event)


def paid_event(bank: Bank) -> Any:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    return bank.fake.events_of("checkout.session.completed")[0]


def test_a_forged_event_does_nothing_and_alarms(bank: Bank, logged: list[Any]) -> None:
    event = paid_event(bank)
    raw, signature = bank.fake.signed(event)

    answers = [
        bank.post(*forged(bank.fake, event)),
        bank.post(raw, None),
        bank.post(raw, ""),
        bank.post(raw + b" ", signature),
        bank.post(raw.replace(b"2000", b"9000"), signature),
        *bank.tell(event, at=unix_seconds() - 301),
        *bank.tell(event, at=unix_seconds() + 301),
    ]

    assert answers == [400] * 7
    assert (bank.balance, scenes.rows("SELECT 1 FROM stripe_events")) == (0, [])
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == ["payment_event_forged"]


def test_a_replay_is_heard_and_changes_nothing(bank: Bank) -> None:
    event = paid_event(bank)
    raw, signature = bank.fake.signed(event)

    assert [bank.post(raw, signature) for _ in range(3)] == [200] * 3

    assert bank.balance == Decimal(20)


def test_an_event_of_another_mode_is_put_aside(bank: Bank) -> None:
    event = paid_event(bank) | {"livemode": True}

    assert bank.tell(event) == [200]

    assert (bank.balance, bank.aside) == (0, ["wrong_mode"])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount_subtotal": 900_000, "amount_total": 900_000}, "wrong_amount"),
        ({"amount_subtotal": 1, "amount_total": 1}, "wrong_amount"),
        ({"currency": "jpy"}, "wrong_currency"),
        ({"livemode": True}, "wrong_mode"),
        ({"id": "cs_test_another"}, "wrong_session"),
        ({"client_reference_id": None, "metadata": {}}, "foreign"),
        ({"client_reference_id": "0197c9c4-0000-7000-8000-000000000000"}, "foreign"),
    ],
)
def test_money_that_does_not_fit_is_put_aside_with_an_alarm(bank: Bank, logged: list[Any], changed: dict[str, Any], why: str) -> None:
    event = paid_event(bank)
    event["data"]["object"].update(changed)

    assert bank.tell(event, event) == [200, 200]

    assert (bank.balance, bank.aside) == (0, [why])
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == [f"payment_{why}"]


def test_money_for_something_else_on_the_same_account_is_put_aside_once(bank: Bank) -> None:
    bank.fake.foreign_payment(4_000)

    bank.tell_all()

    assert (bank.balance, bank.aside) == (0, ["foreign"])
    assert scenes.rows("SELECT amount_nano FROM suspense_items") == [{"amount_nano": 40_000_000_000}]


def test_tax_on_top_is_no_credit(bank: Bank) -> None:
    bank.fake.shop.tax_percent = 19
    order = bank.order()
    bank.fake.shop.sessions[bank.session_of(order)]["automatic_tax"] = {"enabled": True}
    session = bank.fake.shop.sessions[bank.session_of(order)]
    session |= {"amount_total": 2380, "total_details": {"amount_tax": 380, "amount_discount": 0, "amount_shipping": 0}}
    bank.fake.pay(session["id"])

    bank.tell_all()

    assert (bank.balance, bank.line(order).total_usd, bank.line(order).tax_usd) == (Decimal(20), Decimal("23.80"), Decimal("3.80"))


def test_events_about_nothing_of_ours_are_ignored(bank: Bank) -> None:
    event = paid_event(bank) | {"type": "customer.created"}

    assert bank.tell(event) == [200]

    assert scenes.rows("SELECT state FROM stripe_events") == [{"state": "ignored"}]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"type": "x"}', b'{"type": "x", "type": "y", "data": {"object": {}}}', b"\xff\xfe"],
)
def test_what_is_signed_and_no_event_is_refused(bank: Bank, raw: bytes) -> None:
    header = stripe.WebhookSignature.generate_signature_header(raw.decode("latin-1"), bank.fake.webhook_secret, unix_seconds())

    assert bank.post(raw, header) == 400


def test_an_event_beyond_every_size_is_not_read(bank: Bank) -> None:
    assert bank.post(b" " * (MAX_BYTES + 1), "t=1,v1=00") == 413


def test_only_post_is_answered(bank: Bank) -> None:
    assert bank.app.test_client().get("/callbacks/stripe").status_code == 405


# When something is down.


def test_an_event_that_needs_stripe_waits_for_it(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    (event,) = bank.fake.events_of("payment_intent.succeeded")
    bank.fake.is_down = True
    answered, waiting, before = bank.tell(event), bank.waiting, bank.balance

    bank.fake.is_down = False
    left = bank.cashier.catch_up()

    assert (answered, waiting, before) == ([503], ["payment_intent.succeeded"], 0)
    assert (left, bank.balance, bank.waiting) == (0, Decimal(20), [])


def test_a_paid_session_is_credit_though_stripe_is_down(bank: Bank) -> None:
    event = paid_event(bank)
    bank.fake.is_down = True

    assert bank.tell(event) == [200]

    assert bank.balance == Decimal(20)


def test_an_object_that_cannot_be_read_waits_and_is_told_of(bank: Bank) -> None:
    event = paid_event(bank)
    event["data"]["object"].pop("created")

    assert bank.tell(event) == [503]

    (row,) = scenes.rows("SELECT state, problem FROM stripe_events")
    assert row["state"] == "received"
    assert "KeyError" in row["problem"]
    assert bank.cashier.catch_up() == 1

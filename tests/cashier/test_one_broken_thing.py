"""Whatever is wrong with one event, session, payment or refund keeps no other waiting (R17, R20)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.cashier import Unfinished, reconcile, reconciling
from reseller.clients.stripe_api import StripeDown
from reseller.clock import now
from reseller.domain.payments import events
from tests.cashier.bank import Bank
from tests.domain import scenes

Answers = Callable[[str, str], None]


@pytest.fixture
def never_answers(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Stripe is well, but for this one thing."""
    real = bank.fake.api.answer

    def break_for(method: str, path: str) -> None:
        def answer(asked_method: str, asked_path: str, *rest: Any) -> Any:
            if (asked_method, asked_path) == (method, path):
                return 500, {}, {"error": {"type": "api_error", "message": "An unknown error occurred"}}
            return real(asked_method, asked_path, *rest)

        monkeypatch.setattr(bank.fake.api, "answer", answer)

    return break_for


def test_a_session_that_cannot_be_read_is_looked_at_by_somebody(bank: Bank) -> None:
    whole, broken = bank.order("20"), bank.order("30")
    bank.fake.pay(bank.session_of(whole))
    bank.fake.pay(bank.session_of(broken))
    bank.fake.shop.sessions[bank.session_of(broken)]["amount_subtotal"] = "3000"

    found = reconcile(bank.cashier)

    assert (bank.balance, found.healed) == (Decimal(20), 1)
    assert set(bank.aside) == {"unreadable"}
    assert {row["subject"] for row in scenes.rows("SELECT subject FROM suspense_items")} >= {bank.session_of(broken)}


def test_a_payment_that_stripe_does_not_answer_for_is_said_at_the_end(bank: Bank, never_answers: Answers) -> None:
    whole, broken = bank.paid("30"), bank.paid("20")
    with bank.fake.hold_back():
        bank.fake.refund(bank.intent_of(whole))
    never_answers("GET", f"/v1/payment_intents/{bank.intent_of(broken)}")

    with pytest.raises(Unfinished, match="1 could not be looked at"):
        reconcile(bank.cashier)

    assert bank.balance == Decimal(20)


def test_a_refund_that_stripe_does_not_answer_for_keeps_no_order_open(bank: Bank, never_answers: Answers) -> None:
    bank.ask(bank.paid("20"), "5")
    order = bank.order("30")
    bank.fake.pay(bank.session_of(order))
    never_answers("POST", "/v1/refunds")

    with pytest.raises(Unfinished, match="1 could not be looked at"):
        reconcile(bank.cashier)

    assert (bank.line(order).status, bank.balance) == ("paid", Decimal(45))


def test_a_mistake_of_ours_in_one_payment_is_said_in_one_line(app: Flask, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    monkeypatch.setattr(reconciling.topups, "unsettled", lambda: [None])

    told = app.test_cli_runner().invoke(args=["payments", "reconcile"])

    assert (told.exit_code, bank.balance) == (1, Decimal(20))
    assert told.output.splitlines()[-1] == "Error: 1 could not be looked at, see the log; the first: failed here: TypeError"


def wait_unreadable(count: int) -> None:
    for number in range(count):
        scenes.execute(
            "INSERT INTO stripe_events (id, type, is_live, happened_at, received_at, state, problem, body)"
            " VALUES (:id, 'checkout.session.completed', false, now(), now() - interval '1 hour', 'received', '', '{}')",
            id=f"evt_{number}",
        )


def test_events_that_cannot_be_read_keep_no_other_waiting(bank: Bank) -> None:
    wait_unreadable(230)
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    (event,) = bank.fake.events_of("payment_intent.succeeded")
    bank.fake.is_down = True
    bank.tell(event)
    bank.fake.is_down = False

    left = bank.cashier.catch_up()

    assert (bank.balance, left, events.waiting()) == (Decimal(20), 230, 230)


def test_an_event_that_stripe_does_not_answer_for_is_tried_last(bank: Bank, never_answers: Answers) -> None:
    broken, whole = bank.order("30"), bank.order("20")
    with bank.fake.hold_back() as told:
        for order in (broken, whole):
            bank.fake.pay(bank.session_of(order))
    bank.fake.is_down = True
    bank.tell(*[event for event in told if event["type"] == "payment_intent.succeeded"])
    bank.fake.is_down = False
    never_answers("GET", f"/v1/payment_intents/{bank.intent_of(broken)}")

    for _ in range(2):
        with pytest.raises(StripeDown):
            bank.cashier.catch_up()

    assert bank.balance == Decimal(20)


def test_what_waits_long_is_tried_less_and_less_often(bank: Bank) -> None:
    wait_unreadable(1)  # for an hour
    bank.cashier.catch_up()
    due = []
    for ago in ("4 minutes", "6 minutes"):
        scenes.execute("UPDATE stripe_events SET handled_at = now() - CAST(:ago AS interval)", ago=ago)
        due.append(len(events.unapplied(now())))
    scenes.execute("UPDATE stripe_events SET received_at = now() - interval '9 days', handled_at = now() - interval '61 minutes'")

    assert (due, len(events.unapplied(now()))) == ([0, 1], 1)


def test_a_mistake_of_ours_in_one_event_keeps_no_other_waiting(bank: Bank, monkeypatch: pytest.MonkeyPatch, logged: list[Any]) -> None:
    broken, whole = bank.order("30"), bank.order("20")
    for order in (broken, whole):
        bank.fake.pay(bank.session_of(order))
    bank.fake.is_down = True
    bank.tell(*bank.fake.events_of("payment_intent.succeeded"))
    bank.fake.is_down = False
    real = bank.cashier.learn

    def learn(facts: Any, event_id: str | None = None) -> Any:
        if any(getattr(fact, "payment_id", None) == broken.payment_id for fact in facts):
            raise ZeroDivisionError
        return real(facts, event_id)

    monkeypatch.setattr(bank.cashier, "learn", learn)

    assert bank.cashier.catch_up() == 1

    assert bank.balance == Decimal(20)
    assert [event["event"] for event in logged if event["event"] == "payment_event_failed"] == ["payment_event_failed"]
    assert [row["problem"] for row in scenes.rows("SELECT problem FROM stripe_events WHERE state = 'received'")] == [
        "Failed here: ZeroDivisionError"
    ]


def test_an_event_that_was_applied_meanwhile_stays_so(bank: Bank) -> None:
    bank.paid()
    [event_id] = [event["id"] for event in bank.fake.events_of("checkout.session.completed")]

    events.put_off(event_id, "too late")

    assert scenes.rows("SELECT state, problem FROM stripe_events WHERE id = :id", id=event_id) == [{"state": "applied", "problem": ""}]
    assert events.unapplied(now()) == []


def test_an_event_is_tried_once_in_a_run_though_the_clock_is_put_back(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """R39: by such a clock it was tried an hour ago, and so again at once, until the clock is where it was."""
    wait_unreadable(3)
    tried: list[str] = []
    put_off = events.put_off

    def put_off_by_another_clock(event_id: str, problem: str) -> None:
        tried.append(event_id)
        assert len(tried) < 10
        with monkeypatch.context() as patched:
            patched.setattr(events, "now", lambda: now() - timedelta(hours=2))
            put_off(event_id, problem)

    monkeypatch.setattr(events, "put_off", put_off_by_another_clock)

    assert bank.cashier.catch_up() == 3
    assert sorted(tried) == ["evt_0", "evt_1", "evt_2"]

"""What looks like an order of ours and is none, or pays another sum: nothing is credited, and somebody looks (R18)."""

import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import stripe
from flask import Flask

from reseller.cashier import reconcile
from reseller.clock import new_id, unix_seconds
from reseller.domain.payments import learning
from tests.cashier.bank import Bank
from tests.domain import scenes


def paid_event(bank: Bank, usd: str = "20", **changed: Any) -> Any:
    """That this order was paid, as Stripe tells it but for these fields of the session."""
    bank.fake.pay(bank.session_of(bank.order(usd)))
    event = copy.deepcopy(bank.fake.events_of("checkout.session.completed")[-1])
    event["data"]["object"].update(changed)
    return event


def discounted(cents: int, total: int) -> dict[str, Any]:
    less = {"amount_tax": 0, "amount_discount": cents - total, "amount_shipping": 0}
    return {"amount_subtotal": cents, "amount_total": total, "total_details": less}


def another_order(bank: Bank, **more: Any) -> dict[str, Any]:
    """A session of an order that nobody knows, in the name of an account of ours."""
    payment_id = str(new_id())
    ids = {"payment_id": payment_id, "account_id": str(bank.buyer.account_id)}
    made = {"id": "cs_test_neighbour", "payment_intent": "pi_neighbour", "client_reference_id": payment_id, "metadata": ids}
    return made | more


def payments() -> int:
    return len(scenes.rows("SELECT 1 FROM payments"))


def test_a_discount_that_we_never_gave_is_not_credited(bank: Bank) -> None:
    event = paid_event(bank, "500", **discounted(50_000, 50))

    assert bank.tell(event) == [200]

    assert (bank.balance, bank.aside) == (0, ["wrong_amount"])
    assert scenes.rows("SELECT amount_nano FROM suspense_items") == [{"amount_nano": 500_000_000}]


def test_a_tax_below_zero_makes_no_price_of_a_part_of_it(bank: Bank) -> None:
    event = paid_event(bank, amount_total=50, total_details={"amount_tax": -1950})

    assert bank.tell(event) == [200]

    assert (bank.balance, bank.aside) == (0, ["wrong_amount"])


@pytest.mark.parametrize("more", [{}, discounted(10_000_000, 50), {"currency": "jpy"}])
def test_another_programs_session_in_an_accounts_name_is_no_order(bank: Bank, more: dict[str, Any]) -> None:
    """Whoever else sells through the same Stripe account can write our ids, and not our mark."""
    event = paid_event(bank, **another_order(bank, **more))

    assert bank.tell(event) == [200]

    assert (bank.balance, bank.aside, payments()) == (0, ["foreign"], 1)


@pytest.mark.parametrize("mark", [["x"], {"a": 1}, 7, True, None])
def test_a_mark_that_is_no_text_is_none(bank: Bank, mark: Any) -> None:
    event = paid_event(bank, **another_order(bank))
    event["data"]["object"]["metadata"] |= {"bonus_usd": mark, "mark": mark}

    assert bank.tell(event) == [200]

    assert (bank.balance, bank.aside) == (0, ["foreign"])


def test_the_mark_of_one_order_is_none_for_another(bank: Bank) -> None:
    event = paid_event(bank)
    copied = event["data"]["object"]["metadata"] | {"payment_id": str(new_id())}
    event["data"]["object"] |= {"id": "cs_test_copy", "client_reference_id": copied["payment_id"], "metadata": copied}

    bank.tell(event)

    assert (bank.balance, bank.aside) == (0, ["foreign"])


def test_a_session_of_somebody_elses_account_does_not_pay_the_order(bank: Bank) -> None:
    event = paid_event(bank)
    event["data"]["object"]["metadata"]["account_id"] = str(new_id())

    bank.tell(event)

    assert (bank.balance, bank.aside) == (0, ["wrong_session"])


def test_a_session_that_we_have_not_opened_does_not_pay_an_order_without_one(bank: Bank) -> None:
    event = paid_event(bank)
    event["data"]["object"]["metadata"].pop("mark")
    scenes.execute("UPDATE payments SET session_id = NULL")

    bank.tell(event)

    assert (bank.balance, bank.aside) == (0, ["wrong_session"])


def test_an_intent_that_only_names_the_order_does_not_take_it(bank: Bank) -> None:
    order, foreign = bank.order(), bank.fake.foreign_payment(100)
    foreign["metadata"] = {"payment_id": str(order.payment_id), "account_id": str(bank.buyer.account_id)}
    bank.fake.refund(foreign["id"], 100)
    bank.tell(*bank.fake.events_of("refund.created"))

    bank.fake.pay(bank.session_of(order))
    bank.tell_all()

    assert (bank.balance, bank.aside) == (Decimal(20), ["foreign"])
    assert scenes.rows("SELECT 1 FROM payment_refunds") == []


def test_events_of_connected_accounts_are_kept_and_not_believed(bank: Bank) -> None:
    event = paid_event(bank) | {"account": "acct_of_somebody"}

    assert bank.tell(event, event) == [200, 200]

    assert (bank.balance, bank.aside, bank.cashier.catch_up()) == (0, ["foreign"], 0)
    assert scenes.rows("SELECT state FROM stripe_events") == [{"state": "ignored"}]


def test_money_in_another_currency_is_not_shown_as_dollars(bank: Bank) -> None:
    bank.tell(paid_event(bank, currency="jpy"))

    assert scenes.rows("SELECT kind, amount_nano FROM suspense_items") == [{"kind": "wrong_currency", "amount_nano": None}]


def forget_all() -> None:
    """As after a restore of a backup that is older than every payment."""
    for table in ("payment_refunds", "payment_moves", "payments", "stripe_events", "ledger_entries"):
        scenes.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        scenes.execute(f"DELETE FROM {table}")
        scenes.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    scenes.execute("UPDATE balances SET settled_nano = 0, entries_nano = 0, entry_count = 0, last_hash = repeat('0', 64)")


def test_a_forgotten_order_comes_back_once_with_its_bonus_whoever_tells_of_it(bank: Bank) -> None:
    """R20: from six sides at once."""
    scenes.execute(
        "INSERT INTO bonus_tiers (id, from_nano, bonus_percent, created_at, version) VALUES (gen_random_uuid(), 10000000000, 20, now(), 1)"
    )
    bank.paid()
    forget_all()
    scenes.execute("DELETE FROM bonus_tiers")

    told = bank.fake.events_of("checkout.session.completed", "charge.updated", "charge.succeeded", "payment_intent.succeeded")
    with ThreadPoolExecutor(6) as sides:
        statuses = list(sides.map(bank.tell, told + told[:2]))

    assert statuses == [[200]] * 6
    assert (bank.balance, payments(), scenes.problems(), bank.aside) == (Decimal(24), 1, [], [])


@pytest.mark.parametrize("what", ["refund", "dispute"])
def test_money_back_that_is_told_while_its_payment_is_being_credited_counts(
    app: Flask, bank: Bank, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Guard: the news waits for the row of the very payment that is not committed yet."""
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    getattr(bank.fake, what)(bank.intent_of(order))
    news = bank.fake.events_of("refund.created" if what == "refund" else "charge.dispute.funds_withdrawn")
    book, credited, heard = learning.book, threading.Event(), threading.Event()

    def book_slowly(*args: Any) -> None:
        book(*args)
        if not credited.is_set():
            credited.set()
            heard.wait(1)

    monkeypatch.setattr(learning, "book", book_slowly)
    with ThreadPoolExecutor(2) as sides:
        first = sides.submit(bank.tell, *bank.fake.events_of("checkout.session.completed"))
        assert credited.wait(10)
        second = sides.submit(bank.tell, *news)
        second.add_done_callback(lambda _: heard.set())

    assert (first.result(), second.result()) == ([200], [200])
    assert (bank.balance, scenes.problems()) == (0, [])


@pytest.mark.parametrize("text", ['"\\u0000"', '"\\ud800"', "1e999", "-1e999"])
def test_what_no_database_can_keep_does_not_cost_a_payment(bank: Bank, caplog: pytest.LogCaptureFixture, text: str) -> None:
    event = paid_event(bank, customer_details={"email": "ann@private.example", "name": "@@"})
    raw = json.dumps(event).replace('"@@"', text)
    header = stripe.WebhookSignature.generate_signature_header(raw, bank.fake.webhook_secret, unix_seconds())

    assert bank.post(raw.encode(), header) == 200

    assert bank.balance == Decimal(20)
    assert "ann@private.example" not in caplog.text


def test_reconciling_credits_no_more_than_events_would(bank: Bank) -> None:
    event = paid_event(bank)
    session = bank.fake.shop.sessions[event["data"]["object"]["id"]]
    session |= discounted(2_000, 50)

    reconcile(bank.cashier)

    assert (bank.balance, bank.aside) == (0, ["wrong_amount"])

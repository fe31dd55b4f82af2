"""Stripe's last days against the books: lost events heal once, late ones change nothing, what is odd is told of (R20)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.cashier import reconcile
from reseller.clients.stripe_api import StripeDown
from reseller.clock import now
from reseller.domain.payments import suspense
from tests.cashier.bank import Bank
from tests.domain import scenes


def test_a_lost_event_heals_and_comes_late_for_nothing(bank: Bank, logged: list[Any]) -> None:
    order = bank.order()
    with bank.fake.hold_back() as lost:
        bank.fake.pay(bank.session_of(order))

    found = reconcile(bank.cashier)
    healed = bank.balance
    bank.tell(*lost)

    assert (found.healed, healed, bank.balance) == (1, Decimal(20), Decimal(20))
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == ["payment_event_lost"]
    assert bank.line(order).receipt_url is not None
    assert scenes.problems() == []


def test_looking_again_finds_nothing_new(bank: Bank) -> None:
    bank.paid()

    assert [reconcile(bank.cashier).healed for _ in range(2)] == [0, 0]
    assert bank.balance == Decimal(20)


def test_lost_news_of_money_back_heals(bank: Bank) -> None:
    order = bank.paid("50")
    bank.fake.fail_refund(bank.fake.refund(bank.intent_of(order), 1000)["id"])
    bank.fake.refund(bank.intent_of(order), 500)
    bank.fake.dispute(bank.intent_of(order), 2000)

    reconcile(bank.cashier)

    assert bank.balance == Decimal(25)
    assert scenes.problems() == []


def test_a_lost_refusal_of_a_debit_heals(bank: Bank) -> None:
    """The session alone would look as if it waited for ever."""
    order = bank.order()
    bank.fake.pay_later(bank.session_of(order))
    reconcile(bank.cashier)
    waiting = bank.line(order).status
    bank.fake.bounce(bank.session_of(order))

    reconcile(bank.cashier)

    assert (waiting, bank.line(order).status, bank.balance) == ("processing", "failed", 0)


def test_a_lost_end_of_an_order_heals(bank: Bank) -> None:
    order = bank.order()
    bank.fake.expire(bank.session_of(order))

    reconcile(bank.cashier)

    assert bank.line(order).status == "expired"


def test_an_order_that_is_older_than_the_look_back_is_looked_at_while_it_is_open(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    bank.fake.shop.sessions[bank.session_of(order)]["created"] -= 30 * 86_400

    assert reconcile(bank.cashier).healed == 1
    assert bank.balance == Decimal(20)


def test_after_a_restore_everything_since_then_comes_back(bank: Bank) -> None:
    """The backup knows neither the orders nor their money: Stripe carries whose they are."""
    first, second = bank.paid("20"), bank.paid("30")
    bank.fake.refund(bank.intent_of(second), 1000)
    kept = {order.payment_id: bank.intent_of(order) for order in (first, second)}
    for table in ("payment_refunds", "payment_moves", "payments", "stripe_events", "ledger_entries"):
        scenes.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        scenes.execute(f"DELETE FROM {table}")
        scenes.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    scenes.execute("UPDATE balances SET settled_nano = 0, entries_nano = 0, entry_count = 0, last_hash = repeat('0', 64)")

    found = reconcile(bank.cashier)

    assert (found.healed, bank.balance) == (2, Decimal(40))
    assert {row["id"]: row["intent_id"] for row in scenes.rows("SELECT id, intent_id FROM payments")} == kept
    assert scenes.problems() == []


def _credited_and(bank: Bank, what: str) -> str:
    """A payment in the books of which Stripe thinks otherwise; its session."""
    session_id = bank.session_of(bank.paid("30"))
    if what == "unknown there":
        del bank.fake.shop.sessions[session_id]
    else:
        bank.fake.shop.sessions[session_id]["payment_status"] = "unpaid"
    return session_id


@pytest.mark.parametrize(("what", "words"), [("unknown there", "knows no such session"), ("unpaid there", "has its session as unpaid")])
def test_what_was_credited_and_is_not_paid_at_stripe_is_pointed_at_once(bank: Bank, logged: list[Any], what: str, words: str) -> None:
    bank.paid("20")
    session_id = _credited_and(bank, what)

    found = [reconcile(bank.cashier).not_paid for _ in range(2)]

    assert found == [1, 1]
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == ["payment_not_paid"]
    [item] = scenes.rows("SELECT subject, words, payment_id FROM suspense_items")
    assert (item["subject"], words in item["words"], item["payment_id"] is not None) == (session_id, True, True)
    assert bank.balance == Decimal(50)


def test_what_was_credited_long_ago_is_not_asked_about(bank: Bank) -> None:
    _credited_and(bank, "unknown there")
    scenes.execute("UPDATE payments SET paid_at = paid_at - interval '5 days'")

    assert reconcile(bank.cashier).not_paid == 0


def test_a_debit_that_was_paid_days_after_it_was_opened_is_asked_about_by_name(bank: Bank) -> None:
    session_id = bank.session_of(bank.paid("30"))
    bank.fake.shop.sessions[session_id]["created"] -= 10 * 86_400

    assert reconcile(bank.cashier).not_paid == 0


def test_payments_of_demo_data_are_not_looked_for(bank: Bank) -> None:
    _credited_and(bank, "unknown there")
    scenes.execute("UPDATE payments SET session_id = 'cs_demo_1'")

    assert reconcile(bank.cashier).not_paid == 0


def test_stripe_down_is_said_and_changes_nothing(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    bank.fake.is_down = True

    with pytest.raises(StripeDown):
        reconcile(bank.cashier)

    assert (bank.balance, bank.line(order).status) == (0, "open")


def test_one_payment_that_cannot_be_read_keeps_no_other_from_being_seen(bank: Bank) -> None:
    broken, whole = bank.paid("20"), bank.paid("30")
    bank.fake.refund(bank.intent_of(whole), 1000)
    bank.fake.shop.intents[bank.intent_of(broken)].pop("currency")

    found = reconcile(bank.cashier)

    assert (found.unread, bank.balance) == (1, Decimal(40))


def test_an_order_that_never_reached_stripe_ends(bank: Bank) -> None:
    order = bank.order()
    bank.fake.shop.sessions.clear()
    scenes.execute("UPDATE payments SET session_id = NULL, expires_at = now() - interval '2 days'")

    reconcile(bank.cashier)

    assert bank.line(order).status == "expired"


def test_an_order_that_was_opened_with_other_keys_ends(bank: Bank) -> None:
    """Test keys were replaced by live ones meanwhile: Stripe does not know the session any more."""
    order = bank.order()
    bank.fake.shop.sessions.clear()
    young = reconcile(bank.cashier)
    scenes.execute("UPDATE payments SET expires_at = now() - interval '2 days'")

    old = reconcile(bank.cashier)

    assert (young.unread, old.unread, bank.line(order).status) == (1, 0, "expired")


@pytest.mark.parametrize(
    "old",
    [
        "UPDATE suspense_items SET created_at = now() - interval '25 hours'",
        "UPDATE stripe_events SET state = 'received', received_at = now() - interval '25 hours' WHERE type = 'charge.succeeded'",
    ],
)
def test_what_waits_for_a_day_is_counted(bank: Bank, old: str) -> None:
    bank.fake.foreign_payment()
    bank.tell_all()
    young = suspense.stale()

    scenes.execute(old)

    assert (young, suspense.stale()) == (0, 1)


def test_a_debit_may_take_a_fortnight(bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay_later(bank.session_of(order))
    reconcile(bank.cashier)
    waits = []
    for days in (13, 15):
        scenes.execute("UPDATE payments SET created_at = :at", at=now() - timedelta(days=days))
        waits.append(suspense.stale())

    assert waits == [0, 1]


def test_the_command_tells_what_it_found(app: Flask, bank: Bank) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))

    told = app.test_cli_runner().invoke(args=["payments", "reconcile", "--days", "30"])

    assert told.exit_code == 0, told.output
    assert "1 credited" in told.output
    assert bank.balance == Decimal(20)


@pytest.mark.parametrize("wrong", ["key", "down"])
def test_the_command_says_what_is_wrong_in_one_line(app: Flask, bank: Bank, wrong: str) -> None:
    bank.fake.is_down = wrong == "down"
    bank.fake.api.secret_key = "sk_test_another"

    told = app.test_cli_runner().invoke(args=["payments", "reconcile"])

    assert told.exit_code == 1
    assert "Error: Not all could be asked of Stripe: " in told.output
    assert "Traceback" not in told.output


def test_the_command_says_that_somebody_must_look(app: Flask, bank: Bank) -> None:
    broken = bank.paid("20")
    bank.fake.shop.intents[bank.intent_of(broken)].pop("currency")

    told = app.test_cli_runner().invoke(args=["payments", "reconcile"])

    assert told.exit_code == 0, told.output
    assert "1 of what Stripe says cannot be used: somebody must look at /admin/suspense/" in told.output


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_what_no_database_can_keep_hides_no_refund(bank: Bank, text: str) -> None:
    """Whoever else uses the same Stripe account writes what they like beside a refund."""
    order = bank.paid("20")
    with bank.fake.hold_back():
        made = bank.fake.refund(bank.intent_of(order), 500)
    bank.fake.shop.refunds[made["id"]]["metadata"]["reason"] = text

    reconcile(bank.cashier)

    assert bank.balance == Decimal(15)
    assert scenes.rows("SELECT reason FROM payment_refunds") == [{"reason": "a\ufffdb"}]

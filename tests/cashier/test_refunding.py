"""Money back by staff: the credit goes first, Stripe is asked once, and a no gives the credit back (R19)."""

from decimal import Decimal
from typing import Any

import pytest

from reseller.cashier import reconcile
from reseller.clients.stripe_api import StripeDown, StripeRefused
from reseller.clock import new_id
from reseller.domain import ledger
from reseller.domain.payments import refunds
from reseller.errors import Conflict, InvalidRequest
from tests.cashier.bank import Bank
from tests.domain import scenes


def made(bank: Bank) -> list[int]:
    return [refund["amount"] for refund in bank.fake.shop.refunds.values()]


def test_a_refund_takes_credit_and_gives_money(bank: Bank) -> None:
    order = bank.paid("20")

    bank.cashier.send_refund(bank.ask(order, "5"))
    bank.cashier.send_refund(bank.ask(order, "2.50"))
    bank.tell_all()

    assert (bank.balance, made(bank), bank.line(order).refunded_usd) == (Decimal("12.50"), [500, 250], Decimal("7.50"))
    assert scenes.problems() == []


def test_the_same_form_twice_is_one_refund(bank: Bank) -> None:
    order, nonce = bank.paid("20"), new_id()

    for _ in range(2):
        bank.cashier.send_refund(bank.ask(order, "5", nonce=nonce))

    assert (bank.balance, made(bank)) == (Decimal(15), [500])
    for usd, reason in (("6", "asked for it"), ("5", "a fraud")):
        with pytest.raises(Conflict, match="sent before"):
            bank.ask(order, usd, nonce=nonce, reason=reason)


@pytest.mark.parametrize("usd", ["20.01", "0", "-1", "0.001", "NaN", "Infinity"])
def test_never_more_than_was_paid_and_whole_cents(bank: Bank, usd: str) -> None:
    order = bank.paid("20")

    with pytest.raises(InvalidRequest):
        bank.ask(order, usd)

    assert (bank.balance, made(bank)) == (Decimal(20), [])


def test_together_never_more_than_was_paid(bank: Bank) -> None:
    order = bank.paid("20")
    bank.cashier.send_refund(bank.ask(order, "15"))

    with pytest.raises(InvalidRequest, match="At most \\$5"):
        bank.ask(order, "5.01")


def test_what_a_bank_holds_back_cannot_go_back_as_well(bank: Bank) -> None:
    order = bank.paid("20")
    bank.fake.dispute(bank.intent_of(order), 1500)
    bank.tell_all()

    assert refunds.refundable(order.payment_id).most_usd == Decimal(5)


def test_the_screen_knows_what_is_spent(bank: Bank) -> None:
    order = bank.paid("20")
    ledger.grant(bank.buyer.account_id, Decimal("-12.34"), reason="as if spent", actor="test")

    found = refunds.refundable(order.payment_id)

    assert (found.most_usd, found.unspent_usd, found.spent_usd) == (Decimal(20), Decimal("7.66"), Decimal("12.34"))


def test_a_no_gives_the_credit_back(bank: Bank) -> None:
    order = bank.paid("20")
    asked = bank.ask(order, "20")
    bank.fake.shop.refund(bank.intent_of(order), None)  # in Stripe's pages, at the same time

    with pytest.raises(StripeRefused):
        bank.cashier.send_refund(asked)
    given_back = bank.balance
    bank.tell_all()

    assert (given_back, bank.balance) == (Decimal(20), 0)
    assert scenes.rows("SELECT status FROM payment_refunds ORDER BY status") == [{"status": "refused"}, {"status": "succeeded"}]
    assert scenes.problems() == []


def test_a_form_whose_refund_was_refused_asks_no_second_time(bank: Bank) -> None:
    order, nonce = bank.paid("20"), new_id()
    dispute = bank.fake.dispute(bank.intent_of(order), 1000)  # of which we have not heard
    with pytest.raises(StripeRefused):
        bank.cashier.send_refund(bank.ask(order, "20", nonce=nonce))
    bank.fake.win(dispute["id"])
    bank.fake.shop.charges[next(iter(bank.fake.shop.charges))]["disputed"] = False

    with pytest.raises(Conflict, match="has refused"):
        bank.ask(order, "20", nonce=nonce)

    assert (bank.balance, made(bank)) == (Decimal(20), [])


def test_a_refund_that_was_made_though_stripe_had_said_no_takes_its_credit(bank: Bank) -> None:
    """Whatever the reason: what Stripe gave back with our id on it is gone."""
    order = bank.paid("20")
    asked = bank.ask(order, "5")
    refunds.refused(asked.refund_id, words="as if")
    given_back = bank.balance

    bank.fake.shop.refund(bank.intent_of(order), 500, {"refund_id": str(asked.refund_id)})
    bank.tell_all()

    assert (given_back, bank.balance) == (Decimal(20), Decimal(15))
    assert scenes.rows("SELECT status FROM payment_refunds") == [{"status": "succeeded"}]
    assert scenes.problems() == []


def test_stripe_down_keeps_the_credit_taken_and_asks_again(bank: Bank) -> None:
    order = bank.paid("20")
    asked = bank.ask(order, "5")
    bank.fake.is_down = True
    with pytest.raises(StripeDown):
        bank.cashier.send_refund(asked)
    taken, nothing = bank.balance, made(bank)

    bank.fake.is_down = False
    reconcile(bank.cashier)

    assert (taken, nothing) == (Decimal(15), [])
    assert (bank.balance, made(bank)) == (Decimal(15), [500])


def test_an_answer_that_got_lost_is_no_second_refund(bank: Bank) -> None:
    order = bank.paid("20")
    asked = bank.ask(order, "5")
    bank.fake.loses_answers = 3
    with pytest.raises(StripeDown):
        bank.cashier.send_refund(asked)
    bank.fake.loses_answers = 0
    bank.fake.api.forget_keys()  # and a day later the idempotency key is of no help

    for _ in range(2):
        reconcile(bank.cashier)

    assert (bank.balance, made(bank)) == (Decimal(15), [500])


def test_a_crash_between_taking_and_asking_is_made_up_for(bank: Bank) -> None:
    order = bank.paid("20")
    bank.ask(order, "5")  # and the process dies here

    reconcile(bank.cashier)

    assert (bank.balance, made(bank)) == (Decimal(15), [500])


def test_an_answer_that_cannot_be_read_is_no_no(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The money may be on its way: the credit stays taken, and somebody asks again."""
    order = bank.paid("20")
    asked = bank.ask(order, "5")
    monkeypatch.setattr(bank.fake.api, "answer", _without_currency(bank.fake.api.answer))

    with pytest.raises(StripeDown):
        bank.cashier.send_refund(asked)
    taken = bank.balance
    monkeypatch.undo()
    reconcile(bank.cashier)

    assert (taken, bank.balance, made(bank)) == (Decimal(15), Decimal(15), [500])


def _without_currency(answer: object) -> object:
    def broken(method: str, path: str, *rest: object) -> object:
        status, more, made = answer(method, path, *rest)  # type: ignore[operator]
        return status, more, {name: value for name, value in made.items() if name != "currency"} if path == "/v1/refunds" else made

    return broken


@pytest.mark.parametrize(("status", "refuses"), [(401, "every"), (424, "every"), (403, "GET")])
def test_a_no_that_says_nothing_of_the_refund_keeps_its_credit_taken(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, status: int, refuses: str
) -> None:
    """It was made, its answer got lost, and then our key is over or may not list refunds: the credit was back as well as the money."""
    order = bank.paid("20")
    asked = bank.ask(order, "5")
    bank.fake.shop.refund(bank.intent_of(order), 500, {"refund_id": str(asked.refund_id)})
    answer = bank.fake.api.answer

    def refusing(method: str, path: str, *rest: Any) -> Any:
        if refuses in (method, "every"):
            return status, {}, {"error": {"type": "invalid_request_error", "message": "not with this key"}}
        return answer(method, path, *rest)

    monkeypatch.setattr(bank.fake.api, "answer", refusing)
    with pytest.raises(StripeDown):
        bank.cashier.send_refund(asked)
    taken = bank.balance
    monkeypatch.undo()
    reconcile(bank.cashier)

    assert (taken, bank.balance, made(bank)) == (Decimal(15), Decimal(15), [500])


def test_a_payment_that_stripe_does_not_know_is_a_no(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made with the keys of another account: nothing can ever go back by these."""
    order = bank.paid("20")
    asked, answer = bank.ask(order, "5"), bank.fake.api.answer

    def missing(method: str, path: str, *rest: Any) -> Any:
        if path == "/v1/refunds":
            return 404, {}, {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such payment_intent"}}
        return answer(method, path, *rest)

    monkeypatch.setattr(bank.fake.api, "answer", missing)
    with pytest.raises(StripeRefused):
        bank.cashier.send_refund(asked)

    assert bank.balance == Decimal(20)


def test_an_order_that_nobody_paid_has_nothing_to_give_back(bank: Bank) -> None:
    with pytest.raises(Conflict, match="Only a payment that was paid"):
        bank.ask(bank.order(), "5")


def test_a_spent_payment_that_goes_back_freezes_the_account(bank: Bank) -> None:
    order = bank.paid("20")
    ledger.grant(bank.buyer.account_id, Decimal(-15), reason="as if spent", actor="test")

    bank.cashier.send_refund(bank.ask(order, "20"))
    frozen = bank.balance
    bank.paid("30")

    assert (frozen, bank.balance) == (Decimal(-15), Decimal(15))

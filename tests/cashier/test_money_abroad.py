"""Money that goes back, or is booked, in another currency than dollars: nobody keeps credit for it (R19)."""

from decimal import Decimal

import pytest

from reseller.cashier import reconcile
from tests.cashier.bank import Bank
from tests.domain import scenes


@pytest.mark.parametrize("what", ["refund", "dispute"])
def test_money_that_goes_back_in_another_currency_takes_all_that_is_left(bank: Bank, what: str) -> None:
    order = bank.paid("20")
    bank.fake.refund(bank.intent_of(order), 500)
    with bank.fake.hold_back() as told:
        made = getattr(bank.fake, what)(bank.intent_of(order), 1_000)
    made["currency"] = "eur"
    for event in told:
        event["data"]["object"]["currency"] = "eur"

    bank.tell_all()
    bank.tell(*told)
    reconcile(bank.cashier)

    assert (bank.balance, bank.aside, bank.waiting) == (0, ["unknown_money"], [])
    assert scenes.problems() == []


def test_it_comes_back_when_the_refund_fails(bank: Bank) -> None:
    order = bank.paid("20")
    made = bank.fake.refund(bank.intent_of(order), 1_000)
    made["currency"] = "eur"
    reconcile(bank.cashier)
    taken = bank.balance

    bank.fake.fail_refund(made["id"])
    reconcile(bank.cashier)

    assert (taken, bank.balance, scenes.problems()) == (0, Decimal(20), [])


def test_a_won_dispute_is_given_back_whatever_the_euro_did_meanwhile(bank: Bank) -> None:
    order = bank.paid("20")
    dispute = bank.fake.dispute(bank.intent_of(order))
    dispute["balance_transactions"][0] |= {"currency": "eur", "amount": -1850, "exchange_rate": 0.925}
    reconcile(bank.cashier)
    held = bank.balance
    bank.fake.win(dispute["id"])
    dispute["balance_transactions"][1] |= {"currency": "eur", "amount": 1840, "exchange_rate": 0.92}

    reconcile(bank.cashier)

    assert (held, bank.balance) == (0, Decimal(20))


@pytest.mark.parametrize(("rate", "fee"), [(0.8, Decimal("1.10")), (None, None)])
def test_a_fee_that_is_booked_in_another_currency_is_in_dollars_if_stripe_says_the_rate(
    bank: Bank, rate: float | None, fee: Decimal | None
) -> None:
    order = bank.order("20")
    bank.fake.pay(bank.session_of(order))
    charge = bank.fake.shop.charges[bank.fake.shop.intents[bank.intent_of(order)]["latest_charge"]]
    movement = bank.fake.shop.movements[charge["balance_transaction"]]
    movement |= {"currency": "eur", "fee": 88, "exchange_rate": rate}

    reconcile(bank.cashier)

    [row] = scenes.rows("SELECT fee_nano FROM payments")
    assert row["fee_nano"] == (None if fee is None else int(fee * 10**9))

"""An order becomes a page to pay at; where Stripe does not answer, nothing was charged and the order is over (R18)."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask

from reseller.domain.payments import topups
from reseller.errors import Unavailable
from reseller.wiring import wiring_of
from tests.cashier.bank import Bank
from tests.domain import scenes


def begun(bank: Bank, usd: str = "20") -> topups.Order:
    return topups.begin(bank.buyer.account_id, bank.buyer.user_id, Decimal(usd), bank.cashier.bounds)


def test_the_page_is_of_this_order(bank: Bank) -> None:
    order = begun(bank, "25.50")

    url = bank.cashier.open_checkout(order)

    session = bank.fake.shop.sessions[bank.session_of(order)]
    assert (session["url"], session["client_reference_id"], session["metadata"]) == (
        url,
        str(order.payment_id),
        {"payment_id": str(order.payment_id), "account_id": str(order.account_id), "bonus_usd": "0", "mark": session["metadata"]["mark"]},
    )
    assert (session["amount_subtotal"], session["currency"], session["customer_email"]) == (2550, "usd", bank.buyer.email)
    assert session["success_url"] == f"http://localhost:8000/billing/payments/{order.payment_id}"
    assert bank.line(order).checkout_url == url


def test_the_second_order_is_of_the_same_customer(bank: Bank) -> None:
    bank.paid()

    second = bank.order()

    sessions = bank.fake.shop.sessions
    assert sessions[bank.session_of(second)]["customer"] == next(iter(bank.fake.shop.customers))


def test_a_customer_whom_somebody_deleted_at_stripe_is_made_anew(bank: Bank) -> None:
    bank.paid()
    bank.fake.shop.customers.clear()

    again, third = bank.order(), bank.order()

    sessions = bank.fake.shop.sessions
    assert [sessions[bank.session_of(order)]["customer_email"] for order in (again, third)] == [bank.buyer.email] * 2
    assert [bank.line(order).status for order in (again, third)] == ["open"] * 2


def test_stripe_down_charges_nothing_and_leaves_no_order_open(bank: Bank) -> None:
    order = begun(bank)
    bank.fake.is_down = True

    with pytest.raises(Unavailable, match="Nothing was charged"):
        bank.cashier.open_checkout(order)

    assert (bank.line(order).status, bank.balance) == ("failed", 0)


def test_a_page_whose_address_got_lost_counts_all_the_same_when_it_is_paid(bank: Bank) -> None:
    """Two answers are lost: that of the first try and that of the SDK's second."""
    order = begun(bank)
    bank.fake.loses_answers = 2
    with pytest.raises(Unavailable):
        bank.cashier.open_checkout(order)
    (session_id,) = bank.fake.shop.sessions

    with bank.fake.hold_back() as events:
        bank.fake.pay(session_id)
    bank.tell(*events)

    assert (bank.line(order).status, bank.balance) == ("paid", Decimal(20))


def test_without_stripe_nothing_is_sold(app: Flask, make_app: Callable[..., Flask]) -> None:
    off = make_app()

    with off.app_context(), pytest.raises(Unavailable, match="switched off"):
        wiring_of(off).cashier.look("cs_1")
    assert not wiring_of(off).cashier.is_open
    assert off.test_client().post("/callbacks/stripe", data=b"{}").status_code == 503
    assert scenes.rows("SELECT 1 FROM stripe_events") == []

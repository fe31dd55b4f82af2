"""Our mark on an order is for this order alone, and by this deployment alone (R18)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.domain.payments import SessionSeen, learn_session, own_orders_of, topups
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying
from tests.domain.payments.paying import OWN_ORDERS, marked

SEEN = marked(
    SessionSeen(
        session_id="cs_1",
        payment_id=new_id(),
        account_id=new_id(),
        status="complete",
        payment_status="paid",
        amount_usd=Decimal("20.00"),
        total_usd=Decimal("20.00"),
        currency="usd",
        is_live=False,
        created_at=now(),
    ),
    "2.00",
)


def test_an_order_of_ours_is_known_however_its_amounts_are_written() -> None:
    assert OWN_ORDERS.has_marked(SEEN)
    assert OWN_ORDERS.has_marked(replace(SEEN, amount_usd=Decimal(20), bonus_usd=Decimal("2.0")))


@pytest.mark.parametrize(
    "changed",
    [
        {"payment_id": UUID(int=1)},
        {"account_id": UUID(int=1)},
        {"amount_usd": Decimal(21)},
        {"bonus_usd": Decimal(3)},
        {"payment_id": None},
        {"bonus_usd": None},
        {"mark": None},
        {"mark": ""},
        {"mark": "ä"},
        {"mark": "0" * 64},
    ],
)
def test_an_order_with_anything_else_in_it_is_not(changed: dict[str, Any]) -> None:
    assert not OWN_ORDERS.has_marked(replace(SEEN, **changed))


def test_another_deployment_marks_otherwise() -> None:
    assert not own_orders_of("another secret", is_live=False).has_marked(SEEN)


@pytest.mark.parametrize("facts", [{"status": "expired"}, {"status": "open"}])
def test_a_copy_of_our_mark_takes_no_order_from_the_session_that_we_opened(app: Flask, facts: dict[str, Any]) -> None:
    """Heard of between Stripe's opening the session and our keeping it: the customer pays ours, and it counts."""
    buyer = factories.make_person()
    begun = topups.begin(buyer.account_id, buyer.user_id, Decimal(20), paying.BOUNDS)
    ours = marked(paying.paid(begun))
    learn_session(replace(ours, session_id="cs_copied", payment_status="unpaid", intent_id=None, **facts), OWN_ORDERS)

    topups.opened(begun.payment_id, session_id=ours.session_id, url="https://pay.example/", expires_at=begun.expires_at)
    learn_session(ours, OWN_ORDERS)

    assert (paying.balance(buyer), scenes.rows("SELECT 1 FROM suspense_items")) == (Decimal(20), [])

"""Events about payments: each fact once, and the same ones in whatever order it is heard of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask

from reseller.clock import now
from reseller.database import acting_as_operator
from reseller.domain.accounts import Person
from reseller.domain.payments import MoneySeen, SessionSeen, learn_money, learn_session, topups
from reseller.domain.payments.topups import Order
from tests import factories
from tests.domain import scenes
from tests.domain.payments.paying import BOUNDS, OWN_ORDERS, buy, dispute, intent_of, order, paid, refund


@pytest.fixture
def buyer(app: Flask) -> Person:
    return factories.make_person()


def told(person: Person) -> list[tuple[str, dict[str, Any]]]:
    query = "SELECT name, payload FROM outbox WHERE account_id = :id AND name LIKE 'payment.%' ORDER BY position"
    return [(row["name"], row["payload"]) for row in scenes.rows(query, id=person.account_id)]


def names(person: Person) -> list[str]:
    return [name for name, _ in told(person)]


def learn(fact: Any, begun: Order) -> None:
    """As whoever hears of money of an intent that nobody knows: they look its session up and tell it first."""
    if isinstance(fact, SessionSeen):
        learn_session(fact, OWN_ORDERS)
    elif learn_money(fact) is None:
        learn_session(paid(begun), OWN_ORDERS)
        learn_money(fact)


def test_a_payment_is_told_once_with_its_bonus_and_tax(buyer: Person) -> None:
    begun = order(buyer)
    for _ in range(3):
        learn(paid(begun, total_usd=Decimal("23.80"), tax_usd=Decimal("3.80")), begun)

    [(name, payload)] = told(buyer)
    assert (name, payload["payment_id"]) == ("payment.paid", str(begun.payment_id))
    assert (payload["amount_usd"], payload["total_usd"], payload["bonus_usd"]) == ("20", "23.8", "0")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_order_the_news_come_in_the_same_facts_are_told_once(buyer: Person, seed: int) -> None:
    """R17: paid, half refunded, a refund that came back, a dispute that was won, in every order, with repetitions."""
    begun = order(buyer)
    one, two, claim = (f"{name}_{begun.payment_id.hex}" for name in ("one", "two", "claim"))
    money: Callable[..., MoneySeen] = lambda **facts: MoneySeen(intent_of(begun), **facts)  # noqa: E731
    facts = [
        paid(begun, payment_status="unpaid"),
        paid(begun),
        money(refunds=(refund(one, "5", "pending"),)),
        money(refunds=(refund(one, "5"), refund(two, "3"))),
        money(refunds=(refund(two, "3", "failed"),)),
        money(disputes=(dispute(claim, "12", 1, "12"),)),
        money(disputes=(dispute(claim, "12", 2, "0", "won"),)),
    ] * 2
    Random(seed).shuffle(facts)

    for fact in facts:
        learn(fact, begun)

    found = names(buyer)
    assert sorted(found) == [
        "payment.dispute_closed", "payment.disputed", "payment.paid", "payment.refund_failed", "payment.refunded", "payment.refunded",
    ]  # fmt: skip
    assert found[0] == "payment.paid"
    assert found.index("payment.disputed") < found.index("payment.dispute_closed")
    [closed] = [payload for name, payload in told(buyer) if name == "payment.dispute_closed"]
    assert (closed["disputed_usd"], closed["withdrawn_usd"]) == ("12", "0")
    assert scenes.problems() == []


def test_two_who_learn_it_at_once_tell_it_once(app: Flask, buyer: Person) -> None:
    begun = order(buyer)

    def one(_: int) -> None:
        with app.app_context(), acting_as_operator():
            learn(paid(begun), begun)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(one, range(5)))

    assert names(buyer) == ["payment.paid"]


def test_money_that_went_back_is_not_told_before_the_payment_is(buyer: Person) -> None:
    """The bank has not paid yet, and something is said of money all the same."""
    begun = order(buyer)
    learn(paid(begun, payment_status="unpaid"), begun)
    learn(MoneySeen(intent_of(begun), refunds=(refund("early", "5"),)), begun)
    early = names(buyer)

    learn(paid(begun), begun)

    assert (early, names(buyer)) == ([], ["payment.paid", "payment.refunded"])


@pytest.mark.parametrize(
    ("facts", "name"),
    [({"has_failed": True}, "payment.failed"), ({"status": "expired"}, "payment.expired")],
)
def test_what_was_not_paid_is_told_once_and_what_comes_after_all_too(buyer: Person, facts: dict[str, Any], name: str) -> None:
    begun = order(buyer)
    for _ in range(2):
        learn(paid(begun, payment_status="unpaid", **facts), begun)
    unpaid = told(buyer)

    learn(paid(begun), begun)

    assert unpaid == [(name, {"payment_id": str(begun.payment_id), "amount_usd": "20"})]
    assert names(buyer) == [name, "payment.paid"]


def test_orders_that_end_without_stripe_are_told(buyer: Person) -> None:
    never_opened = topups.begin(buyer.account_id, buyer.user_id, Decimal(20), BOUNDS)
    topups.not_opened(never_opened.payment_id)
    unopened, lost = topups.begin(buyer.account_id, buyer.user_id, Decimal(30), BOUNDS), order(buyer, "40")
    scenes.execute("UPDATE payments SET expires_at = :at WHERE status = 'open'", at=now() - timedelta(days=2))

    for _ in range(2):
        topups.forget_unopened()
        topups.end_lost(f"cs_{lost.payment_id.hex}")

    assert [(name, payload["payment_id"]) for name, payload in told(buyer)] == [
        ("payment.failed", str(never_opened.payment_id)),
        ("payment.expired", str(unopened.payment_id)),
        ("payment.expired", str(lost.payment_id)),
    ]


def test_another_account_is_told_nothing(buyer: Person) -> None:
    other = factories.make_person()

    buy(buyer)

    assert (names(buyer), names(other)) == (["payment.paid"], [])

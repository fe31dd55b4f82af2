"""Whatever Stripe says, in whatever order and how often: the books have each payment once, less what went back (R17–R19)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain import ledger
from reseller.domain.accounts import Person
from reseller.domain.ledger import EntryKind
from reseller.domain.payments import MoneySeen, SessionSeen, learn_money, learn_session, pack_changes, reading, topups
from reseller.domain.payments.topups import Order
from reseller.money import to_usd
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying
from tests.domain.payments.paying import OWN_ORDERS, balance, dispute, intent_of, marked, moved, order, paid, refund

Fact = Callable[[], Any]


@pytest.fixture
def buyer(app: Flask) -> Person:
    return factories.make_person()


def learn(*facts: Any) -> None:
    for fact in facts:
        learn_session(fact, OWN_ORDERS) if isinstance(fact, SessionSeen) else learn_money(fact)


def learn_as_told(orders: list[Order], facts: list[Any]) -> None:
    """Whoever hears of money of an intent that nobody knows looks its session up and tells it first."""
    known = {intent_of(begun): begun for begun in orders}
    for fact in facts:
        if isinstance(fact, SessionSeen):
            learn(fact)
        elif learn_money(fact) is None:
            learn(paid(known[fact.intent_id]), fact)


def money(begun: Order, **facts: Any) -> MoneySeen:
    return MoneySeen(intent_of(begun), charge_id="ch_1", **facts)


def aside() -> list[tuple[str, str]]:
    return [(row["kind"], row["subject"]) for row in scenes.rows("SELECT kind, subject FROM suspense_items ORDER BY id")]


def cash(begun: Order) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    """Money, credit and tax of its moves, by kind."""
    query = """SELECT kind, sum(amount_nano) AS amount, sum(credit_nano) AS credit, sum(tax_nano) AS tax FROM payment_moves
                WHERE payment_id = :id GROUP BY kind HAVING bool_or(amount_nano <> 0)"""
    rows = scenes.rows(query, id=begun.payment_id)
    return {row["kind"]: tuple(to_usd(int(row[name])) for name in ("amount", "credit", "tax")) for row in rows}  # type: ignore[misc]


def status_of(begun: Order) -> str:
    return str(reading.one(begun.account_id, begun.payment_id).status)


def test_a_payment_is_one_credit_however_often_it_is_told(buyer: Person) -> None:
    begun = order(buyer)

    learn(paid(begun), paid(begun), paid(begun))

    assert (balance(buyer), moved(buyer, EntryKind.TOP_UP), status_of(begun)) == (Decimal(20), Decimal(20), "paid")
    assert (aside(), scenes.problems()) == ([], [])


@pytest.mark.parametrize("payment_status", ["unpaid", "no_payment_required", ""])
def test_a_finished_checkout_without_money_credits_nothing(buyer: Person, payment_status: str) -> None:
    begun = order(buyer)

    learn(paid(begun, payment_status=payment_status))

    assert (balance(buyer), status_of(begun)) == (0, "processing")


def test_news_that_are_overtaken_change_nothing(buyer: Person) -> None:
    begun = order(buyer)
    learn(paid(begun))

    learn(
        paid(begun, status="open", payment_status="unpaid"),
        paid(begun, status="expired", payment_status="unpaid"),
        paid(begun, payment_status="unpaid", has_failed=True),
    )

    assert (balance(buyer), status_of(begun)) == (Decimal(20), "paid")


def test_money_that_comes_after_all_counts(buyer: Person) -> None:
    begun = order(buyer)

    learn(paid(begun, payment_status="unpaid", has_failed=True))
    failed = status_of(begun)
    learn(paid(begun))

    assert (failed, status_of(begun), balance(buyer)) == ("failed", "paid", Decimal(20))


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"currency": "eur"}, "wrong_currency"),
        ({"amount_usd": Decimal("20.01")}, "wrong_amount"),
        ({"amount_usd": Decimal(2000), "total_usd": Decimal(2000)}, "wrong_amount"),
        ({"amount_usd": Decimal(0)}, "wrong_amount"),
        ({"total_usd": Decimal("0.50")}, "wrong_amount"),
        ({"total_usd": Decimal("23.80")}, "wrong_amount"),
        ({"tax_usd": Decimal("3.80")}, "wrong_amount"),
        ({"account_id": new_id()}, "wrong_session"),
        ({"is_live": True}, "wrong_mode"),
        ({"session_id": "cs_of_somebody"}, "wrong_session"),
        ({"payment_id": None}, "foreign"),
        ({"payment_id": new_id(), "account_id": None}, "foreign"),
        ({"payment_id": new_id(), "account_id": new_id()}, "foreign"),
    ],
)
def test_money_that_does_not_fit_the_order_is_put_aside(buyer: Person, wrong: dict[str, Any], kind: str) -> None:
    """R18."""
    begun = order(buyer)

    learn(paid(begun, **wrong), paid(begun, **wrong))

    assert balance(buyer) == 0
    assert [why for why, _ in aside()] == [kind]
    assert status_of(begun) == "open"


def test_a_second_payment_for_one_order_is_put_aside(buyer: Person) -> None:
    begun = order(buyer)
    learn(paid(begun))

    learn(paid(begun, intent_id="pi_another"))

    assert balance(buyer) == Decimal(20)
    assert [why for why, _ in aside()] == ["wrong_session"]


def test_what_does_not_fit_and_is_not_paid_alarms_nobody(buyer: Person) -> None:
    learn(paid(order(buyer), payment_id=None, payment_status="unpaid"))

    assert aside() == []


def test_tax_is_never_credit(buyer: Person) -> None:
    begun = order(buyer)

    learn(paid(begun, total_usd=Decimal("23.80"), tax_usd=Decimal("3.80")), money(begun, refunds=(refund("1", "11.90"),)))

    assert balance(buyer) == Decimal(10), "half of the money is half of the credit"
    assert cash(begun) == {
        "payment": (Decimal("23.80"), Decimal(20), Decimal("3.80")),
        "refund": (Decimal("-11.90"), Decimal(-10), Decimal("-1.90")),
    }


def test_an_order_that_a_restored_database_forgot_is_credited(buyer: Person) -> None:
    """R20: only we can have opened a session with this mark in it, for just this."""
    begun = order(buyer)
    scenes.execute("DELETE FROM payments")

    learn(paid(begun), paid(begun, bonus_usd=Decimal(100), mark=marked(paid(begun), "2").mark))
    without = balance(buyer)
    learn(marked(paid(begun), "2"), marked(paid(begun), "2"))

    assert (without, balance(buyer), status_of(begun)) == (0, Decimal(22), "paid")


def test_refunds_take_what_they_add_up_to(buyer: Person) -> None:
    begun = order(buyer)
    one, more = money(begun, refunds=(refund("1", "5"),)), money(begun, refunds=(refund("1", "5"), refund("2", "7.50")))

    learn(paid(begun), one, one, more, one, more)

    assert (balance(buyer), moved(buyer, EntryKind.REFUND)) == (Decimal("7.50"), Decimal("-12.50"))


def test_a_refund_that_failed_gives_its_credit_back(buyer: Person) -> None:
    begun = order(buyer)

    learn(paid(begun), money(begun, refunds=(refund("1", "5"),)), money(begun, refunds=(refund("1", "5", "failed"),)))
    learn(money(begun, refunds=(refund("1", "5"),)))

    assert (balance(buyer), moved(buyer, EntryKind.REFUND)) == (Decimal(20), 0)


def test_a_dispute_takes_and_gives_back(buyer: Person) -> None:
    begun = order(buyer)
    seen = []
    for told in (dispute("1", "20", 0, "0"), dispute("1", "20", 1, "20"), dispute("1", "20", 2, "0", "won")):
        learn(paid(begun), money(begun, disputes=(told,)))
        seen.append(balance(buyer))

    assert seen == [Decimal(20), 0, Decimal(20)]


def test_a_dispute_that_is_told_backwards_ends_the_same(buyer: Person) -> None:
    begun = order(buyer)

    learn(paid(begun), money(begun, disputes=(dispute("1", "20", 2, "0", "won"),)), money(begun, disputes=(dispute("1", "20", 1, "20"),)))

    assert balance(buyer) == Decimal(20)


def test_never_more_is_taken_than_was_granted(buyer: Person) -> None:
    """R19: a refund and a dispute of the whole, one after the other."""
    begun = order(buyer)

    learn(paid(begun), money(begun, refunds=(refund("1", "20"),), disputes=(dispute("1", "20", 1, "20"),)))

    assert balance(buyer) == 0
    assert (moved(buyer, EntryKind.REFUND), moved(buyer, EntryKind.DISPUTE)) == (Decimal(-20), 0)
    assert (cash(begun)["refund"], cash(begun)["dispute"]) == ((-20, -20, 0), (-20, 0, 0)), "what went back twice is lost"


def test_a_spent_payment_that_goes_back_freezes_and_the_next_one_thaws(buyer: Person) -> None:
    begun = order(buyer)
    learn(paid(begun))
    ledger.grant(buyer.account_id, Decimal(-15), reason="as if spent", actor="test")

    learn(money(begun, refunds=(refund("1", "20"),)))
    frozen = balance(buyer)
    learn(paid(order(buyer, "30")))

    assert (frozen, balance(buyer)) == (Decimal(-15), Decimal(15))
    letters = scenes.rows("SELECT recipient, facts FROM letters WHERE kind = 'account_frozen'")
    assert letters == [
        {"recipient": scenes.rows("SELECT email FROM users")[0]["email"], "facts": {"balance": "-$15.00", "amount": "$20.00"}}
    ]
    assert scenes.problems() == []


def test_owners_learn_of_it_where_nobody_knows_who_bought(buyer: Person) -> None:
    """As after a restore: the order was found at Stripe alone."""
    begun = order(buyer)
    scenes.execute("DELETE FROM payments")
    learn(marked(paid(begun)))
    ledger.grant(buyer.account_id, Decimal(-15), reason="as if spent", actor="test")

    learn(money(begun, refunds=(refund("1", "20"),)))

    assert [row["recipient"] for row in scenes.rows("SELECT recipient FROM letters WHERE kind = 'account_frozen'")] == [buyer.email]


def test_a_bonus_comes_once_and_goes_with_its_payment(buyer: Person) -> None:
    pack_changes.add_tier(Decimal(20), Decimal(10), actor="test", reason="more")
    begun = order(buyer)

    learn(paid(begun), paid(begun))
    whole = balance(buyer)
    learn(money(begun, refunds=(refund("1", "10"),)))

    assert (whole, balance(buyer)) == (Decimal(22), Decimal(11))
    assert (moved(buyer, EntryKind.BONUS), moved(buyer, EntryKind.REFUND)) == (Decimal(1), Decimal(-10))


def test_money_in_another_currency_that_went_back_takes_all_that_is_left(buyer: Person) -> None:
    """R19: nobody here knows what it is worth, so that somebody looks before the customer has it twice."""
    begun = order(buyer)
    abroad = replace(refund("1", "5"), currency="eur")

    learn(paid(begun), money(begun, refunds=(refund("2", "4"),)), money(begun, refunds=(abroad,)), money(begun, refunds=(abroad,)))
    taken = balance(buyer)
    learn(money(begun, refunds=(replace(abroad, status="failed"),)))

    assert (taken, balance(buyer), aside()) == (0, Decimal(16), [("unknown_money", "re_1")])


def test_money_of_somebody_else_is_not_ours_to_book(buyer: Person) -> None:
    assert learn_money(MoneySeen("pi_foreign", refunds=(refund("1", "5"),))) is None
    assert scenes.rows("SELECT 1 FROM payment_refunds") == []


def story(begun: Order, chance: Random) -> tuple[list[Any], Decimal]:
    """All that happened to a payment of $20, each fact as it was told at its time; and what is left of it in the end."""
    facts: list[Any] = [paid(begun, status="open", payment_status="unpaid"), paid(begun, payment_status="unpaid"), paid(begun)]
    left, refunds = Decimal(20), []
    for number in range(chance.randrange(4)):
        usd = Decimal(chance.randrange(1, 500)) / 100
        fails = chance.random() < 0.3
        steps = ["pending", "succeeded", *(["failed"] if fails else [])]
        facts += [money(begun, refunds=(refund(f"{number}_{intent_of(begun)}", str(usd), step),)) for step in steps]
        refunds.append(refund(f"{number}_{intent_of(begun)}", str(usd), steps[-1]))
        left -= 0 if fails else usd
    facts.append(money(begun, refunds=tuple(refunds), fee_usd=Decimal("0.88")))
    if chance.random() < 0.5:
        usd, is_won = left if chance.random() < 0.5 else min(left, Decimal(3)), chance.random() < 0.5
        ways = [
            dispute(intent_of(begun), str(usd), 0, "0"),
            dispute(intent_of(begun), str(usd), 1, str(usd)),
            *([dispute(intent_of(begun), str(usd), 2, "0", "won")] if is_won else []),
        ]
        facts += [money(begun, disputes=(way,)) for way in ways]
        left -= 0 if is_won else usd
    return facts, left


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_number_end_the_same(buyer: Person, seed: int) -> None:
    """R17, R19: what was really paid less what was really taken back."""
    chance, begun = Random(seed), order(buyer)
    facts, left = story(begun, chance)
    told = facts + chance.choices(facts, k=len(facts))
    chance.shuffle(told)

    learn_as_told([begun], told)

    assert balance(buyer) == left
    assert (aside(), scenes.problems()) == ([], [])
    assert sum(amount for kind, (amount, _, _) in cash(begun).items() if kind != "fee") == left
    assert cash(begun)["fee"] == (Decimal("-0.88"), 0, 0)


def test_apps_that_hear_everything_at_once_credit_once(app: Flask, make_app: Callable[..., Flask], buyer: Person) -> None:
    """R17: in parallel, each in an order of its own."""
    orders = [order(buyer) for _ in range(6)]
    stories = [story(begun, Random(seed)) for seed, begun in enumerate(orders)]
    facts = [fact for told, _ in stories for fact in told]
    others = [make_app() for _ in range(4)]

    def hear(number: int) -> None:
        mine = facts * 2
        Random(number).shuffle(mine)
        with others[number].app_context(), acting_as_operator():
            learn_as_told(orders, mine)

    with ThreadPoolExecutor(len(others)) as processes:
        list(processes.map(hear, range(len(others))))

    assert balance(buyer) == sum(left for _, left in stories)
    assert scenes.problems() == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("UPDATE payments SET amount_nano = amount_nano * 2", "top-up entries of it come to 20 instead of 40"),
        ("UPDATE payments SET taken_by_refunds_nano = 0", "entries that took it back come to -5 instead of 0"),
        ("UPDATE payments SET bonus_nano = 1000000000", "bonus entries of it come to 0 instead of 1"),
        ("UPDATE payments SET total_nano = 25000000000", "its moves of money paid come to 20 instead of 25"),
        ("UPDATE payments SET status = 'failed', paid_at = NULL", "top-up entries of it come to 20 instead of 0"),
    ],
)
def test_the_proof_of_the_books_names_a_payment_that_is_booked_otherwise(buyer: Person, broken: str, problem: str) -> None:
    """R17, R19."""
    begun = order(buyer)
    learn(paid(begun), money(begun, refunds=(refund("1", "5"),)))
    assert scenes.problems() == []

    scenes.execute(broken)

    assert f"payments {begun.payment_id}: {problem}" in scenes.problems()


@pytest.mark.parametrize("change", ["UPDATE payment_moves SET amount_nano = 0", "DELETE FROM payment_moves", "TRUNCATE payment_moves"])
def test_moves_of_money_are_written_once(buyer: Person, change: str) -> None:
    learn(paid(order(buyer)))

    with pytest.raises(IntegrityError, match="never changed"):
        scenes.execute(change)


def test_orders_are_in_bounds_and_whole_cents(buyer: Person) -> None:
    for usd in ("4.99", "1000.01", "10.001", "-5", "0", "NaN", "Infinity"):
        with pytest.raises(topups.InvalidRequest):
            topups.begin(buyer.account_id, buyer.user_id, Decimal(usd), paying.BOUNDS)

    assert scenes.rows("SELECT 1 FROM payments") == []


def test_nobody_begins_payments_without_end(buyer: Person) -> None:
    for _ in range(topups.MAX_BEGUN):
        order(buyer)

    with pytest.raises(topups.TooManyRequests):
        order(buyer)

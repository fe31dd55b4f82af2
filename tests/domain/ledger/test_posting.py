"""Entries and balances move together, once for each cause, below zero only where money was taken back (R2, R3, R17, R19)."""

import threading
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator, transaction
from reseller.domain import ledger
from reseller.domain.calls import Till
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.ledger.tables import GENESIS
from reseller.errors import AccountFrozen, Conflict, InsufficientBalance, NotFound
from reseller.wiring import wiring_of
from tests.domain import scenes


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


def available(who: scenes.Customer) -> int:
    return ledger.balance_now(who.account_id).available_nano


def test_an_entry_and_its_balance_are_one_commit(app: Any) -> None:
    """R1."""
    who = scenes.customer(nano=0)

    entry = ledger.post(EntryDraft(who.account_id, EntryKind.TOP_UP, 500, "payment-1", "stripe", reason="a payment"))

    assert scenes.money(who) == (500, 0)
    assert (entry.sequence, entry.amount_usd, entry.balance_after_usd) == (1, Decimal("0.0000005"), Decimal("0.0000005"))
    assert (entry.previous_hash, entry.actor, entry.reason, entry.reference) == (GENESIS, "stripe", "a payment", "payment-1")
    assert scenes.problems_of_the_ledger() == []


def test_a_transaction_that_fails_later_leaves_neither(app: Any) -> None:
    """R1: a door may join several verbs into one commit."""
    who = scenes.customer(nano=0)

    with pytest.raises(ZeroDivisionError):
        put_in_and_fail(who)

    assert scenes.money(who) == (0, 0)
    assert scenes.entries(who) == []


def put_in_and_fail(who: scenes.Customer) -> None:
    with transaction():
        scenes.put_in(who, 500)
        raise ZeroDivisionError


def test_the_same_cause_moves_money_once(app: Any) -> None:
    """R17: the first entry is answered again."""
    who = scenes.customer(nano=0)
    draft = EntryDraft(who.account_id, EntryKind.TOP_UP, 500, "payment-1", "stripe")

    entries = [ledger.post(draft).id for _ in range(3)]

    assert len(set(entries)) == 1
    assert scenes.money(who) == (500, 0)


def test_the_same_cause_from_many_threads_moves_money_once(app: Flask) -> None:
    """R17: in parallel too."""
    who = scenes.customer(nano=0)
    posted: list[Any] = []

    def post() -> None:
        with app.app_context(), acting_as_operator():
            posted.append(ledger.post(EntryDraft(who.account_id, EntryKind.TOP_UP, 500, "payment-1", "stripe")).id)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(posted) == 8
    assert len(set(posted)) == 1
    assert scenes.money(who) == (500, 0)
    assert scenes.problems_of_the_ledger() == []


def test_many_causes_at_once_make_one_chain_without_a_gap(app: Flask) -> None:
    """R2."""
    who = scenes.customer(nano=0)

    def post(number: int) -> None:
        with app.app_context(), acting_as_operator():
            scenes.put_in(who, 10 + number)

    threads = [threading.Thread(target=post, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [entry["sequence"] for entry in scenes.entries(who)] == list(range(1, 9))
    assert scenes.money(who) == (sum(10 + number for number in range(8)), 0)
    assert scenes.problems_of_the_ledger() == []


@pytest.mark.parametrize("change", ["amount", "account"])
def test_the_same_cause_with_another_amount_or_account_is_a_conflict(app: Any, change: str) -> None:
    """R17."""
    who, other = scenes.customer(nano=0), scenes.customer(nano=0)
    scenes.put_in(who, 500, reference="payment-1")

    with pytest.raises(Conflict):
        scenes.put_in(who if change == "amount" else other, 501 if change == "amount" else 500, reference="payment-1")

    assert (scenes.money(who), scenes.money(other)) == ((500, 0), (0, 0))


def test_the_same_reference_under_another_kind_is_another_cause(app: Any) -> None:
    who = scenes.customer(nano=0)

    scenes.put_in(who, 500, reference="payment-1")
    scenes.put_in(who, -200, reference="payment-1", kind=EntryKind.REFUND)

    assert scenes.money(who) == (300, 0)


def test_an_account_that_does_not_exist_has_no_entries(app: Any) -> None:
    with pytest.raises(NotFound):
        ledger.post(EntryDraft(new_id(), EntryKind.TOP_UP, 1, "payment-1", "stripe"))


def test_staff_may_take_what_is_available_and_no_more(till: Till) -> None:
    """R3: what open calls hold is not available."""
    who = scenes.customer(nano=500)
    till.admit(scenes.admission(who, hold=200))

    with pytest.raises(InsufficientBalance) as refused:
        ledger.grant(who.account_id, Decimal("-0.000000301"), reason="a mistake", actor="user:1")
    ledger.grant(who.account_id, Decimal("-0.0000003"), reason="a mistake", actor="user:1")

    assert refused.value.available_usd == Decimal("0.0000003")
    assert scenes.money(who) == (200, 200)
    assert scenes.problems_of_the_ledger() == []


@pytest.mark.parametrize(("amount", "reason"), [("1", " "), ("1", ""), ("0", "why not")])
def test_an_adjustment_needs_a_reason_and_an_amount(app: Any, amount: str, reason: str) -> None:
    """R25."""
    who = scenes.customer(nano=500)

    with pytest.raises(Conflict):
        ledger.grant(who.account_id, Decimal(amount), reason=reason, actor="user:1")

    assert scenes.money(who) == (500, 0)


def test_an_adjustment_finer_than_a_nano_dollar_is_refused(app: Any) -> None:
    """R16."""
    who = scenes.customer(nano=0)

    with pytest.raises(ValueError, match="finer"):
        ledger.grant(who.account_id, Decimal("0.0000000001"), reason="too small", actor="user:1")


@pytest.mark.parametrize("kind", [EntryKind.REFUND, EntryKind.DISPUTE])
def test_money_taken_back_may_leave_the_account_below_zero_and_frozen(till: Till, kind: EntryKind) -> None:
    """R19."""
    who = scenes.customer(nano=500)
    op = scenes.admission(who, hold=500)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=400))

    scenes.put_in(who, -500, kind=kind)

    assert scenes.balance(who) == {"settled": -400, "held": 0, "open_calls": 0, "unposted": 400, "floor": 400}
    with pytest.raises(AccountFrozen):
        till.admit(scenes.admission(who, hold=1))
    assert scenes.problems_of_the_ledger() == []


def test_a_top_up_thaws_the_account_and_the_floor_shrinks_with_it(till: Till) -> None:
    """R3, R19: below zero only as far as reversals drove it; what was paid back cannot be overdrawn again."""
    who = scenes.customer(nano=100)
    scenes.put_in(who, -300, kind=EntryKind.REFUND)

    scenes.put_in(who, 150)
    half_way = scenes.balance(who)
    scenes.put_in(who, 250)

    assert (half_way["settled"], half_way["floor"]) == (-50, 50)
    assert (scenes.balance(who)["settled"], scenes.balance(who)["floor"]) == (200, 0)
    assert till.admit(scenes.admission(who, hold=200)).available_nano == 0


def test_a_dispute_that_was_won_comes_back(app: Any) -> None:
    """R19."""
    who = scenes.customer(nano=100)

    scenes.put_in(who, -100, kind=EntryKind.DISPUTE, reference="dp_1:withdrawn")
    scenes.put_in(who, 100, kind=EntryKind.DISPUTE, reference="dp_1:reinstated")

    assert scenes.money(who) == (100, 0)
    assert scenes.problems_of_the_ledger() == []


def test_a_refund_while_a_call_is_in_flight_leaves_the_hold_whole(till: Till) -> None:
    """R3, R6, R19: the call was let in, so it can be charged; afterwards nothing more goes."""
    who = scenes.customer(nano=300)
    op = scenes.admission(who, hold=200)
    till.admit(op)

    scenes.put_in(who, -300, kind=EntryKind.REFUND)
    below = scenes.balance(who)
    till.settle(scenes.settlement(op, charge=150))

    assert (below["settled"], below["held"], below["floor"]) == (0, 200, 200)
    assert scenes.balance(who) == {"settled": -150, "held": 0, "open_calls": 0, "unposted": 150, "floor": 150}
    assert scenes.problems_of_the_ledger() == []


def test_a_correction_refers_to_the_entry_it_corrects(app: Any) -> None:
    """R2."""
    who = scenes.customer(nano=0)
    wrong = ledger.grant(who.account_id, Decimal(5), reason="typed wrongly", actor="user:1")

    ledger.post(
        EntryDraft(who.account_id, EntryKind.ADJUSTMENT, -4 * 10**9, "fix-1", "user:1", reason="was meant to be 1", corrects_id=wrong.id)
    )

    assert scenes.entries(who)[1]["corrects_id"] == wrong.id
    assert scenes.money(who) == (10**9, 0)
    assert scenes.problems_of_the_ledger() == []


def test_the_balance_is_told_as_decimal_strings(till: Till) -> None:
    who = scenes.customer(nano=2_500_000_000)
    till.admit(scenes.admission(who, hold=500_000_001))

    now = ledger.balance_now(who.account_id)

    assert now.as_json() == {"balance": "2.5", "held": "0.500000001", "available": "1.999999999", "currency": "USD"}
    assert available(who) == 1_999_999_999
    with pytest.raises(NotFound):
        ledger.balance_now(new_id())

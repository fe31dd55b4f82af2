"""The proof of the books names money of payments that are not there, or are another account's (R1, R17)."""

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain import ledger, payments
from reseller.domain.accounts import Person
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.payments import MoneySeen, learn_money
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying

MUCH = 10**12


@pytest.fixture
def buyer(app: Flask) -> Person:
    return factories.make_person()


def post(who: Person, kind: EntryKind, nano: int, reference: str) -> None:
    ledger.post(EntryDraft(who.account_id, kind, nano, reference, "thief"))


@pytest.mark.parametrize(
    ("kind", "nano", "words"),
    [
        (EntryKind.TOP_UP, MUCH, "top-up entries of it come to 1000"),
        (EntryKind.BONUS, MUCH, "bonus entries of it come to 1000"),
        (EntryKind.REFUND, MUCH, "entries that took it back come to 1000"),
        (EntryKind.DISPUTE, MUCH, "entries that took it back come to 1000"),
        (EntryKind.REFUND, -MUCH, "entries that took it back come to -1000"),
    ],
)
@pytest.mark.parametrize("reference", ["{}", "{}:1", "pi_3NxAbc", ""])
def test_an_entry_of_no_payment_is_found(buyer: Person, kind: EntryKind, nano: int, words: str, reference: str) -> None:
    paying.buy(buyer)
    name = reference.format(new_id())

    post(buyer, kind, nano, name)

    [found] = payments.mismatches()
    assert (found.account_id, found.row) == (buyer.account_id, f"payments {name.removesuffix(':1')}")
    assert found.problem == f"this account has no such payment, but {words}"


def test_entries_of_no_payment_are_found_though_they_cancel_out(buyer: Person) -> None:
    name = str(new_id())

    post(buyer, EntryKind.REFUND, -5, f"{name}:1")
    post(buyer, EntryKind.DISPUTE, 5, f"{name}:2")

    assert scenes.problems() == [f"payments {name}: this account has no such payment, but entries or moves that cancel out"]


def test_an_entry_of_another_accounts_payment_is_found(buyer: Person) -> None:
    """Of a kind and reference that the payment itself has not used, so that nothing else stands in the way."""
    order, thief = paying.buy(buyer), factories.make_person()

    post(thief, EntryKind.BONUS, MUCH, str(order.payment_id))

    [found] = payments.mismatches()
    assert found.account_id == thief.account_id
    assert found.problem == "this account has no such payment, but bonus entries of it come to 1000"


def test_moves_of_another_accounts_payment_are_found(buyer: Person) -> None:
    order, thief = paying.buy(buyer), factories.make_person()

    scenes.execute(
        "INSERT INTO payment_moves (id, payment_id, account_id, kind, amount_nano, credit_nano, tax_nano, created_at)"
        " VALUES (:id, :payment_id, :account_id, 'payment', 5000000000, 5000000000, 0, now())",
        id=new_id(),
        payment_id=order.payment_id,
        account_id=thief.account_id,
    )

    [found] = payments.mismatches()
    assert found.account_id == thief.account_id
    assert found.problem == "this account has no such payment, but its moves of money paid come to 5, credit in its moves come to 5"


def test_what_staff_and_trials_give_needs_no_payment(buyer: Person) -> None:
    """Adjustments, whatever they bear as their reference; and payments with all that became of them are in order."""
    factories.grant(buyer, usd="5")
    post(buyer, EntryKind.ADJUSTMENT, 5, str(new_id()))
    scenes.execute("INSERT INTO bonus_tiers (id, from_nano, bonus_percent, created_at) VALUES (:id, 10000000000, 10, now())", id=new_id())
    order = paying.buy(buyer)
    name = paying.intent_of(order)
    learn_money(MoneySeen(name, refunds=(paying.refund(name, "5"),), disputes=(paying.dispute(name, "5", 1, "5"),)))
    paying.order(buyer)

    assert scenes.problems() == []

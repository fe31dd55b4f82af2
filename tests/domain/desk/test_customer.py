"""One page's worth of everything about an account, in a number of queries that does not grow with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from reseller.clock import new_id, now
from reseller.database import db
from reseller.domain import accounts, keys, limits, notes
from reseller.domain.accounts import Person
from reseller.domain.desk import customer as desk
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import EntryKind
from reseller.errors import NotFound
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying

MOST_QUERIES = 16  # fifteen and the one that says for whom


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def live(app: Flask, who: Person, *, days: int) -> None:
    """The account has done that much of everything."""
    till = wiring_of(app).till
    for number in range(days):
        _, key = factories.mint_key(who, name=f"key {number}")
        customer = scenes.Customer(who.account_id, key.id)
        scenes.put_in(customer, 10**9, reference=f"pi_{new_id().hex}")
        op = scenes.admission(customer)
        till.admit(op)
        till.settle(scenes.settlement(op) if number % 2 else scenes.failure(op))
        notes.add(new_id(), who.account_id, f"note {number}", actor=f"user:{factories.make_person().user_id}")
        if number % 2:
            paying.buy(who, "5")
        limits.change(who.account_id, {"rpm": 1000 + number}, actor="user:1")


def test_an_account_with_much_behind_it_takes_no_more_queries(app: Flask) -> None:
    """No query a row."""
    fresh, busy = factories.make_person(), factories.make_person()
    live(app, busy, days=30)

    counts = []
    for who in (fresh, busy):
        with statements() as sent:
            desk.customer(who.account_id)
        counts.append(len(sent))

    assert counts[0] <= counts[1] <= MOST_QUERIES


def test_a_page_of_the_list_is_one_query(app: Flask) -> None:
    for _ in range(5):
        factories.make_person()

    with statements() as sent:
        lines = desk.read_lines(desk.customer_lines())

    assert (len(lines), len([each for each in sent if "set_config" not in each])) == (5, 1)


def test_the_page_shows_what_the_books_say(app: Flask) -> None:
    who = factories.make_person(usd="10")
    _, key = factories.mint_key(who)
    customer = scenes.Customer(who.account_id, key.id)
    paying.buy(who, "5")
    till, (first, second) = wiring_of(app).till, (scenes.admission(customer, hold=1_000), scenes.admission(customer, hold=500))
    till.admit(first)
    till.settle(scenes.settlement(first, charge=600))
    till.admit(second)

    shown = desk.customer(who.account_id)

    assert (shown.money.settled_usd, shown.money.held_usd) == (Decimal("14.9999994"), Decimal("0.0000005"))
    assert (shown.money.available_usd, shown.money.spent_today_usd, shown.money.open_calls) == (
        Decimal("14.9999989"),
        Decimal("0.0000006"),
        1,
    )
    assert (shown.topped_up_usd, [(line.amount_usd, line.status) for line in shown.payments]) == (Decimal(5), [(Decimal(5), "paid")])
    assert [(row.kind, row.balance_after_usd) for row in shown.entries] == [("top_up", Decimal(15)), ("adjustment", Decimal(10))]
    assert [(use.name, use.used) for use in shown.limits.uses] == [
        ("rpm", 2),
        ("rph", 2),
        ("rpd", 2),
        ("concurrent", 1),
        ("max_tokens", None),
    ]
    assert [(call.id, call.status, call.charge_usd) for call in shown.calls] == [(first.call_id, "completed", Decimal("0.0000006"))]
    assert (shown.email, shown.members[0].member_role, shown.members[0].is_verified) == (who.email, "owner", True)


def test_charges_of_yesterday_are_not_those_of_today(app: Flask) -> None:
    customer = scenes.customer(nano=1_000)
    till, op = wiring_of(app).till, scenes.admission(customer)
    till.admit(op)
    till.settle(scenes.settlement(op))
    scenes.make_it_yesterday(customer)

    assert desk.customer(customer.account_id).money.spent_today_usd == 0


def test_errors_stand_apart_from_what_went_well(app: Flask) -> None:
    who = factories.make_person(usd="1")
    live(app, who, days=4)

    shown = desk.customer(who.account_id)

    assert [call.status for call in shown.calls] == ["completed", "failed", "completed", "failed"]
    assert [(call.status, call.error_code) for call in shown.errors] == [("failed", "upstream_unavailable")] * 2


def test_overage_is_summed_over_all_time(app: Flask) -> None:
    customer = scenes.customer(nano=100)
    till, op = wiring_of(app).till, scenes.admission(customer, hold=100)
    till.admit(op)
    till.settle(scenes.settlement(op, charge=150))

    money = desk.customer(customer.account_id).money

    assert (money.overage_usd, money.overage_calls) == (Decimal("0.00000005"), 1)


def test_states_of_account_and_keys_are_told(app: Flask) -> None:
    who = factories.make_person()
    tokens = [factories.mint_key(who, name=name)[1].id for name in ("works", "gone", "old")]
    keys.revoke(str(tokens[1]), actor="user:1")
    scenes.execute("UPDATE api_keys SET expires_at = now() - interval '1 hour' WHERE id = :id", id=tokens[2])
    accounts.suspend(who.account_id, reason="abuse", actor="user:1")
    accounts.halt(who.account_id, reason="entry 3")
    scenes.put_in(scenes.Customer(who.account_id, tokens[0]), -5, kind=EntryKind.REFUND)

    shown = desk.customer(who.account_id)

    assert (shown.status, shown.status_reason, shown.halted_reason, shown.money.is_frozen) == ("suspended", "abuse", "entry 3", True)
    assert {key.name: key.status for key in shown.keys} == {"works": "active", "gone": "revoked", "old": "expired"}
    assert shown.keys[-1].name == "gone"  # keys that work, first


def test_what_a_key_spent_in_an_older_span_does_not_count_against_its_limit(app: Flask) -> None:
    who = factories.make_person()
    factories.mint_key(who, spend=(Decimal(5), SpendPeriod.DAY))
    scenes.execute("UPDATE api_keys SET spent_nano = 3000000000, period_start = current_date - 1")

    [key] = desk.customer(who.account_id).keys

    assert (key.spend_limit_usd, key.spent_usd) == (Decimal(5), Decimal(0))


def test_a_change_for_a_while_says_what_it_goes_back_to(app: Flask) -> None:
    who = factories.make_person()
    limits.change(who.account_id, {"rpm": 900, "concurrent": None}, actor="user:1", reverts_at=now() + timedelta(hours=1))

    shown = desk.customer(who.account_id).limits

    assert shown.reverts_at is not None
    assert shown.goes_back_to == (("Requests a minute", 300), ("Calls at once", 100))


def test_one_call_is_shown_to_its_own_customer_only(app: Flask) -> None:
    customer, stranger = scenes.customer(), scenes.customer()
    till, op = wiring_of(app).till, scenes.admission(customer)
    till.admit(op)
    till.settle(scenes.settlement(op))

    found = desk.call_shown(customer.account_id, op.call_id)

    assert found is not None
    assert found.id == op.call_id
    assert desk.call_shown(stranger.account_id, op.call_id) is None


def test_no_account_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        desk.customer(new_id())

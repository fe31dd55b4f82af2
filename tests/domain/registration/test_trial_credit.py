"""Trial credit: once for a mailbox, a few times for a network, never more."""

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain.accounts import Person
from reseller.domain.registration import Trial, grant_trial_credit
from reseller.domain.registration.trial_credit import MOST_FOR_A_NETWORK, mailbox_of
from tests import factories
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
FIVE = Decimal(5)


def grant(person: Person, address: str = "192.0.2.1", *, usd: Decimal = FIVE) -> bool:
    return grant_trial_credit(person, Trial(usd, address))


def entries() -> list[dict[str, Any]]:
    return scenes.rows("SELECT account_id, kind, amount_nano, reason FROM ledger_entries ORDER BY id")


def test_it_is_an_entry_that_the_customer_can_read_and_an_audit_row() -> None:
    """R37."""
    person = factories.make_person()

    assert grant(person)
    assert entries() == [{"account_id": person.account_id, "kind": "adjustment", "amount_nano": 5 * 10**9, "reason": "Trial credit"}]
    [row] = scenes.rows("SELECT actor, changes FROM staff_actions WHERE action = 'account.grant_trial_credit'")
    assert (row["actor"], row["changes"]["amount_usd"]) == ("system:trial credit", [None, "5"])
    assert scenes.problems() == []


def test_none_is_given_unless_the_deployment_says_how_much() -> None:
    assert not grant(factories.make_person(), usd=Decimal(0))
    assert entries() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ann@example.com", "ann+two@example.com"),
        ("ann.smith@gmail.com", "annsmith@gmail.com"),
        ("ann@gmail.com", "a.n.n+x@googlemail.com"),
    ],
)
def test_another_spelling_of_the_same_mailbox_gets_nothing_more(first: str, second: str) -> None:
    assert grant(factories.make_person(email=first))

    assert not grant(factories.make_person(email=second), "198.51.100.1")
    assert len(entries()) == 1


def test_dots_matter_where_they_do() -> None:
    assert mailbox_of("a.b@example.com") != mailbox_of("ab@example.com")


def test_the_same_person_gets_it_once() -> None:
    person = factories.make_person()

    assert [grant(person), grant(person)] == [True, False]


@pytest.mark.parametrize("addresses", [["192.0.2.1"] * 4, [f"2001:db8::{number}" for number in range(1, 5)]])
def test_a_network_gets_it_a_few_times_and_others_go_on(addresses: list[str]) -> None:
    answers = [grant(factories.make_person(), address) for address in addresses]

    assert answers == [True] * MOST_FOR_A_NETWORK + [False]
    assert grant(factories.make_person(), "203.0.113.9")


def test_a_network_has_its_share_again_after_a_month() -> None:
    for _ in range(MOST_FOR_A_NETWORK):
        grant(factories.make_person())
    scenes.execute(
        "UPDATE staff_actions SET id = CAST('01800000' || substr(id::text, 9) AS uuid) WHERE action = 'account.grant_trial_credit'"
    )

    assert grant(factories.make_person())


def test_at_once_from_one_network_gets_no_more_than_in_a_row(app: Flask) -> None:
    people = iter([factories.make_person() for _ in range(6)])

    def at_once() -> bool:
        with app.app_context(), acting_as_operator():
            return grant(next(people))

    assert sorted(scenes.in_threads(6, at_once)) == [False] * 3 + [True] * 3


def test_one_mailbox_at_once_from_everywhere_gets_it_once(app: Flask) -> None:
    people = iter([(factories.make_person(email=f"ann+{number}@example.com"), f"192.0.2.{number}") for number in range(6)])

    def at_once() -> bool:
        with app.app_context(), acting_as_operator():
            return grant(*next(people))

    assert sorted(scenes.in_threads(6, at_once)) == [False] * 5 + [True]
    assert scenes.problems() == []

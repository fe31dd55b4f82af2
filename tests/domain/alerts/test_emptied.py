"""Credit that is used up: told once by event, again only after there was some again, and never to whoever had none."""

import pytest
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain import accounts, alerts
from reseller.domain.accounts import Person
from reseller.domain.alerts import budgets
from tests import factories
from tests.domain import scenes


@pytest.fixture(autouse=True)
def _in_context(app: Flask) -> None:
    """The app's context, as the operator."""


def told(person: Person) -> list[str]:
    query = "SELECT payload FROM outbox WHERE account_id = :id AND name = 'balance.zero' ORDER BY position"
    return [row["payload"]["balance_usd"] for row in scenes.rows(query, id=person.account_id)]


def test_it_is_told_once_below_a_cent_and_again_after_two() -> None:
    person = factories.make_person(usd="1")
    alerts.sweep()
    seen = [told(person)]
    for usd in ("-0.99", "-0.005", "0.01", "-0.01", "0.02", "-0.02"):
        factories.grant(person, usd=usd)
        alerts.sweep()
        alerts.sweep()
        seen.append(told(person))

    # 1, 0.01, 0.005, 0.015, 0.005, 0.025, 0.005
    assert seen == [[], [], ["0.005"], ["0.005"], ["0.005"], ["0.005"], ["0.005", "0.005"]]


def test_whoever_never_had_credit_is_not_told_that_there_is_none() -> None:
    person = factories.make_person()

    alerts.sweep()

    assert told(person) == []


def test_a_balance_below_zero_is_told() -> None:
    """R19: a dispute may take what is spent already."""
    who = scenes.customer(nano=10**9)
    scenes.execute("UPDATE balances SET settled_nano = -5000000, reversal_floor_nano = 5000000 WHERE account_id = :id", id=who.account_id)

    alerts.sweep()

    [row] = scenes.rows("SELECT payload FROM outbox WHERE account_id = :id AND name = 'balance.zero'", id=who.account_id)
    assert row["payload"] == {"balance_usd": "-0.005"}


def test_a_suspended_account_is_told_once_it_is_not() -> None:
    person = factories.make_person(usd="1")
    accounts.suspend(person.account_id, actor=factories.ACTOR, reason="for a test")
    factories.grant(person, usd="-1")
    alerts.sweep()
    meanwhile = told(person)

    accounts.restore(person.account_id, actor=factories.ACTOR, reason="for a test")
    alerts.sweep()

    assert (meanwhile, told(person)) == ([], ["0"])


def test_one_account_that_cannot_be_told_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what fails here keep anybody's budgets from being looked at."""
    first, second = sorted((factories.make_person(usd="1") for _ in range(2)), key=lambda person: person.account_id)
    for person in (first, second):
        factories.grant(person, usd="-1")
    budgets_seen: list[int] = []
    monkeypatch.setattr(budgets, "sweep", lambda: budgets_seen.append(1) or 0)
    scenes.fail_to_announce(monkeypatch, first.account_id)

    with pytest.raises(RuntimeError, match=str(first.account_id)):
        alerts.sweep()

    assert (told(first), told(second), budgets_seen) == ([], ["0"], [1])
    monkeypatch.undo()
    alerts.sweep()
    assert told(first) == ["0"]


def test_two_sweeps_at_once_tell_once(app: Flask) -> None:
    person = factories.make_person(usd="1")
    factories.grant(person, usd="-1")

    def one() -> None:
        with app.app_context(), acting_as_operator():
            alerts.sweep()

    scenes.in_threads(4, one)

    assert told(person) == ["0"]

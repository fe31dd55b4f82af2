"""Limits for a while: what they go back to, and that the second of two editors learns of the first."""

from datetime import timedelta
from typing import Any

import pytest

from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain import limits
from reseller.domain.accounts import Person
from reseller.domain.limits import LimitPreset
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests import factories
from tests.domain import scenes

HOUR = timedelta(hours=1)


@pytest.fixture
def customer(app: Any) -> Person:
    return factories.make_person()


def figures(customer: Person) -> tuple[int | None, int | None]:
    """Requests a minute and calls at once."""
    row = limits.limits_of(customer.account_id)
    return row.requests_per_minute, row.concurrent_requests


def let_it_end() -> None:
    scenes.execute("UPDATE rate_limits SET reverts_at = now() - interval '1 second' WHERE reverts_at IS NOT NULL")


def test_a_change_for_a_while_goes_back_and_both_are_recorded(customer: Person) -> None:
    """R37."""
    limits.change(customer.account_id, {"rpm": 900}, actor="user:1", reason="a launch", reverts_at=now() + HOUR)
    during = figures(customer)

    early, _, late = limits.revert_due(), let_it_end(), limits.revert_due()

    assert (during, figures(customer)) == ((900, 100), (300, 100))
    assert (early, late, limits.revert_due()) == (0, 1, 0)
    made, ended = scenes.rows("SELECT * FROM staff_actions WHERE action LIKE 'limits.%' ORDER BY id")
    assert (made["reason"], made["changes"]["requests_per_minute"], "reverts_at" in made["changes"]) == ("a launch", [300, 900], True)
    assert (ended["action"], ended["actor"], ended["changes"]) == (
        "limits.revert",
        "system:revert limits",
        {"requests_per_minute": [900, 300]},
    )


def test_a_second_change_for_a_while_goes_back_to_before_the_first(customer: Person) -> None:
    limits.change(customer.account_id, {"rpm": 900}, actor="user:1", reverts_at=now() + HOUR)
    limits.change(customer.account_id, {"rpm": 1200, "concurrent": 7}, actor="user:1", reverts_at=now() + 2 * HOUR)

    let_it_end()
    limits.revert_due()

    assert figures(customer) == (300, 100)


def test_a_change_for_good_outlasts_a_change_for_a_while(customer: Person) -> None:
    limits.change(customer.account_id, {"rpm": 900, "concurrent": 7}, actor="user:1", reverts_at=now() + HOUR)
    limits.change(customer.account_id, {"rpm": 500}, actor="user:1")

    let_it_end()
    limits.revert_due()

    assert figures(customer) == (500, 100)


def test_changing_everything_for_good_ends_the_change_for_a_while(customer: Person) -> None:
    limits.change(customer.account_id, {"rpm": 900}, actor="user:1", reverts_at=now() + HOUR)

    row = limits.change(customer.account_id, {"rpm": 900, "rph": 1, "rpd": 1, "max_tokens": 1, "concurrent": 1}, actor="user:1")

    assert (row.reverts_at, row.reverts_to) == (None, None)


def test_the_second_of_two_editors_learns_of_the_first(customer: Person) -> None:
    seen = limits.limits_of(customer.account_id).version
    limits.change(customer.account_id, {"rpm": 900}, actor="user:1", seen_version=seen)

    with pytest.raises(Conflict):
        limits.change(customer.account_id, {"rpm": 5}, actor="user:2", seen_version=seen)

    assert figures(customer) == (900, 100)


def test_what_the_clock_put_back_is_news_to_an_editor_too(customer: Person) -> None:
    limits.change(customer.account_id, {"rpm": 900}, actor="user:1", reverts_at=now() + HOUR)
    seen = limits.limits_of(customer.account_id).version
    let_it_end()
    limits.revert_due()

    with pytest.raises(Conflict):
        limits.change(customer.account_id, {"rpm": 950}, actor="user:2", seen_version=seen)


def test_an_end_in_the_past_is_refused(customer: Person) -> None:
    with pytest.raises(InvalidRequest, match="future"):
        limits.change(customer.account_id, {"rpm": 5}, actor="user:1", reverts_at=now())

    assert figures(customer) == (300, 100)


def test_giving_a_preset_copies_its_figures_and_names_it(customer: Person) -> None:
    preset_id = new_id()
    with transaction() as session:
        session.add(LimitPreset(id=preset_id, name="Startup", requests_per_minute=600, concurrent_requests=None))

    limits.give(customer.account_id, preset_id, actor="user:1", reason="new plan")

    assert figures(customer) == (600, None)
    [action] = scenes.rows("SELECT reason FROM staff_actions WHERE action = 'limits.change'")
    assert action["reason"] == "new plan (preset Startup)"
    with pytest.raises(NotFound):
        limits.give(customer.account_id, new_id(), actor="user:1", reason="x")

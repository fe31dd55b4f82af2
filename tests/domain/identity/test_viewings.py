"""Staff look as a customer: who may, how long, and what the audit log keeps of it (R24, R37)."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import acting_for
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import roles, sessions, viewings
from reseller.errors import Forbidden, InvalidRequest, NotFound
from tests import factories
from tests.authenticator import standing_clock
from tests.domain import scenes
from tests.staff import session_of


@pytest.fixture
def clock(app: Flask) -> Iterator[time_machine.Traveller]:
    with standing_clock() as standing:
        yield standing


def at_desk(role: Role = Role.SUPPORT) -> tuple[Person, UUID]:
    """Somebody of staff and the id of their session."""
    person = factories.make_person(role=role)
    found = sessions.find(session_of(person.user_id))
    assert found is not None
    return person, found.session_id


def audit() -> list[tuple[str, str, str]]:
    """Rows of one instant have no order."""
    rows = scenes.rows("SELECT action, actor, reason FROM staff_actions WHERE action LIKE 'viewing.%'")
    return sorted((row["action"], row["actor"], row["reason"]) for row in rows)


def test_a_viewing_begins_and_ends_with_a_row_of_its_customer_each(clock: time_machine.Traveller) -> None:
    """R37."""
    customer, (person, session_id) = factories.make_person(full_name="Ann"), at_desk()

    viewings.begin(session_id, person.user_id, customer.account_id, reason=" a ticket ")
    seen = viewings.of(session_id)
    account_id = viewings.end(session_id, person.user_id)

    assert seen is not None
    assert (seen.account_id, seen.account_name, seen.until) == (customer.account_id, "Ann", now() + viewings.LASTS)
    assert account_id == customer.account_id
    assert viewings.of(session_id) is None
    actor = f"user:{person.user_id}"
    assert audit() == [("viewing.begin", actor, "a ticket"), ("viewing.end", actor, "")]
    rows = scenes.rows("SELECT DISTINCT account_id FROM staff_actions WHERE action LIKE 'viewing.%'")
    assert [row["account_id"] for row in rows] == [customer.account_id]


def test_another_viewing_of_the_session_ends_the_first(clock: time_machine.Traveller) -> None:
    first, second, (person, session_id) = factories.make_person(), factories.make_person(), at_desk()
    viewings.begin(session_id, person.user_id, first.account_id, reason="one")

    viewings.begin(session_id, person.user_id, second.account_id, reason="two")

    seen = viewings.of(session_id)
    assert seen is not None
    assert seen.account_id == second.account_id
    assert [action for action, _, _ in audit()] == ["viewing.begin", "viewing.begin", "viewing.end"]


def test_a_viewing_is_over_when_its_time_is(clock: time_machine.Traveller) -> None:
    customer, (person, session_id) = factories.make_person(), at_desk()
    viewings.begin(session_id, person.user_id, customer.account_id, reason="a ticket")

    seen = viewings.of(session_id)
    assert seen is not None
    open_before = viewings.still_open([seen.id])

    clock.shift(viewings.LASTS)

    assert seen.is_over
    assert (open_before, viewings.still_open([seen.id])) == ({seen.id}, set())


@pytest.mark.parametrize("reason", ["", "  ", "r" * 501])
def test_nobody_views_without_saying_why(clock: time_machine.Traveller, reason: str) -> None:
    customer, (person, session_id) = factories.make_person(), at_desk()

    with pytest.raises(InvalidRequest):
        viewings.begin(session_id, person.user_id, customer.account_id, reason=reason)

    assert viewings.of(session_id) is None


def test_only_staff_view_and_only_in_a_session_of_their_own(clock: time_machine.Traveller) -> None:
    """R23, R24."""
    customer, (person, session_id), (other, _) = factories.make_person(), at_desk(), at_desk()
    found = sessions.find(session_of(customer.user_id))
    assert found is not None

    with pytest.raises(Forbidden):
        viewings.begin(found.session_id, customer.user_id, other.account_id, reason="curious")
    with pytest.raises(NotFound):
        viewings.begin(session_id, other.user_id, customer.account_id, reason="in somebody else's session")
    with pytest.raises(NotFound):
        viewings.begin(session_id, person.user_id, uuid4(), reason="nobody's account")
    viewings.begin(session_id, person.user_id, customer.account_id, reason="a ticket")

    assert viewings.end(session_id, other.user_id) is None
    with acting_for(customer.account_id):
        assert viewings.of(session_id) is None, "a viewing is the operator's own"


def test_what_nobody_ended_has_its_end_in_the_audit_log_too(clock: time_machine.Traveller) -> None:
    customer, (demoted, first), (idle, second) = factories.make_person(), at_desk(), at_desk()
    viewings.begin(second, idle.user_id, customer.account_id, reason="time")
    clock.shift(viewings.LASTS + viewings.LEFT_ALONE)
    viewings.begin(first, demoted.user_id, customer.account_id, reason="role")
    fresh, third = at_desk()
    viewings.begin(third, fresh.user_id, customer.account_id, reason="goes on")
    roles.change_role(demoted.user_id, Role.CUSTOMER, seen_version=None, actor="cli:test", reason="left")

    closed, again = viewings.close_over(), viewings.close_over()

    assert (closed, again) == (2, 0)
    ends = [(actor, reason) for action, actor, reason in audit() if action == "viewing.end"]
    assert sorted(ends) == [("system:viewings", "its session was over"), ("system:viewings", "its time was over")]
    assert viewings.of(third) is not None

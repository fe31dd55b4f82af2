"""Roles change by another admin, with a reason, and end sessions (R24, R26, R37)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain import staff
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import sessions
from reseller.domain.identity.roles import change_role
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refusal
from tests import factories
from tests.domain import scenes
from tests.staff import session_of


def role_of(person: Person) -> str:
    [row] = [row for row in scenes.rows("SELECT id, role FROM users") if row["id"] == person.user_id]
    return str(row["role"])


def changed(person: Person, role: Role, *, by: Person, **terms: Any) -> int:
    return change_role(person.user_id, role, **{"seen_version": None, "reason": "new job", "actor": staff.actor_of(by.user_id), **terms})


def test_a_new_role_is_recorded_with_who_and_why(app: Flask) -> None:
    """R37."""
    admin, person = factories.make_person(role=Role.ADMIN), factories.make_person(role=Role.SUPPORT)

    changed(person, Role.FINANCE, by=admin)

    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.change_role'")
    assert role_of(person) == "finance"
    assert row["actor"] == staff.actor_of(admin.user_id)
    assert (row["reason"], row["changes"], row["account_id"]) == ("new job", {"role": ["support", "finance"]}, person.account_id)


def test_a_change_of_role_ends_every_session_of_the_person_and_nobody_else_s(app: Flask) -> None:
    """R26."""
    admin, person = factories.make_person(role=Role.ADMIN), factories.make_person(role=Role.SUPPORT)
    theirs, other = [session_of(person.user_id) for _ in range(2)], session_of(admin.user_id)

    ended = changed(person, Role.FINANCE, by=admin)

    assert ended == 2
    assert [sessions.find(token) for token in theirs] == [None, None]
    assert sessions.find(other) is not None


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.CUSTOMER])
def test_nobody_changes_their_own_role(app: Flask, role: Role) -> None:
    """R24: neither up nor down, so a stolen session cannot hide behind it either."""
    person = factories.make_person(role=Role.ADMIN)
    factories.make_person(role=Role.ADMIN)

    with pytest.raises(Forbidden):
        changed(person, role, by=person)

    assert role_of(person) == "admin"


def test_the_last_admin_stays_even_by_the_command_line(app: Flask) -> None:
    person = factories.make_person(role=Role.ADMIN)

    with pytest.raises(Conflict, match="last admin"):
        changed(person, Role.SUPPORT, by=person, actor="cli:root")

    assert role_of(person) == "admin"


def test_two_admins_who_demote_each_other_at_once_leave_one(app: Flask) -> None:
    """Guard: the lock on every admin's row; without it both see the other and both succeed."""
    pair = [factories.make_person(role=Role.ADMIN) for _ in range(2)]

    def demote(victim: Person, by: Person) -> Any:
        with app.app_context(), acting_as_operator():
            try:
                return changed(victim, Role.SUPPORT, by=by)
            except Refusal as refusal:
                return type(refusal)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(demote, pair, reversed(pair)))

    assert sorted(role_of(person) for person in pair) == ["admin", "support"]
    assert answers.count(Conflict) == 1


def test_the_second_of_two_editors_learns_of_the_first(app: Flask) -> None:
    admin, person = factories.make_person(role=Role.ADMIN), factories.make_person(role=Role.SUPPORT)
    changed(person, Role.FINANCE, by=admin, seen_version=1)

    with pytest.raises(Conflict, match="in the meantime"):
        changed(person, Role.ADMIN, by=admin, seen_version=1)

    assert role_of(person) == "finance"


def test_a_role_needs_a_reason_a_person_and_a_difference(app: Flask) -> None:
    admin, person = factories.make_person(role=Role.ADMIN), factories.make_person(role=Role.SUPPORT)
    by = staff.actor_of(admin.user_id)

    with pytest.raises(InvalidRequest):
        changed(person, Role.FINANCE, by=admin, reason=" ")
    with pytest.raises(NotFound):
        change_role(new_id(), Role.FINANCE, seen_version=None, actor=by, reason="x")
    with pytest.raises(Conflict, match="already"):
        changed(person, Role.SUPPORT, by=admin)

    assert scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.change_role'") == []

"""Sessions live in the database: what ends them is at once true for every process (R26)."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain.accounts import Role, hash_password
from reseller.domain.identity import passwords, sessions
from reseller.errors import NotFound
from reseller.wiring import wiring_of
from reseller.worker import upkeep
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.staff import session_of


def found(token: str) -> Any:
    got = sessions.find(token)
    assert got is not None
    return got


def make_older(column: str, by: timedelta) -> None:
    scenes.execute(f"UPDATE sessions SET {column} = {column} - make_interval(secs => :seconds)", seconds=by.total_seconds())


def test_showing_the_second_factor_gives_a_new_token_and_the_old_one_is_worth_nothing(app: Flask) -> None:
    """R26."""
    person = factories.make_person(role=Role.SUPPORT)
    before = session_of(person.user_id, has_second_factor=False)
    session_id = found(before).session_id

    after = sessions.raise_to_second_factor(session_id)

    assert sessions.find(before) is None
    assert found(after).session_id == session_id
    assert found(after).second_factor_at is not None


@pytest.mark.parametrize("verb", [sessions.confirm, sessions.renew])
def test_confirming_and_renewing_give_a_new_token_and_no_second_factor(app: Flask, verb: Any) -> None:
    """R26."""
    before = session_of(factories.make_person().user_id, has_second_factor=False)

    after = verb(found(before).session_id)

    assert sessions.find(before) is None
    assert found(after).second_factor_at is None
    assert (found(after).confirmed_at is not None) == (verb is sessions.confirm)


def test_a_session_that_is_gone_cannot_be_raised(app: Flask) -> None:
    with pytest.raises(NotFound):
        sessions.raise_to_second_factor(new_id())


def test_only_a_digest_of_the_token_is_stored(app: Flask) -> None:
    token = session_of(factories.make_person().user_id)

    assert token not in str(scenes.rows("SELECT * FROM sessions"))


def test_staff_are_out_after_two_idle_hours_and_customers_are_not(app: Flask) -> None:
    staff, customer = (session_of(factories.make_person(role=role).user_id) for role in (Role.SUPPORT, Role.CUSTOMER))

    make_older("seen_at", timedelta(hours=2, minutes=1))

    assert sessions.find(staff) is None
    assert sessions.find(customer) is not None


def test_a_session_ends_whether_it_is_used_or_not(app: Flask) -> None:
    token = session_of(factories.make_person(role=Role.SUPPORT).user_id)

    make_older("expires_at", timedelta(hours=12))

    assert sessions.find(token) is None


def test_a_new_password_ends_the_other_sessions_and_is_recorded(app: Flask) -> None:
    """R26, R37."""
    person, other = factories.make_person(), factories.make_person()
    here, there, theirs = session_of(person.user_id), session_of(person.user_id), session_of(other.user_id)

    ended = passwords.change(
        person.user_id, hash_password("another long password"), actor="test", reason="lost", keep=found(here).session_id
    )

    assert ended == 1
    assert [sessions.find(token) is not None for token in (here, there, theirs)] == [True, False, True]
    assert passwords.candidate(person.email).proved_by("another long password") == person.user_id
    assert passwords.candidate(person.email).proved_by(factories.PASSWORD) is None
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.set_password'")
    assert (row["reason"], row["changes"]) == ("lost", {})


def test_nobody_ends_a_session_of_somebody_else(app: Flask) -> None:
    """R23."""
    mine, theirs = factories.make_person(), factories.make_person()
    token = session_of(theirs.user_id)

    ended = sessions.end(found(token).session_id, user_id=mine.user_id)

    assert not ended
    assert sessions.find(token) is not None


def test_sessions_that_are_over_are_not_listed_and_the_clock_removes_them(app: Flask) -> None:
    person = factories.make_person(role=Role.SUPPORT)
    idle, alive = session_of(person.user_id), session_of(person.user_id)
    stale = found(idle).session_id
    scenes.execute("UPDATE sessions SET seen_at = seen_at - interval '3 hours' WHERE id = :id", id=stale)
    listed = [row.id for row in sessions.sessions_of(person.user_id)]

    said = upkeep.forget_rows(Context(wiring_of(app), heart=None, is_once=True))  # type: ignore[arg-type]

    assert stale not in listed
    assert said == "gone: 1 of sessions"
    assert [row["id"] for row in scenes.rows("SELECT id FROM sessions")] == [found(alive).session_id]


@pytest.mark.parametrize("email", ["nobody@example.com", "not an address", "", "a@b", "x" * 400])
def test_an_unknown_address_costs_the_same_hash_and_is_nobody(app: Flask, email: str) -> None:
    """The dummy hash has the very parameters of a real one."""
    person = factories.make_person()

    unknown, known = passwords.candidate(email), passwords.candidate(person.email)

    assert unknown.user_id is None
    assert unknown.proved_by(factories.PASSWORD) is None
    assert unknown.password_hash.rsplit("$", 2)[0] == known.password_hash.rsplit("$", 2)[0]


def test_somebody_without_a_password_signs_in_with_none(app: Flask) -> None:
    person = factories.make_person()
    scenes.execute("UPDATE users SET password_hash = NULL")

    assert passwords.candidate(person.email).proved_by(factories.PASSWORD) is None
    assert passwords.candidate_of(person.user_id).proved_by("") is None

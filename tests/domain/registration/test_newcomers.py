"""A person, their account, its balance and its limits come into being together or not at all."""

from typing import Any

import pytest
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain import registration
from reseller.domain.accounts import Role
from reseller.domain.identity import passwords, sessions
from reseller.domain.registration import Newcomer
from reseller.errors import Conflict, InvalidRequest
from tests.domain import scenes
from tests.staff import session_of

TABLES = ("users", "accounts", "memberships", "balances", "rate_limits", "request_counters", "staff_actions")
PASSWORD = "long enough for a password"


def counts() -> dict[str, int]:
    return {table: scenes.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in TABLES}


def test_everything_a_customer_needs_is_made_at_once(app: Any) -> None:
    person = registration.register(Newcomer("Ann@Example.COM", PASSWORD, full_name="Ann", company="Acme"), actor="web")

    assert counts() == dict.fromkeys(TABLES, 1)
    [user] = scenes.rows("SELECT * FROM users")
    assert (user["id"], user["email"], user["role"], user["email_verified_at"]) == (person.user_id, "ann@example.com", "customer", None)
    assert user["password_hash"].startswith("$argon2id$")
    [account] = scenes.rows("SELECT * FROM accounts")
    assert (account["id"], account["name"], account["status"]) == (person.account_id, "Acme", "active")
    [membership] = scenes.rows("SELECT * FROM memberships")
    assert (membership["account_id"], membership["user_id"], membership["role"]) == (person.account_id, person.user_id, "owner")
    assert scenes.rows("SELECT settled_nano, held_nano FROM balances") == [{"settled_nano": 0, "held_nano": 0}]
    [limits] = scenes.rows("SELECT * FROM rate_limits")
    assert (limits["requests_per_minute"], limits["concurrent_requests"], limits["max_tokens_per_request"]) == (300, 100, None)
    [action] = scenes.rows("SELECT * FROM staff_actions")
    assert (action["action"], action["actor"], action["account_id"]) == ("user.create", "web", person.account_id)
    assert PASSWORD not in str(scenes.rows("SELECT * FROM staff_actions") + scenes.rows("SELECT * FROM users"))


@pytest.mark.parametrize("table", [table for table in TABLES if table != "users"])
def test_a_failure_half_way_leaves_nothing(app: Any, superuser_url: str, table: str) -> None:
    """One transaction: whichever of its rows cannot be written."""
    scenes.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$")
    scenes.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")

    with pytest.raises(Exception, match="not today"):
        registration.register(Newcomer("ann@example.com", PASSWORD), actor="web")

    assert counts() == dict.fromkeys(TABLES, 0)


def test_a_verified_address_can_be_registered_once_however_it_is_written(app: Any) -> None:
    registration.register(Newcomer("ann@example.com", PASSWORD, is_verified=True), actor="web")

    with pytest.raises(Conflict):
        registration.register(Newcomer("ANN@example.com", PASSWORD), actor="web")

    assert counts() == dict.fromkeys(TABLES, 1)


def test_two_registrations_of_one_address_at_the_same_instant_make_one_person(app: Flask) -> None:
    answers = scenes.in_threads(4, lambda: registered(app))

    assert sorted(answers) == ["Conflict", "Conflict", "Conflict", "made"]
    assert counts() == dict.fromkeys(TABLES, 1)


def registered(app: Flask) -> str:
    with app.app_context(), acting_as_operator():
        try:
            registration.register(Newcomer("ann@example.com", PASSWORD, is_verified=True), actor="web")
        except Exception as error:  # noqa: BLE001 - which error is what is asked
            return type(error).__name__
    return "made"


@pytest.mark.parametrize("is_verified", [True, False])
def test_an_address_that_nobody_verified_goes_to_whoever_registers_it_next(app: Any, is_verified: bool) -> None:
    """R26: somebody who registers a stranger's address first has no way into what becomes of it."""
    squatter = registration.register(Newcomer("ann@example.com", PASSWORD, full_name="Mallory", company="Evil"))
    token = session_of(squatter.user_id)

    ann = registration.register(Newcomer("Ann@example.com", "another long password", full_name="Ann", is_verified=is_verified))

    assert ann == squatter
    assert passwords.candidate("ann@example.com").proved_by(PASSWORD) is None
    assert passwords.candidate("ann@example.com").proved_by("another long password") == ann.user_id
    assert sessions.find(token) is None
    [user] = scenes.rows("SELECT * FROM users")
    assert (user["full_name"], user["email_verified_at"] is not None) == ("Ann", is_verified)
    assert scenes.rows("SELECT name, company FROM accounts") == [{"name": "Ann", "company": ""}]
    assert counts() == dict.fromkeys(TABLES, 1) | {"staff_actions": 2}


def test_without_a_password_none_opens_the_account(app: Any) -> None:
    person = registration.register(Newcomer("ann@example.com", is_verified=True))

    assert scenes.rows("SELECT password_hash FROM users") == [{"password_hash": None}]
    assert passwords.candidate("ann@example.com").proved_by("") is None
    assert scenes.rows("SELECT actor FROM staff_actions") == [{"actor": f"user:{person.user_id}"}]


@pytest.mark.parametrize("email", ["", "ann", "ann@", "@example.com", "ann@example.com\n", "a b@example.com", "ann@example..com"])
def test_what_is_no_address_is_refused(app: Any, email: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        registration.register(Newcomer(email, PASSWORD), actor="web")

    assert refused.value.param == "email"
    assert counts()["users"] == 0


def test_a_short_password_is_refused(app: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        registration.register(Newcomer("ann@example.com", "123456789"), actor="web")

    assert refused.value.param == "password"


def test_staff_are_made_verified_with_their_role(app: Any) -> None:
    registration.register(Newcomer("sue@example.com", PASSWORD, role=Role.SUPPORT, is_verified=True), actor="cli:root")

    [user] = scenes.rows("SELECT * FROM users")
    assert user["role"] == "support"
    assert user["email_verified_at"] is not None

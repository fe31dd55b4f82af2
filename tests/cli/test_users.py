"""`flask users`: what an operator does for people who cannot sign in (R26, R37)."""

import json
from typing import Any

import pytest
from flask import Flask

from reseller.domain.accounts import Role
from reseller.domain.identity import passwords, second_factor, sessions
from reseller.domain.identity.sealing import Seal
from tests import factories
from tests.authenticator import Authenticator
from tests.domain import scenes
from tests.staff import session_of


def command(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["users", *words])


@pytest.mark.parametrize("role", list(Role))
def test_a_person_of_any_role_can_sign_in_with_what_was_printed(app: Flask, role: Role) -> None:
    printed = json.loads(command(app, "create", "new@example.com", "--role", str(role), "--json").stdout)

    proved = passwords.candidate("new@example.com").proved_by(printed["password"])

    assert str(proved) == printed["user_id"]
    assert printed["role"] == role


def test_a_new_password_is_printed_and_ends_sessions_and_is_recorded(app: Flask) -> None:
    person = factories.make_person(role=Role.ADMIN)
    token = session_of(person.user_id)

    printed = json.loads(command(app, "password", person.email, "--reason", "forgotten", "--json").stdout)

    assert sessions.find(token) is None
    assert printed["sessions_ended"] == 1
    assert passwords.candidate(person.email).proved_by(printed["password"]) == person.user_id
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.set_password'")
    assert (row["reason"], row["actor"].split(":")[0]) == ("forgotten", "cli")
    assert printed["password"] not in str(row)


def test_a_role_is_changed_with_a_reason_and_the_last_admin_stays(app: Flask) -> None:
    """R24, R26."""
    admin, person = factories.make_person(role=Role.ADMIN), factories.make_person()
    token = session_of(person.user_id)

    done = command(app, "role", person.email, "support", "--reason", "joined the team")
    refused = command(app, "role", admin.email, "support", "--reason", "leaves")

    assert (done.exit_code, refused.exit_code) == (0, 1)
    assert "last admin" in refused.stderr
    assert sessions.find(token) is None
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.change_role'")
    assert (row["reason"], row["changes"]) == ("joined the team", {"role": ["customer", "support"]})


def test_a_lost_phone_is_reset_with_a_reason(app: Flask) -> None:
    person = factories.make_person(role=Role.SUPPORT)
    secret = second_factor.new_secret()
    second_factor.enrol(person.user_id, secret, Authenticator(secret).code(), seal=Seal("k" * 40, "second factor"), replaces=False)
    token = session_of(person.user_id)

    without = command(app, "reset-second-factor", person.email)
    done = command(app, "reset-second-factor", person.email, "--reason", "lost phone")
    again = command(app, "reset-second-factor", person.email, "--reason", "lost phone")

    assert (without.exit_code, done.exit_code, again.exit_code) == (2, 0, 1)
    assert "has no authenticator" in again.stderr
    assert sessions.find(token) is None
    assert not second_factor.enrolled(person.user_id)


def test_nobody_is_told_in_words(app: Flask) -> None:
    for words in (["password", "nobody@example.com"], ["reset-second-factor", "nobody@example.com", "--reason", "x"]):
        result = command(app, *words)

        assert result.exit_code == 1
        assert "nobody here has the address" in result.stderr


def test_people_are_listed_with_their_roles_and_no_secret(app: Flask) -> None:
    customer, admin = factories.make_person(), factories.make_person(role=Role.ADMIN)

    everybody = command(app, "list", "--json")
    admins = command(app, "list", "--role", "admin")

    listed = {line["email"]: line["role"] for line in json.loads(everybody.stdout)["users"]}
    assert listed == {customer.email: "customer", admin.email: "admin"}
    assert admins.stdout.split()[:2] == [admin.email, "admin"]
    assert len(admins.stdout.splitlines()) == 1
    assert "argon2" not in everybody.stdout

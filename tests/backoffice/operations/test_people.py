"""People and roles: nobody raises or helps themselves, a change ends sessions, and no page shows a secret of anybody (R24, R26, R37)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Person, Role
from reseller.domain.identity import linked
from reseller.domain.identity.linked import Vouched
from tests import factories
from tests.backoffice.operations.desk import audited, confirmations_are_old, exported, page
from tests.domain import scenes
from tests.staff import client_of, session_of


@pytest.fixture
def admin(app: Flask) -> Person:
    return factories.make_person(email="ann@example.com", role=Role.ADMIN)


@pytest.fixture
def client(app: Flask, admin: Person) -> FlaskClient:
    return client_of(app, person=admin)


@pytest.fixture
def bob(app: Flask) -> Person:
    return factories.make_person(email="bob@example.com", role=Role.SUPPORT, full_name="Bob")


def enrol(who: Person) -> None:
    scenes.execute("INSERT INTO second_factors VALUES (:id, 'sealed-by-test', now(), 0, now())", id=who.user_id)
    scenes.execute("INSERT INTO recovery_codes VALUES (:id, :id, 'digest-by-test', NULL, now())", id=who.user_id)


def test_a_person_page_says_through_what_they_sign_in(client: FlaskClient, bob: Person) -> None:
    """ "I cannot get in" begins with this; what the provider calls them is text."""
    linked.link(bob.user_id, Vouched("https://id.example", "b-17", "<b>bob@elsewhere.example</b>"), actor="test")
    with_password = page(client, f"/admin/people/details/?id={bob.user_id}")
    scenes.execute("UPDATE users SET password_hash = NULL WHERE id = :id", id=bob.user_id)

    without = page(client, f"/admin/people/details/?id={bob.user_id}")

    assert "<td>Password</td>" in with_password
    assert "<td>Password</td>" not in without
    assert "https://id.example" in without
    assert "&lt;b&gt;bob@elsewhere.example" in without


def do(client: FlaskClient, what: str, who: Person, **changes: Any) -> Any:
    form = {"id": str(who.user_id), "version": "1", "role": "finance", "reason": "a new job"}
    return client.post(f"/admin/people/{what}/", data=form | changes)


def role_of(who: Person) -> str:
    return str(scenes.rows("SELECT role FROM users WHERE id = :id", id=who.user_id)[0]["role"])


def test_the_list_shows_staff_and_customers_only_when_asked_for(client: FlaskClient, bob: Person) -> None:
    customer = factories.make_person(email="customer@example.com")

    assert customer.email not in page(client, "/admin/people/")
    assert {row["E-mail"] for row in exported(client, "people")} == {"ann@example.com", "bob@example.com"}
    assert [row["E-mail"] for row in exported(client, "people", "role=customer")] == [customer.email]
    assert [row["E-mail"] for row in exported(client, "people", "email=CUSTOMER@")] == [customer.email]
    assert len(exported(client, "people", "role=everybody")) == 3


def test_the_list_says_who_lacks_a_second_factor_and_who_is_signed_in(client: FlaskClient, admin: Person, bob: Person) -> None:
    enrol(admin)

    rows = {row["E-mail"]: row for row in exported(client, "people")}

    assert (rows["ann@example.com"]["Second factor"], rows["ann@example.com"]["Sessions"]) == ("yes", "1")
    assert (rows["bob@example.com"]["Second factor"], rows["bob@example.com"]["Sessions"]) == ("no", "0")
    assert rows["bob@example.com"]["Last seen"] == ""


def test_no_page_shows_a_digest_a_secret_or_a_token(client: FlaskClient, admin: Person, bob: Person) -> None:
    enrol(bob)
    token = session_of(bob.user_id)
    planted = ["sealed-by-test", "digest-by-test", token]
    planted += [row["token_digest"] for row in scenes.rows("SELECT token_digest FROM sessions")]
    planted += [row["password_hash"] for row in scenes.rows("SELECT password_hash FROM users")]

    shown = page(client, "/admin/people/") + page(client, f"/admin/people/details/?id={bob.user_id}")
    shown += page(client, "/admin/people/export/csv/") + page(client, "/admin/audit-log/") + page(client, "/admin/set-up/")

    assert "192.0.2.7" in shown  # the session itself is there
    assert [secret for secret in planted if secret in shown] == []


def test_a_changed_role_ends_sessions_and_is_traced(client: FlaskClient, bob: Person) -> None:
    session_of(bob.user_id)

    answer = do(client, "role", bob)

    assert answer.status_code == 302
    assert role_of(bob) == "finance"
    assert scenes.rows("SELECT id FROM sessions WHERE user_id = :id", id=bob.user_id) == []
    (row,) = audited("user.change_role")
    assert (row["changes"], row["reason"], row["address"]) == ({"role": ["support", "finance"]}, "a new job", "127.0.0.1")


def test_of_two_who_change_a_role_the_second_learns_of_the_first(client: FlaskClient, bob: Person) -> None:
    do(client, "role", bob)

    assert do(client, "role", bob, role="admin").status_code == 409
    assert role_of(bob) == "finance"


@pytest.mark.parametrize("changes", [{"role": "emperor"}, {"reason": " "}, {"version": "x"}, {"version": ""}, {"id": "zzz"}, {"id": ""}])
def test_a_form_that_is_not_whole_changes_nobody(client: FlaskClient, bob: Person, changes: dict[str, str]) -> None:
    assert do(client, "role", bob, **changes).status_code in (400, 404)
    assert role_of(bob) == "support"


@pytest.mark.parametrize("what", ["role", "end-sessions", "reset-second-factor"])
def test_nobody_does_it_to_themselves(client: FlaskClient, admin: Person, what: str) -> None:
    """R24: no role raises itself."""
    enrol(admin)

    refused = do(client, what, admin, role="support")

    assert refused.status_code == 403
    assert what == "role" or "on your own page, Settings" in refused.text
    assert role_of(admin) == "admin"
    assert "Change role" not in page(client, f"/admin/people/details/?id={admin.user_id}")


def test_ended_sessions_and_a_reset_authenticator_are_traced(client: FlaskClient, bob: Person) -> None:
    enrol(bob)
    session_of(bob.user_id)

    ended = do(client, "end-sessions", bob, reason="lost laptop")
    reset = do(client, "reset-second-factor", bob, reason="lost phone")

    assert (ended.status_code, reset.status_code) == (302, 302)
    assert scenes.rows("SELECT user_id FROM second_factors UNION SELECT user_id FROM recovery_codes") == []
    assert [(row["reason"], row["changes"]) for row in audited("user.end_sessions")] == [("lost laptop", {"sessions": [1, 0]})]
    assert [row["reason"] for row in audited("user.reset_second_factor")] == ["lost phone"]


@pytest.mark.parametrize("what", ["end-sessions", "reset-second-factor"])
def test_neither_happens_without_a_reason(client: FlaskClient, bob: Person, what: str) -> None:
    enrol(bob)
    session_of(bob.user_id)

    assert do(client, what, bob, reason="  ").status_code == 400
    assert len(scenes.rows("SELECT id FROM sessions WHERE user_id = :id", id=bob.user_id)) == 1
    assert len(scenes.rows("SELECT user_id FROM second_factors")) == 1


@pytest.mark.parametrize("what", ["role", "reset-second-factor"])
def test_roles_and_authenticators_ask_for_the_second_factor_again(client: FlaskClient, bob: Person, what: str) -> None:
    enrol(bob)
    confirmations_are_old()

    answer = do(client, what, bob)

    assert answer.headers["Location"].startswith("/sign-in/confirm")
    assert role_of(bob) == "support"


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_others_look_at_the_list_and_no_further(app: Flask, bob: Person, role: Role) -> None:
    """R24."""
    client = client_of(app, role)

    answers = [do(client, what, bob, role="admin").status_code for what in ("role", "end-sessions", "reset-second-factor")]

    assert answers == [403] * 3
    assert client.get(f"/admin/people/details/?id={bob.user_id}").status_code == 403
    assert client.get("/admin/people/export/csv/").status_code == 403
    assert bob.email in page(client, "/admin/people/")


def test_names_of_people_are_no_formulas(client: FlaskClient) -> None:
    formula = "=HYPERLINK(1)"
    factories.make_person(role=Role.SUPPORT, full_name=formula)

    row = next(row for row in exported(client, "people") if row["Name"])

    assert row["Name"] == f"'{formula}"


@pytest.mark.parametrize("address", ["details/?id=zzz", "details/", "details/?id=99999999999999999999", "?after=zzz", "export/xlsx/"])
def test_what_is_not_there_is_not_found(client: FlaskClient, address: str) -> None:
    assert client.get(f"/admin/people/{address}").status_code == 404

"""People and accounts: passwords, finding, suspending, halting; each change with its audit row (R22, R37)."""

from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain import accounts, registration
from reseller.domain.registration import Newcomer
from reseller.errors import Conflict, NotFound
from tests import factories
from tests.domain import scenes


def actions() -> list[tuple[str, str, str]]:
    return [
        (row["action"], row["actor"], row["reason"])
        for row in scenes.rows("SELECT * FROM staff_actions WHERE action <> 'user.create' ORDER BY id")
    ]


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = accounts.hash_password("a password that is long")

    assert accounts.password_matches(hashed, "a password that is long")
    assert not accounts.password_matches(hashed, "a password that is long ")
    assert hashed != accounts.hash_password("a password that is long")


def test_a_password_hash_is_argon2id_with_enough_memory() -> None:
    assert accounts.hash_password("a password that is long").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_made_up_password_is_long_and_never_the_same() -> None:
    made = {accounts.random_password() for _ in range(100)}

    assert len(made) == 100
    assert min(map(len, made)) >= 24


def test_a_person_is_found_by_any_spelling_of_the_address(app: Any) -> None:
    person = factories.make_person(email="ann@example.com")

    assert accounts.find_person("ANN@Example.com") == person
    with pytest.raises(NotFound):
        accounts.find_person("bob@example.com")


def test_suspending_and_restoring_are_recorded_with_reason_and_actor(app: Any) -> None:
    """R37."""
    person = factories.make_person()

    accounts.suspend(person.account_id, reason="abuse", actor="user:1")
    accounts.restore(person.account_id, reason="cleared", actor="user:2")

    assert actions() == [("account.suspend", "user:1", "abuse"), ("account.restore", "user:2", "cleared")]
    [account] = scenes.rows("SELECT * FROM accounts")
    assert (account["status"], account["status_reason"]) == ("active", "cleared")


def test_a_halt_keeps_its_first_reason_and_is_recorded_once(app: Any) -> None:
    """R1."""
    person = factories.make_person()

    accounts.halt(person.account_id, reason="first")
    accounts.halt(person.account_id, reason="second")

    [account] = scenes.rows("SELECT * FROM accounts")
    assert account["halted_at"] is not None
    assert account["halted_reason"] == "first"
    assert actions() == [("account.halt", "system:audit", "first")]


def test_a_halted_account_goes_on_when_staff_say_so(app: Any) -> None:
    person = factories.make_person()
    accounts.halt(person.account_id, reason="books")

    accounts.resume(person.account_id, actor="user:1", reason="looked into it")

    [account] = scenes.rows("SELECT * FROM accounts")
    assert (account["halted_at"], account["halted_reason"]) == (None, None)
    assert actions()[-1] == ("account.resume", "user:1", "looked into it")


def test_an_account_that_does_not_exist_cannot_be_suspended(app: Any) -> None:
    with pytest.raises(Exception, match="No row was found"):
        accounts.suspend(new_id(), reason="abuse", actor="user:1")

    assert actions() == []


def test_the_second_of_two_clicks_is_told_and_leaves_no_second_row(app: Any) -> None:
    person = factories.make_person()
    accounts.suspend(person.account_id, reason="abuse", actor="user:1")

    with pytest.raises(Conflict, match="suspended already"):
        accounts.suspend(person.account_id, reason="abuse", actor="user:2")
    accounts.restore(person.account_id, reason="cleared", actor="user:1")
    with pytest.raises(Conflict, match="active already"):
        accounts.restore(person.account_id, reason="cleared", actor="user:2")
    with pytest.raises(Conflict, match="not halted"):
        accounts.resume(person.account_id, reason="looked", actor="user:2")

    assert [actor for _, actor, _ in actions()] == ["user:1", "user:1"]


def test_a_name_is_kept_without_what_cannot_be_seen_however_it_comes(app: Any) -> None:
    """Guard: by a command, from a provider, at sign-up and in the settings alike."""
    who = registration.register(Newcomer("ann@example.com", full_name="Ann\u202e\x01Lee", company="\u2067Acme"))
    [user], [account] = scenes.rows("SELECT full_name FROM users"), scenes.rows("SELECT name, company FROM accounts")
    accounts.change_profile(who.user_id, full_name="Bob\u202eLee\x07", time_zone="UTC", seen_version=None, actor="test")
    [changed] = scenes.rows("SELECT full_name FROM users")

    assert user["full_name"] == "Ann Lee"
    assert (account["name"], account["company"]) == ("Acme", "Acme")
    assert changed["full_name"] == "Bob Lee"

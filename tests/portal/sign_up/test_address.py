"""Another e-mail address: asked for with the password, changed by whoever reads the new mailbox, told to the old one (R26)."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from reseller.domain import accounts, registration
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import passwords, roles
from reseller.domain.letters import LetterKind
from reseller.domain.registration import Newcomer
from tests import factories
from tests.domain import scenes
from tests.portal import mailbox
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]
NEW = "new@example.com"


def signed_in(visitor: Visitors, **facts: Any) -> tuple[Person, Visitor]:
    """Somebody who has just shown that it is them."""
    person, browser = factories.make_person(**facts), visitor()
    browser.sign_in(person.email)
    if facts.get("role"):
        browser.enrol()
    else:
        browser.post("/sign-in/confirm", password=factories.PASSWORD)
    return person, browser


def ask(browser: Visitor, email: str = NEW, **more: str) -> Any:
    return browser.post("/settings/address", seen="/settings", email=email, **more)


def told(browser: Visitor) -> str:
    return browser.get("/settings").get_data(as_text=True)


def letter_link(app: Flask, email: str = NEW) -> str:
    return mailbox.link(app, email, LetterKind.CONFIRM_NEW_ADDRESS)


@pytest.mark.parametrize("facts", [{}, {"role": Role.SUPPORT}], ids=["customer", "staff"])
def test_the_address_changes_with_the_click_and_both_mailboxes_are_told(app: Flask, visitor: Visitors, facts: dict[str, Any]) -> None:
    person, browser = signed_in(visitor, **facts)

    ask(browser)
    before = browser.get(letter_link(app)) and accounts.find_person(person.email).user_id
    done = visitor("198.51.100.1").post(letter_link(app))

    assert before == person.user_id
    assert done.status_code == 302
    assert accounts.find_person(NEW).user_id == person.user_id
    assert mailbox.kinds(NEW) == ["confirm_new_address"]
    assert mailbox.kinds(person.email)[-2:] == ["address_change_asked", "address_changed"]
    [row] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.change_address'")
    assert row["changes"] == {"email": [person.email, NEW]}
    assert visitor("198.51.100.2").sign_in(person.email).status_code == 403
    assert visitor("198.51.100.2").sign_in(NEW).status_code == 302


def test_a_stolen_session_alone_cannot_ask(app: Flask, visitor: Visitors) -> None:
    """R26: the password, or the second factor, is asked for first."""
    browser = visitor()
    browser.sign_in(factories.make_person().email)

    answer = ask(browser)

    assert answer.location.startswith("/sign-in/confirm")
    assert scenes.rows("SELECT * FROM letters") == []


def test_whether_an_address_is_somebodys_is_told_to_its_mailbox_alone(app: Flask, visitor: Visitors) -> None:
    taken = factories.make_person(email="taken@example.com")
    _, browser = signed_in(visitor)
    pages = set()

    for email in (taken.email, "free@example.com"):
        answer = ask(browser, email)
        pages.add((answer.status_code, answer.location, told(browser).replace(email, "")))

    assert len({(status, location) for status, location, _ in pages}) == 1
    assert len({"We have sent a letter" in page for *_, page in pages}) == 1
    assert (mailbox.kinds(taken.email), mailbox.kinds("free@example.com")) == (["address_taken"], ["confirm_new_address"])


def test_an_address_that_became_somebodys_meanwhile_stays_theirs(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    ask(browser)
    other = factories.make_person(email=NEW)

    answer = browser.post(letter_link(app))

    assert answer.status_code == 409
    assert accounts.find_person(NEW) == other
    assert accounts.find_person(person.email) == person


def test_a_registration_that_nobody_confirmed_gives_way(app: Flask, visitor: Visitors) -> None:
    """Otherwise a stranger's form could keep somebody from their own address."""
    person, browser = signed_in(visitor)
    registration.register(Newcomer(NEW, "chosen by Mallory"))
    ask(browser)

    browser.post(letter_link(app))

    assert accounts.find_person(NEW) == Person(person.user_id, person.account_id, NEW)
    assert scenes.rows("SELECT count(*) AS n FROM accounts") == [{"n": 1}]


def test_a_registration_that_staff_gave_credit_to_does_not_give_way(app: Flask, visitor: Visitors) -> None:
    _, browser = signed_in(visitor)
    kept = registration.register(Newcomer(NEW, "a long password"))
    factories.grant(kept, usd="5")
    ask(browser)

    answer = browser.post(letter_link(app))

    assert answer.status_code == 409
    assert accounts.find_person(NEW) == kept


def test_two_who_want_the_same_address_at_once_get_it_one_after_the_other(app: Flask, visitor: Visitors) -> None:
    opened = []
    for _ in range(2):
        _, browser = signed_in(visitor)
        ask(browser)
        reader, link = visitor(), letter_link(app)
        opened.append((reader, link, reader.token_on(link)))
    waiting = iter(opened)

    def click() -> int:
        reader, link, token = next(waiting)
        return reader.send(link, token).status_code

    answers = scenes.in_threads(2, click)

    assert sorted(answers) == [302, 409]
    assert scenes.rows("SELECT count(*) AS n FROM users WHERE email = :email", email=NEW) == [{"n": 1}]


def test_links_to_the_old_address_are_void_after_the_change(app: Flask, visitor: Visitors) -> None:
    """R26: whoever reads the old mailbox gets no new password by it."""
    person, browser = signed_in(visitor)
    browser.post("/reset", email=person.email)
    old = mailbox.link(app, person.email, LetterKind.RESET_PASSWORD)
    ask(browser)

    browser.post(letter_link(app))

    assert visitor().get(old).status_code == 404


@pytest.mark.parametrize("given", ["", "ann", "own"])
def test_what_cannot_be_used_is_said(app: Flask, visitor: Visitors, given: str) -> None:
    person, browser = signed_in(visitor)

    ask(browser, person.email.upper() if given == "own" else given)

    assert {"": "Type your new", "ann": "not an e-mail address", "own": "your address already"}[given] in told(browser)
    assert mailbox.kinds(person.email) == []


def test_nobody_changes_the_address_of_somebody_else(app: Flask, visitor: Visitors) -> None:
    """R23: the form has no field for a person."""
    victim = factories.make_person(email="victim@example.com")
    person, browser = signed_in(visitor)

    ask(browser, user_id=str(victim.user_id), account_id=str(victim.account_id))
    browser.post(letter_link(app))

    assert accounts.find_person("victim@example.com") == victim
    assert accounts.find_person(NEW).user_id == person.user_id


def by_letter(app: Flask, visitor: Visitors, person: Person) -> None:
    owner = visitor("198.51.100.9")
    owner.post("/reset", email=person.email)
    link = mailbox.link(app, person.email, LetterKind.RESET_PASSWORD)
    assert owner.post(link, password="a new long password", again="a new long password").location == "/sign-in"


def in_settings(app: Flask, visitor: Visitors, person: Person) -> None:
    owner = visitor("198.51.100.9")
    owner.sign_in(person.email)
    fields = {"current": factories.PASSWORD, "new": "a new long password", "again": "a new long password"}
    assert owner.post("/settings/password", seen="/settings", **fields).location == "/settings"


def by_an_operator(app: Flask, visitor: Visitors, person: Person) -> None:
    passwords.change(person.user_id, "a hash", actor="cli:root", reason="asked on the phone")


def by_signing_out_everywhere_else(app: Flask, visitor: Visitors, person: Person) -> None:
    owner = visitor("198.51.100.9")
    owner.sign_in(person.email)
    assert owner.post("/settings/sessions/end-others", seen="/settings").location == "/settings"


def by_a_new_role(app: Flask, visitor: Visitors, person: Person) -> None:
    roles.change_role(person.user_id, Role.SUPPORT, seen_version=None, actor="cli:root", reason="joined the team")


@pytest.mark.parametrize("how", [by_letter, in_settings, by_an_operator, by_signing_out_everywhere_else, by_a_new_role])
def test_whoever_is_shut_out_has_no_link_to_another_address_left(app: Flask, visitor: Visitors, how: Callable[..., None]) -> None:
    """R26: a thief with the old password asks for an address of their own and waits; the owner does what our letter recommends."""
    person, thief = signed_in(visitor)
    ask(thief, "thief@example.net")
    link = letter_link(app, "thief@example.net")
    worked_before = visitor().get(link).status_code == 200

    how(app, visitor, person)
    looked, used = visitor().get(link), visitor().post(link, seen="/sign-in")

    assert worked_before
    assert (looked.status_code, used.status_code) == (404, 404)
    assert accounts.find_person(person.email).user_id == person.user_id
    assert scenes.rows("SELECT id FROM users WHERE email = 'thief@example.net'") == []
    assert mailbox.kinds("thief@example.net") == ["confirm_new_address"]

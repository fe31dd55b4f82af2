"""A new password by a letter, and notices about what guards an account (R26)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from reseller.database import db
from reseller.domain import registration
from reseller.domain.accounts import Role
from reseller.domain.identity import links, passwords, roles, second_factor
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import LetterKind
from reseller.domain.registration import Newcomer, resets
from reseller.errors import Conflict
from tests import factories
from tests.domain import scenes
from tests.portal import mailbox
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]
NEW = "a new long password"


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database inside."""
    sent: list[str] = []
    event.listen(db.engine, "before_cursor_execute", listener := lambda *given: sent.append(given[2]))
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", listener)


def ask(browser: Visitor, email: str) -> Any:
    return browser.post("/reset", email=email)


def reset(browser: Visitor, link: str, password: str = NEW, again: str | None = None) -> Any:
    return browser.post(link, password=password, again=again or password)


def letter_link(app: Flask, email: str) -> str:
    return mailbox.link(app, email, LetterKind.RESET_PASSWORD)


def test_a_link_leads_to_a_new_password_and_ends_every_session(app: Flask, visitor: Visitors) -> None:
    person, old, lost = factories.make_person(), visitor(), visitor("198.51.100.1")
    old.sign_in(person.email)

    asked = ask(lost, person.email)
    looked = [lost.get(letter_link(app, person.email)).status_code for _ in range(2)]
    done = reset(lost, letter_link(app, person.email))

    assert (asked.location, looked, done.location) == ("/reset/sent", [200, 200], "/sign-in")
    assert not old.is_in()
    assert not lost.is_in(), "nobody is signed in by a link alone"
    assert lost.sign_in(person.email).status_code == 403
    assert lost.sign_in(person.email, NEW).location == "/overview"
    assert mailbox.kinds(person.email) == ["reset_password", "password_changed"]
    [notice] = scenes.rows("SELECT facts FROM letters WHERE kind = 'password_changed'")
    assert notice["facts"] == {"address": "198.51.100.1"}


def test_the_second_factor_is_asked_for_all_the_same(app: Flask, visitor: Visitors) -> None:
    """R26: who reads the mail alone does not get in."""
    person, owner, thief = factories.make_person(role=Role.ADMIN), visitor(), visitor("203.0.113.5")
    owner.sign_in(person.email)
    owner.enrol()
    ask(thief, person.email)
    reset(thief, letter_link(app, person.email))

    answer = thief.sign_in(person.email, NEW)

    assert answer.location == "/sign-in/code"
    assert not thief.is_in()
    assert thief.get("/admin/").status_code == 302
    assert thief.get("/sign-in/enrol").location == "/sign-in/code"


def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(app: Flask, visitor: Visitors) -> None:
    """The very same statements: who is known is looked up by the worker, when nobody waits any more."""
    factories.make_person(email="known@example.com")
    answers, work = set(), []
    visitor().get("/reset")  # what every page shows is in memory from now on
    for email in ("known@example.com", "nobody@example.com"):
        browser = visitor()
        with statements() as sent:
            answer = ask(browser, email)
        work.append(sent)
        answers.add((answer.status_code, answer.location, browser.get(answer.location).get_data(as_text=True).replace(email, "")))

    assert len(answers) == 1
    assert work[0] == work[1]
    assert len(work[0]) > 2
    assert (mailbox.kinds("known@example.com"), mailbox.kinds("nobody@example.com")) == (["reset_password"], ["no_account"])


def test_somebody_without_a_password_gets_their_first_one(app: Flask, visitor: Visitors) -> None:
    person, browser = registration.register(Newcomer("ann@example.com", is_verified=True)), visitor()

    ask(browser, person.email)
    reset(browser, letter_link(app, person.email))

    assert browser.sign_in(person.email, NEW).location == "/overview"


def test_whoever_resets_has_confirmed_the_address_by_it(app: Flask, visitor: Visitors) -> None:
    """R26: the owner of an address that somebody else registered takes it over, password and all."""
    registration.register(Newcomer("ann@example.com", "chosen by Mallory"))
    browser = visitor()

    ask(browser, "ann@example.com")
    reset(browser, letter_link(app, "ann@example.com"))

    assert passwords.candidate("ann@example.com").proved_by("chosen by Mallory") is None
    assert browser.sign_in("ann@example.com", NEW).location == "/overview"


@pytest.mark.parametrize("fields", [{"password": "short"}, {"password": NEW, "again": "another password"}, {"password": "x" * 1001}])
def test_a_password_that_will_not_do_leaves_the_link_as_it_was(app: Flask, visitor: Visitors, fields: dict[str, str]) -> None:
    person, browser = factories.make_person(), visitor()
    ask(browser, person.email)
    link = letter_link(app, person.email)

    refused = reset(browser, link, **fields)

    assert refused.status_code == 400
    assert reset(browser, link).location == "/sign-in"


def test_a_link_works_once_and_not_after_the_password_was_changed_otherwise(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    ask(browser, person.email)
    used = letter_link(app, person.email)
    reset(browser, used)
    ask(browser, person.email)
    overtaken = letter_link(app, person.email)

    passwords.change(person.user_id, "a hash", actor="cli:root")

    assert [browser.get(link).status_code for link in (used, overtaken)] == [404, 404]


def test_a_password_changed_from_settings_is_told_by_letter(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)

    browser.post("/settings/password", seen="/settings", current=factories.PASSWORD, new=NEW, again=NEW)

    assert mailbox.kinds(person.email) == ["password_changed"]


def test_the_host_of_a_request_gets_into_no_letter(make_app: Callable[..., Flask]) -> None:
    """R26: a poisoned Host header. The page does not answer at all, and letters know PUBLIC_URL alone."""
    app = make_app(RESELLER_ENV="production", SECRET_KEY="s" * 40, PUBLIC_URL="https://shop.example")
    with app.app_context():
        answers = [
            app.test_client().post(path, data={"email": "ann@example.com"}, headers={"Host": "evil.example"})
            for path in ("/reset", "/sign-up", "/verify/x", "/reset/x", "/address/x")
        ]

        assert {answer.status_code for answer in answers} == {400}
        assert scenes.rows("SELECT * FROM letters") == []


def test_a_mailbox_alone_never_opens_the_back_office(app: Flask, visitor: Visitors) -> None:
    """R26: staff without an authenticator would enrol one at their next sign-in, whoever they are."""
    person, browser = factories.make_person(role=Role.SUPPORT), visitor()

    ask(browser, person.email)

    assert mailbox.kinds(person.email) == ["reset_needs_operator"]
    with pytest.raises(Conflict, match="flask users password"):
        resets.send(person.user_id, actor="cli:op", reason="asked on the phone", seal=Seal("a key of tests", "letters"))


def opens_nothing(visitor: Visitors, link: str) -> bool:
    """Whether neither looking at the link nor sending its form does anything."""
    thief = visitor("203.0.113.5")
    return [thief.get(link).status_code, thief.post(link, seen="/reset", password=NEW, again=NEW).status_code] == [404, 404]


def test_a_link_of_before_a_promotion_opens_nothing_after_it(app: Flask, visitor: Visitors) -> None:
    """R26: it went to somebody whose mailbox was enough, and would now lead into the back office."""
    person, browser = factories.make_person(), visitor()
    ask(browser, person.email)
    link = letter_link(app, person.email)
    worked_before = browser.get(link).status_code == 200

    roles.change_role(person.user_id, Role.ADMIN, seen_version=None, actor="cli:root", reason="joined the team")

    assert worked_before
    assert opens_nothing(visitor, link)
    assert passwords.candidate(person.email).proved_by(factories.PASSWORD) == person.user_id


def test_a_link_of_before_the_authenticator_was_reset_opens_nothing_after_it(app: Flask, visitor: Visitors) -> None:
    """R26: whoever reads the mailbox of staff waits until their phone is lost, and would enrol one of their own."""
    person, owner, thief = factories.make_person(role=Role.SUPPORT), visitor(), visitor("203.0.113.5")
    owner.sign_in(person.email)
    owner.enrol()
    ask(thief, person.email)
    link = letter_link(app, person.email)
    worked_before = thief.get(link).status_code == 200

    second_factor.reset(person.user_id, actor="cli:root", reason="lost phone")

    assert worked_before
    assert opens_nothing(visitor, link)
    assert visitor().sign_in(person.email).location == "/sign-in/enrol", "the old password is the owner's still"


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.ADMIN])
def test_a_link_that_staff_without_an_authenticator_have_all_the_same_sets_no_password(app: Flask, visitor: Visitors, role: Role) -> None:
    """Made at the same instant as the promotion, say: what the person is counts when the link is used."""
    person = factories.make_person(role=role)
    link = f"/reset/{links.make(person.user_id, Purpose.RESET, person.email)}"

    answer = reset(visitor(), link)

    assert answer.status_code == 404
    assert passwords.candidate(person.email).proved_by(factories.PASSWORD) == person.user_id
    assert mailbox.kinds(person.email) == []


def test_asking_before_a_promotion_and_deciding_after_it_leads_to_the_operator(app: Flask, visitor: Visitors) -> None:
    """The worker makes links a while after they were asked for."""
    person, browser = factories.make_person(), visitor()
    ask(browser, person.email)

    roles.change_role(person.user_id, Role.SUPPORT, seen_version=None, actor="cli:root", reason="joined the team")

    assert mailbox.kinds(person.email) == ["reset_needs_operator"]
    assert scenes.rows("SELECT * FROM links") == []


def test_a_link_that_verifies_an_address_is_void_with_the_password_it_was_asked_with(app: Flask, visitor: Visitors) -> None:
    """R26: Mallory registers Ann's address; Ann takes it over by a reset. Mallory's browser must not finish what it began."""
    mallory, ann = visitor("203.0.113.5"), visitor()
    mallory.post("/sign-up", email="ann@example.com", password="chosen by Mallory", full_name="Mallory", company="")
    verifies = mailbox.link(app, "ann@example.com", LetterKind.VERIFY_ADDRESS)
    worked_before = mallory.get(verifies).status_code == 200
    ask(ann, "ann@example.com")
    reset(ann, letter_link(app, "ann@example.com"))

    answer = mallory.post(verifies, seen="/sign-in", password="chosen by Mallory")

    assert worked_before
    assert answer.status_code == 404
    assert not mallory.is_in()
    assert ann.sign_in("ann@example.com", NEW).location == "/overview"

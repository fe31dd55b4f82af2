"""Linking a provider to an account that is there, taking it away, and showing through it that it is you (R26)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from reseller.clock import unix_seconds
from reseller.domain import letters
from reseller.domain.accounts import Person
from reseller.domain.identity import sessions
from reseller.wiring import wiring_of
from reseller.worker import wording
from tests import factories
from tests.domain import scenes
from tests.fakes.provider import FakeProvider
from tests.portal.providers.conftest import Traveller

Travellers = Callable[..., Traveller]
Fakes = dict[str, FakeProvider]


def owners() -> list[UUID]:
    return [row["user_id"] for row in scenes.rows("SELECT user_id FROM identities ORDER BY created_at")]


def identity_id() -> UUID:
    [row] = scenes.rows("SELECT id FROM identities")
    found = row["id"]
    assert isinstance(found, UUID)
    return found


def signed_in(traveller: Travellers, **facts: Any) -> tuple[Person, Traveller]:
    person, browser = factories.make_person(**facts), traveller()
    browser.sign_in(person.email)
    return person, browser


def test_a_linked_provider_opens_the_account_whatever_its_address(traveller: Travellers, fakes: Fakes) -> None:
    """R26: linking needs a signed-in session; the address at the provider need not be the one here, nor verified."""
    person, browser = signed_in(traveller)
    fakes["oidc"].claims = {"email": "elsewhere@example.org", "email_verified": False}

    linked = browser.link()
    shown = browser.get("/settings").get_data(as_text=True)
    other = traveller()
    other.through()

    assert linked.location == "/settings"
    assert "You can sign in with Acme from now on." in shown
    assert "elsewhere@example.org" in shown
    assert owners() == [person.user_id]
    assert person.email in other.get("/settings").get_data(as_text=True)


def test_a_letter_tells_that_a_way_in_was_added(traveller: Travellers, deployment: Flask, fakes: Fakes) -> None:
    """Whoever was at the browser, the owner learns of it. A newcomer is told nothing that they know."""
    traveller("198.51.100.1").through("google")
    person, browser = signed_in(traveller)
    browser.link()

    [letter] = letters.claim_due(10)
    words = wording.of(letter, wiring_of(deployment).settings, link="", until=None)

    assert (letter.kind, letter.recipient) == ("sign_in_linked", person.email)
    assert fakes["oidc"].issuer.partition("://")[2] in words.text
    assert "192.0.2.1" in words.text
    assert "https://shop.example/reset" in words.text


def test_linking_asks_first_whether_it_is_you(traveller: Travellers, fakes: Fakes) -> None:
    """Somebody at a browser that was left open adds no way in of their own."""
    _, browser = signed_in(traveller)

    answer = browser.post("/sign-in/with/oidc/link", seen="/settings")

    assert answer.location.startswith("/sign-in/confirm")
    assert fakes["oidc"].asked == []
    assert owners() == []


def test_a_stranger_links_nothing(traveller: Travellers) -> None:
    browser = traveller()

    answers = [browser.post(f"/sign-in/with/oidc/{verb}", seen="/sign-in") for verb in ("link", "confirm")]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert all(answer.location.startswith("/sign-in?") for answer in answers)


def test_following_a_link_begins_no_linking(traveller: Travellers) -> None:
    """R26: linking by CSRF, as an image or a link on another site."""
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)

    assert browser.get("/sign-in/with/oidc/link").status_code == 405
    assert owners() == []


def test_the_attackers_way_back_links_nothing_to_the_victim(traveller: Travellers) -> None:
    """R26: linking by CSRF. The attacker's identity would open the victim's account."""
    _, attacker = signed_in(traveller)
    _, victim = signed_in(traveller)
    attacker.post("/sign-in/confirm", password=factories.PASSWORD)
    victim.post("/sign-in/confirm", password=factories.PASSWORD)
    trap = attacker.back_from(attacker.onwards_of(attacker.post("/sign-in/with/oidc/link", seen="/settings")))
    begun_by_a_stranger = traveller().back_from(traveller().set_out())

    answers = [victim.get(trap), victim.get(begun_by_a_stranger)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert owners() == []


def test_who_comes_back_is_still_who_set_out(traveller: Travellers) -> None:
    """Signed out meanwhile, and somebody else signed in at the same browser."""
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)
    path = browser.back_from(browser.onwards_of(browser.post("/sign-in/with/oidc/link", seen="/settings")))
    underway = browser.cookie() or ""
    scenes.execute("DELETE FROM sessions")
    after_sign_out = browser.get(path)
    browser.put_cookie(underway)
    browser.sign_in(factories.make_person().email)

    after_sign_in = browser.get(path)

    assert (after_sign_out.status_code, after_sign_in.status_code) == (409, 400)
    assert owners() == []


def test_linking_gives_a_new_cookie_and_the_old_one_is_worth_nothing(traveller: Travellers) -> None:
    """R26: a privilege was added."""
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)
    page = browser.post("/sign-in/with/oidc/link", seen="/settings")
    thief = traveller()
    thief.put_cookie(browser.cookie() or "")

    browser.come_back(browser.onwards_of(page))

    assert browser.is_in("/settings")
    assert not thief.is_in("/settings")


def test_an_identity_belongs_to_one_person(traveller: Travellers) -> None:
    first, one = signed_in(traveller)
    _, other = signed_in(traveller)
    one.link()

    other.link()

    assert owners() == [first.user_id]
    assert "linked already" in other.get("/settings").get_data(as_text=True)


def test_unlinking_closes_the_way_and_signs_out_everywhere_else(traveller: Travellers) -> None:
    person, browser = signed_in(traveller)
    browser.link()
    elsewhere = traveller()
    elsewhere.through()

    answer = browser.post(f"/sign-in/identities/{identity_id()}/unlink", seen="/settings")

    assert answer.location == "/settings"
    assert "no longer opens your account" in browser.get("/settings").get_data(as_text=True)
    assert not elsewhere.is_in("/settings")
    assert len(sessions.sessions_of(person.user_id)) == 1
    assert owners() == []


def test_the_last_way_in_stays(traveller: Travellers) -> None:
    browser = traveller()
    browser.through()
    browser.come_back(browser.onwards_of(browser.post("/sign-in/with/oidc/confirm", seen="/sign-in/confirm")))

    answer = browser.post(f"/sign-in/identities/{identity_id()}/unlink", seen="/settings")

    assert answer.location == "/settings"
    assert "your only way to sign in" in browser.get("/settings").get_data(as_text=True)
    assert len(owners()) == 1


def test_another_persons_identity_is_not_found(traveller: Travellers) -> None:
    """R23."""
    victim, theirs = signed_in(traveller)
    theirs.link()
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)

    answers = [browser.post(f"/sign-in/identities/{which}/unlink", seen="/settings") for which in (identity_id(), "x", UUID(int=7))]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert owners() == [victim.user_id]


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/settings"])
def test_no_form_leads_elsewhere(traveller: Travellers, back: str) -> None:
    """R26: open redirects."""
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)

    page = browser.post("/sign-in/with/oidc/link", seen="/settings", next=back)
    answer = browser.come_back(browser.onwards_of(page))
    unlinked = browser.post(f"/sign-in/identities/{identity_id()}/unlink", seen="/settings", next=back)

    assert (answer.location, unlinked.location) == ("/settings", "/settings")


def test_somebody_without_a_password_shows_through_the_provider_that_it_is_them(traveller: Travellers, fakes: Fakes) -> None:
    browser = traveller()
    browser.through()
    asked = browser.post("/sign-in/with/google/link", seen="/settings")
    page = browser.get(asked.location).get_data(as_text=True)

    sent = browser.post("/sign-in/with/oidc/confirm?next=/settings", seen=asked.location)
    answer = browser.come_back(browser.onwards_of(sent))
    linked = browser.come_back(browser.onwards_of(browser.post("/sign-in/with/google/link", seen="/settings")), "google")

    assert "Show it with Acme" in page
    assert 'type="password"' not in page
    assert "prompt=login&max_age=0" in browser.onwards_of(sent)
    assert (answer.location, linked.location) == ("/settings", "/settings")
    assert len(owners()) == 2
    assert scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.confirm'") == [{"changes": {"by": [None, "Acme"]}}]


def test_somebody_without_a_password_sets_one_and_comes_in_by_it(traveller: Travellers, fakes: Fakes) -> None:
    browser, other = traveller(), traveller()
    browser.through()
    other.through()
    shown = browser.get("/settings").get_data(as_text=True)
    asked = browser.get("/settings/password/first")
    browser.come_back(browser.onwards_of(browser.post(f"/sign-in/with/oidc/confirm?{asked.location.split('?')[1]}", seen=asked.location)))

    mistyped = browser.post("/settings/password/first", new="a new long password", again="another")
    answer = browser.post("/settings/password/first", new="a new long password", again="a new long password")

    by_password = traveller()
    by_password.sign_in("ann@example.com", "a new long password")
    assert 'href="/settings/password/first"' in shown
    assert "Current password" not in shown
    assert asked.location == "/sign-in/confirm?next=/settings/password/first"
    assert mistyped.status_code == 400
    assert answer.location == "/settings"
    assert by_password.is_in("/settings")
    assert not other.is_in("/settings")


def test_a_password_is_no_first_one_twice(traveller: Travellers) -> None:
    """Whoever sits at a browser that was left open needs the present password."""
    person, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)

    answers = [
        browser.get("/settings/password/first"),
        browser.post("/settings/password/first", seen="/settings", new="a new long password", again="a new long password"),
    ]

    assert [answer.location for answer in answers] == ["/settings", "/settings"]
    again = traveller()
    again.sign_in(person.email)
    assert again.is_in("/settings")


def test_another_login_at_the_provider_shows_nothing(traveller: Travellers, fakes: Fakes) -> None:
    browser = traveller()
    browser.through()
    fakes["oidc"].claims = {"sub": "eve"}

    answer = browser.come_back(browser.onwards_of(browser.post("/sign-in/with/oidc/confirm", seen="/sign-in/confirm")))

    assert answer.status_code == 403
    assert "another login" in answer.get_data(as_text=True)
    assert scenes.rows("SELECT confirmed_at FROM sessions") == [{"confirmed_at": None}]


def test_a_provider_that_did_not_ask_again_confirms_nobody(traveller: Travellers, fakes: Fakes) -> None:
    """R26: a browser that was left open here and there. Signing in through it is another thing."""
    browser = traveller()
    browser.through()
    fakes["oidc"].claims = {"auth_time": unix_seconds() - 301}

    answer = browser.come_back(browser.onwards_of(browser.post("/sign-in/with/oidc/confirm", seen="/sign-in/confirm")))
    asked = browser.post("/sign-in/with/google/link", seen="/settings")
    entered = traveller().through()
    fakes["oidc"].claims = {"auth_time": unix_seconds() - 300}
    confirmed = browser.come_back(browser.onwards_of(browser.post("/sign-in/with/oidc/confirm?next=/settings", seen="/sign-in/confirm")))

    words = answer.get_data(as_text=True)
    assert (answer.status_code, "Acme did not ask you again" in words, "Sign out there" in words) == (403, True, True)
    assert asked.location.startswith("/sign-in/confirm")
    assert entered.location == "/overview"
    assert confirmed.location == "/settings"


def test_who_has_a_password_shows_that_and_no_provider(traveller: Travellers) -> None:
    """A browser that stays signed in at the provider would show it for whoever sits there."""
    _, browser = signed_in(traveller)
    browser.link()

    answer = browser.post("/sign-in/with/oidc/confirm?next=/settings", seen="/settings")

    assert answer.location == "/sign-in/confirm?next=/settings"
    assert 'type="password"' in browser.get(answer.location).get_data(as_text=True)


def test_a_provider_that_vouches_for_nobody_here_confirms_nobody(traveller: Travellers) -> None:
    browser = traveller()
    browser.through()

    assert browser.post("/sign-in/with/google/confirm", seen="/settings").status_code == 403


def test_a_provider_that_is_down_links_nothing_and_says_so(traveller: Travellers, fakes: Fakes) -> None:
    _, browser = signed_in(traveller)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)
    fakes["oidc"].answers["/.well-known/openid-configuration"] = (500, {}, b"")

    answer = browser.post("/sign-in/with/oidc/link", seen="/settings")

    assert answer.status_code == 502
    assert "Back to your settings" in answer.get_data(as_text=True)


def test_a_provider_that_is_no_longer_offered_can_be_unlinked(traveller: Travellers, app: Flask, clock: time_machine.Traveller) -> None:
    person, browser = signed_in(traveller)
    browser.link()
    without = Traveller(app)
    without.sign_in(person.email)

    page = without.get("/settings").get_data(as_text=True)

    assert "not offered here any more" in page
    assert f"/sign-in/identities/{identity_id()}/unlink" in page

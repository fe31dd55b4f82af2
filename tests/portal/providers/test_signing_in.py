"""Signing in and up through a provider, as people do and as attackers try (R26)."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.domain.accounts import Person, Role
from reseller.domain.identity import linked, sessions
from reseller.domain.identity.linked import Vouched
from reseller.wiring import attach, wiring_of
from tests import factories
from tests.domain import scenes
from tests.fakes.provider import FakeProvider
from tests.portal.providers.conftest import Traveller
from tests.servers import free_port

Travellers = Callable[..., Traveller]
Fakes = dict[str, FakeProvider]


def people() -> list[dict[str, Any]]:
    return scenes.rows("SELECT id, email, full_name, password_hash, email_verified_at, role FROM users ORDER BY created_at")


def identities() -> list[tuple[str, str]]:
    return [(row["issuer"], row["subject"]) for row in scenes.rows("SELECT issuer, subject FROM identities ORDER BY created_at")]


def signed_in_as(browser: Traveller) -> str:
    """The address of whoever is signed in, as every page shows it; "" for nobody."""
    page = browser.get("/settings")
    return page.get_data(as_text=True).split('class="person-name"')[1].split('title="')[1].split('"')[0] if page.status_code == 200 else ""


def with_identity(fake: FakeProvider, subject: str = "ann", **facts: Any) -> Person:
    """Somebody with a password who signs in through the OpenID provider, too."""
    person = factories.make_person(**facts)
    linked.link(person.user_id, Vouched(fake.issuer, subject, "ann@example.com"), actor="test")
    return person


@pytest.mark.parametrize("provider", ["oidc", "google", "github"])
def test_a_newcomer_has_an_account_with_a_verified_address(traveller: Travellers, fakes: Fakes, provider: str) -> None:
    browser = traveller()

    answer = browser.through(provider)

    assert (answer.status_code, answer.location) == (302, "/overview")
    [person] = people()
    assert (person["email"], person["full_name"], person["password_hash"]) == ("ann@example.com", "Ann", None)
    assert person["email_verified_at"] is not None
    assert identities() == [("https://github.com", "4711") if provider == "github" else (fakes[provider].issuer, "ann")]
    assert "$0.00" in browser.get("/overview").get_data(as_text=True)


def test_the_second_time_it_is_the_same_person_whatever_the_address_is_by_then(traveller: Travellers, fakes: Fakes) -> None:
    """R26: an identity is (issuer, subject)."""
    traveller().through()
    fakes["oidc"].claims = {"email": "new@example.com", "email_verified": False}
    again = traveller()

    again.through()

    assert signed_in_as(again) == "ann@example.com"
    assert len(people()) == 1


def test_the_audit_log_says_through_what(traveller: Travellers) -> None:
    traveller().through()

    rows = {row["action"]: row for row in scenes.rows("SELECT action, actor, address, changes FROM staff_actions")}
    assert rows["user.sign_in"]["changes"] == {"by": [None, "Acme"]}
    assert rows["user.sign_in"]["address"] == "192.0.2.1"
    assert rows["user.create"]["actor"] == rows["user.link_identity"]["actor"]


def test_a_newcomer_has_trial_credit_once(traveller: Travellers, deployment: Flask, fakes: Fakes) -> None:
    """The same mailbox, vouched for by two providers, is one newcomer."""
    house = wiring_of(deployment)
    settings = house.settings.model_copy(update={"trial_credit_usd": Decimal(2)})
    attach(deployment, replace(house, settings=settings))
    fakes["google"].claims = {"email": "ann+again@example.com"}
    browsers = [traveller("192.0.2.1"), traveller("198.51.100.1")]

    for browser, provider in zip(browsers, ("oidc", "google"), strict=True):
        browser.through(provider)

    assert len(people()) == 2
    assert ["$2.00" in browser.get("/overview").get_data(as_text=True) for browser in browsers] == [True, False]


def test_whoever_took_an_address_that_was_not_theirs_keeps_no_way_in(traveller: Travellers, fakes: Fakes) -> None:
    """Pre-hijacking: the attacker registers the victim's address, links a login of their own, and waits for the victim."""
    squatter = factories.make_person(email="ann@example.com", is_verified=False)
    linked.link(squatter.user_id, Vouched(fakes["google"].issuer, "mallory", "mallory@example.com"), actor="test")
    fakes["google"].claims = {"sub": "mallory", "email": "mallory@example.com"}
    token = sessions.begin(squatter.user_id, address="198.51.100.1", user_agent="")
    victim, attacker = traveller(), traveller()

    victim.through()
    attacker.through("google")

    assert sessions.find(token) is None
    assert signed_in_as(victim) == "ann@example.com"
    assert signed_in_as(attacker) == "mallory@example.com"
    assert [row["password_hash"] for row in people() if row["email"] == "ann@example.com"] == [None]


def test_staff_show_their_code_after_a_provider_too(traveller: Travellers, fakes: Fakes) -> None:
    """R26: a provider is the first step alone."""
    person = with_identity(fakes["oidc"], role=Role.ADMIN)
    first, second = traveller(), traveller()

    to_enrolment = first.through(next="/admin/")
    is_in_before = first.get("/admin/").status_code
    phone, _ = first.enrol(to_enrolment.location, steps=-1)
    to_code = second.through(next="/admin/")
    second.show(phone.code(), path=to_code.location)

    assert (to_enrolment.location, is_in_before) == ("/sign-in/enrol?next=/admin/", 302)
    assert to_code.location == "/sign-in/code?next=/admin/"
    assert second.get("/admin/").status_code == 200
    assert signed_in_as(second) == person.email


@pytest.mark.parametrize("is_verified", [True, False])
@pytest.mark.parametrize("has_password", [True, False])
def test_an_address_that_somebody_has_here_opens_nothing(
    traveller: Travellers, fakes: Fakes, is_verified: bool, has_password: bool
) -> None:
    """R26: account takeover by an address, also one that the provider has verified."""
    victim = factories.make_person(email="ann@example.com")
    if not has_password:
        scenes.execute("UPDATE users SET password_hash = NULL")
    fakes["oidc"].claims = {"email_verified": is_verified}
    browser = traveller()

    answer = browser.through()

    page = answer.get_data(as_text=True)
    assert answer.status_code == (409 if is_verified else 403)
    assert "sign in with your password first, then link Acme under your settings" in " ".join(page.split()).replace("Sign in", "sign in")
    assert signed_in_as(browser) == ""
    assert identities() == []
    assert scenes.rows("SELECT * FROM sessions") == []
    assert [row["id"] for row in people()] == [victim.user_id]


@pytest.mark.parametrize(
    "claims", [{"email_verified": False}, {"email_verified": None}, {"email": None, "email_verified": True}, {"email": "no address"}]
)
def test_nobody_comes_in_on_an_address_that_is_not_vouched_for(traveller: Travellers, fakes: Fakes, claims: dict[str, Any]) -> None:
    fakes["oidc"].claims = claims
    fakes["oidc"].userinfo = {"sub": "ann"}
    browser = traveller()

    answer = browser.through()

    assert answer.status_code == 403
    assert "does not vouch for an e-mail address of yours" in answer.get_data(as_text=True)
    assert people() == []
    assert signed_in_as(browser) == ""


def test_who_is_not_vouched_for_learns_nothing_about_others(traveller: Travellers, fakes: Fakes) -> None:
    """No list of our customers for whoever may write any address into a profile elsewhere."""
    factories.make_person(email="known@example.com")
    pages = []
    for email in ("known@example.com", "unknown@example.com"):
        fakes["oidc"].claims = {"email": email, "email_verified": False}
        pages.append(traveller().through().get_data(as_text=True))

    assert pages[0] == pages[1]


def test_a_subject_means_nothing_at_another_issuer(traveller: Travellers, fakes: Fakes) -> None:
    """R26: the same subject and address, vouched for by somebody else."""
    victim = with_identity(fakes["oidc"], email="ann@example.com")
    browser = traveller()

    answer = browser.through("google")

    assert answer.status_code == 409
    assert signed_in_as(browser) == ""
    assert scenes.rows("SELECT user_id FROM identities") == [{"user_id": victim.user_id}]


def test_an_address_that_somebody_sends_signs_nobody_in(traveller: Travellers) -> None:
    """R26: login CSRF. The attacker's own way back, in the browser of a victim: one that was underway, and one that was not."""
    attacker, idle, underway = traveller(), traveller(), traveller()
    underway.set_out()
    trap = attacker.back_from(attacker.set_out())

    answers = [victim.get(trap) for victim in (idle, underway)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert signed_in_as(idle) == signed_in_as(underway) == ""
    assert people() == []


def test_a_trap_does_not_end_the_journey_of_who_steps_into_it(traveller: Travellers) -> None:
    attacker, victim = traveller(), traveller()
    url = victim.set_out()

    victim.get(attacker.back_from(attacker.set_out()))
    victim.get("/sign-in/with/oidc/callback?error=access_denied&state=guess")
    answer = victim.come_back(url)

    assert answer.location == "/overview"


def test_two_browsers_cannot_swap_their_ways_back(traveller: Travellers) -> None:
    one, other = traveller(), traveller()
    backs = [browser.back_from(browser.set_out()) for browser in (one, other)]

    statuses = [one.get(backs[1]).status_code, other.get(backs[0]).status_code]

    assert statuses == [400, 400]
    assert people() == []


def test_a_code_put_into_ones_own_way_back_signs_nobody_in(traveller: Travellers, fakes: Fakes) -> None:
    """Code injection: the right state, somebody else's code. PKCE and the nonce hold."""
    victim, attacker = traveller(), traveller()
    stolen = victim.back_from(victim.set_out()).split("code=")[1].split("&")[0]
    own = attacker.back_from(attacker.set_out())

    answer = attacker.get(own.replace(own.split("code=")[1].split("&")[0], stolen))

    assert answer.status_code == 403
    assert signed_in_as(attacker) == ""


@pytest.mark.parametrize("back", ["/sign-in/with/google/callback", "/sign-in/with/github/callback"])
def test_the_way_back_from_one_provider_is_none_from_another(traveller: Travellers, fakes: Fakes, back: str) -> None:
    """Mix-up: a provider that is ours to be attacked by gets no code of another one's."""
    browser = traveller()
    path = browser.back_from(browser.set_out()).replace("/sign-in/with/oidc/callback", back)

    answer = browser.get(path)

    assert answer.status_code == 400
    assert "/token" not in fakes["google"].asked
    assert "/login/oauth/access_token" not in fakes["github"].asked


@pytest.mark.parametrize(("issuer", "status"), [("https://evil.example", 400), ("ours", 302)])
def test_an_answer_that_names_its_issuer_names_the_right_one(traveller: Travellers, fakes: Fakes, issuer: str, status: int) -> None:
    """RFC 9207."""
    browser = traveller()
    path = browser.back_from(browser.set_out())

    answer = browser.get(f"{path}&iss={fakes['oidc'].issuer if issuer == 'ours' else issuer}")

    assert answer.status_code == status


def test_a_way_back_is_gone_once(traveller: Travellers) -> None:
    """A replay, and what the browser's own back button does."""
    browser = traveller()
    path = browser.back_from(browser.set_out())
    browser.get(path)
    browser.post("/sign-out", seen="/settings")

    answer = browser.get(path)

    assert answer.status_code == 400
    assert "It was finished already" in answer.get_data(as_text=True)
    assert signed_in_as(browser) == ""


def test_a_cookie_of_before_and_its_way_back_are_worth_nothing_together(traveller: Travellers) -> None:
    """A thief has both, after the owner has been through: the code is spent."""
    browser, thief = traveller(), traveller()
    path = browser.back_from(browser.set_out())
    stolen = browser.cookie() or ""
    browser.get(path)
    thief.put_cookie(stolen)

    answer = thief.get(path)

    assert answer.status_code == 403
    assert signed_in_as(thief) == ""


def test_a_journey_lasts_a_quarter_of_an_hour(traveller: Travellers, clock: Any) -> None:
    browser = traveller()
    url = browser.set_out()
    clock.shift(16 * 60)

    assert browser.come_back(url).status_code == 400


def test_a_session_that_somebody_planted_is_not_the_one_signed_in(traveller: Travellers) -> None:
    """R26: fixation."""
    victim, attacker = traveller(), traveller()
    attacker.set_out()
    victim.put_cookie(attacker.cookie() or "")

    victim.through()

    assert signed_in_as(victim) == "ann@example.com"
    assert signed_in_as(attacker) == ""


@pytest.mark.parametrize("answer", ["error=access_denied", "error=server_error&error_description=<script>alert(1)</script>", "", "code="])
def test_a_no_of_the_provider_is_a_page_with_the_way_back(traveller: Travellers, answer: str) -> None:
    browser = traveller()
    state = browser.set_out().split("state=")[1].split("&")[0]

    page = browser.get(f"/sign-in/with/oidc/callback?state={state}&{answer}")

    text = page.get_data(as_text=True)
    assert page.status_code == 403
    assert "Acme sent you back without letting us know who you are" in text
    assert 'href="/sign-in"' in text
    assert "alert(1)" not in text


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/%5Cevil.example", "%09//evil.example"])
def test_no_journey_ends_elsewhere(traveller: Travellers, elsewhere: str) -> None:
    """R26: open redirects."""
    browser = traveller()

    shown = browser.get(f"/sign-in?next={elsewhere}").get_data(as_text=True)
    answer = browser.through(next=elsewhere)

    assert "evil" not in shown
    assert answer.location == "/overview"


def test_a_journey_ends_where_one_wanted_to_go(traveller: Travellers) -> None:
    browser = traveller()

    shown = browser.get("/sign-in?next=/settings").get_data(as_text=True)
    answer = browser.through(next="/settings")

    assert 'href="/sign-in/with/oidc?next=/settings"' in shown
    assert answer.location == "/settings"


def test_a_journey_to_an_endless_address_still_signs_in(traveller: Travellers) -> None:
    """Browsers drop a cookie above 4 kB, and the journey with it."""
    browser = traveller()

    url = browser.set_out(next="/settings?x=" + "y" * 1_900)
    size = len(browser.cookie() or "")
    kept = traveller()
    kept.set_out(next="/settings?x=" + "y" * 980)

    assert browser.come_back(url).location == "/overview"
    assert size < len(kept.cookie() or "") < 3_800


def test_the_way_back_is_under_the_public_address_whatever_the_request_calls_us(deployment: Flask, fakes: Fakes) -> None:
    """Host header: the code must not go elsewhere."""
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}

    poisoned = deployment.test_client().get("/sign-in/with/oidc", base_url="https://evil.example")
    answer = deployment.test_client().get("/sign-in/with/oidc", base_url="https://shop.example", headers=forged)

    assert poisoned.status_code == 400
    assert "redirect_uri=https%3A%2F%2Fshop.example%2Fsign-in%2Fwith%2Foidc%2Fcallback" in answer.location
    assert "evil" not in answer.location


def test_a_name_from_elsewhere_is_text(traveller: Travellers, fakes: Fakes) -> None:
    """Stored XSS through the provider's claims."""
    evil = "<script>alert(1)</script>"
    fakes["oidc"].claims = {"name": evil, "sub": evil}
    browser = traveller()

    browser.through()

    for path in ("/settings", "/overview"):
        page = browser.get(path).get_data(as_text=True)
        assert evil not in page
        assert "&lt;script&gt;" in page


def test_whoever_is_signed_in_is_not_taken_elsewhere(traveller: Travellers, fakes: Fakes) -> None:
    """A link on somebody's page changes nothing for who follows it."""
    browser = traveller()
    browser.sign_in(factories.make_person().email)
    asked = len(fakes["oidc"].asked)

    answer = browser.get("/sign-in/with/oidc")

    assert answer.location == "/overview"
    assert len(fakes["oidc"].asked) == asked


def test_a_provider_that_is_down_is_a_page_with_the_way_back(app: Flask, make_app: Callable[..., Flask]) -> None:
    """The app starts without it, and everything else works."""
    made = make_app(
        OIDC_ISSUER=f"http://127.0.0.1:{free_port()}", OIDC_CLIENT_ID="x", OIDC_CLIENT_SECRET="y", OIDC_LABEL="Sign in with Acme"
    )
    browser = Traveller(made)

    answer = browser.get("/sign-in/with/oidc")
    shown = browser.get("/sign-in").get_data(as_text=True)
    by_password = browser.sign_in(factories.make_person().email)

    assert answer.status_code == 502
    assert "Acme does not answer" in answer.get_data(as_text=True)
    assert 'href="/sign-in"' in answer.get_data(as_text=True)
    assert ">Sign in with Acme</a>" in shown
    assert by_password.location == "/overview"


def test_a_provider_that_fails_halfway_is_a_page_and_no_account(traveller: Travellers, fakes: Fakes) -> None:
    browser = traveller()
    url = browser.set_out()
    fakes["oidc"].answers["/token"] = (503, {}, b"")

    answer = browser.come_back(url)

    assert answer.status_code == 502
    assert people() == []


def test_there_is_no_button_where_no_provider_is_named(app: Flask, visitor: Callable[..., Any]) -> None:
    page = visitor().get("/sign-in").get_data(as_text=True)

    assert "/sign-in/with/" not in page
    assert "or with your e-mail address" not in page


def test_there_is_a_button_for_each_provider_and_none_beside_them(traveller: Travellers) -> None:
    browser = traveller()

    page = browser.get("/sign-in").get_data(as_text=True)

    words = re.findall(r'href="/sign-in/with/([a-z]+)">([^<]+)</a>', page)
    assert words == [("google", "Continue with Google"), ("github", "Continue with GitHub"), ("oidc", "Continue with Acme")]
    assert page.count('href="/sign-in/with/') == 3
    assert browser.get("/sign-in/with/x").status_code == 404
    assert browser.get("/sign-in/with/x/callback").status_code == 404


def test_coming_back_with_nothing_again_and_again_is_braked(traveller: Travellers, fakes: Fakes) -> None:
    """Each time we ask the provider something in the name of whoever comes."""
    statuses = []
    for _ in range(32):
        browser = traveller("198.51.100.7")
        state = browser.set_out().split("state=")[1].split("&")[0]
        statuses.append(browser.get(f"/sign-in/with/oidc/callback?state={state}&code=guess").status_code)

    assert statuses == [403] * 30 + [429] * 2
    assert traveller("192.0.2.9").through().location == "/overview"

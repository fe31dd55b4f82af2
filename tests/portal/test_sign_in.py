"""Signing in, as people do and as attackers try (R26)."""

from collections.abc import Callable

import pytest
import time_machine
from flask import Flask

from reseller.domain.accounts import Person, Role
from reseller.domain.identity import recovery_codes
from tests import factories
from tests.authenticator import Authenticator
from tests.domain import scenes
from tests.portal.visitor import SECRET, TOKEN, Visitor

Visitors = Callable[..., Visitor]


def staff_member(visitor: Visitors, role: Role = Role.ADMIN) -> tuple[Person, Visitor]:
    """Somebody of staff who has just signed in for the first time, with the code before the present one."""
    person = factories.make_person(role=role)
    browser = visitor()
    browser.sign_in(person.email)
    browser.enrol(steps=-1)
    return person, browser


def test_a_customer_signs_in_with_a_password_and_lands_on_the_overview(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(usd="12.5"), visitor()

    answer = browser.sign_in(person.email)

    assert (answer.status_code, answer.location) == (302, "/overview")
    page = browser.get("/overview").get_data(as_text=True)
    assert "$12.50" in page
    assert "Sign out" in page


def test_staff_enrol_at_their_first_sign_in_and_show_a_code_at_every_other(app: Flask, visitor: Visitors) -> None:
    """R26: staff need a second factor."""
    person, first, second = factories.make_person(role=Role.SUPPORT), visitor(), visitor()

    to_enrolment = first.sign_in(person.email)
    phone, codes = first.enrol(steps=-1)
    is_in_back_office = first.get("/admin/").status_code
    to_code = second.sign_in(person.email, path="/sign-in?next=/settings")
    back = second.show(phone.code(), path=to_code.location)

    assert to_enrolment.location == "/sign-in/enrol"
    assert len(codes) == 10
    assert is_in_back_office == 200
    assert (to_code.location, back.location) == ("/sign-in/code?next=/settings", "/settings")
    assert second.get("/admin/").status_code == 200


def test_staff_land_in_the_back_office(app: Flask, visitor: Visitors) -> None:
    _, browser = staff_member(visitor)

    answer = browser.get("/sign-in")

    assert (answer.status_code, answer.location) == (302, "/admin/")


def test_the_qr_code_has_no_inline_style_and_is_the_same_after_a_reload(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    browser.sign_in(factories.make_person(role=Role.SUPPORT).email)

    first, second = (browser.get("/sign-in/enrol").get_data(as_text=True) for _ in range(2))

    picture = first[first.index("<svg", first.index('class="qr"')) : first.index("</svg>", first.index('class="qr"'))]
    assert "style" not in picture
    assert picture in second


@pytest.mark.parametrize("path", ["/admin/", "/settings", "/overview", "/sign-in/confirm"])
def test_staff_with_a_password_alone_get_nowhere(app: Flask, visitor: Visitors, path: str) -> None:
    """R26: neither before they are enrolled nor after."""
    person, _ = staff_member(visitor)
    enrolled, fresh = visitor(), visitor()
    enrolled.sign_in(person.email)
    fresh.sign_in(factories.make_person(role=Role.ADMIN).email)

    answers = [browser.get(path) for browser in (enrolled, fresh)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert all(answer.location.startswith("/sign-in") for answer in answers)
    assert not enrolled.is_in()
    assert not fresh.is_in()


def test_an_enrolled_person_with_a_password_alone_cannot_enrol_another_phone(app: Flask, visitor: Visitors) -> None:
    """R26: who has stolen a password must not make the second factor theirs."""
    person, _ = staff_member(visitor)
    thief = visitor()
    thief.sign_in(person.email)

    answer = thief.get("/sign-in/enrol")
    sent = thief.post("/sign-in/enrol", seen="/sign-in/code", code="123456")

    assert answer.location == "/sign-in/code"
    assert sent.location == "/sign-in/code"
    assert len(scenes.rows("SELECT * FROM staff_actions WHERE action LIKE 'user.%second_factor'")) == 1


def test_a_customer_who_enrolled_is_asked_for_a_code_too(app: Flask, visitor: Visitors) -> None:
    person, browser, other = factories.make_person(), visitor(), visitor()
    browser.sign_in(person.email)
    browser.post("/sign-in/confirm?next=/sign-in/enrol", password=factories.PASSWORD)
    phone, _ = browser.enrol(steps=-1)

    other.sign_in(person.email)
    before = other.is_in()
    other.show(phone.code())

    assert not before
    assert other.is_in()


def test_enrolling_needs_the_password_again_so_a_stolen_cookie_cannot(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    browser.sign_in(factories.make_person().email)

    answer = browser.get("/sign-in/enrol")

    assert answer.location.startswith("/sign-in/confirm")


def test_an_old_offer_of_a_secret_is_not_accepted(app: Flask, visitor: Visitors, clock: time_machine.Traveller) -> None:
    browser = visitor()
    browser.sign_in(factories.make_person(role=Role.SUPPORT).email)
    page = browser.get("/sign-in/enrol").get_data(as_text=True)
    fields = {"csrf_token": TOKEN.findall(page)[0], "code": Authenticator(SECRET.findall(page)[0]).code(steps=62)}

    clock.shift(31 * 60)
    answer = browser.client.post("/sign-in/enrol", data=fields)

    assert answer.location == "/sign-in/enrol"
    assert scenes.rows("SELECT * FROM second_factors") == []


def test_a_customer_cannot_reach_the_back_office(app: Flask, visitor: Visitors) -> None:
    """R24."""
    browser = visitor()
    browser.sign_in(factories.make_person().email, path="/sign-in?next=/admin/")

    assert browser.get("/admin/").status_code == 403


@pytest.mark.parametrize("email", ["known", "nobody@example.com", "not-an-address", "nobody@" + "x" * 250 + ".com"])
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(app: Flask, visitor: Visitors, email: str) -> None:
    person = factories.make_person()
    address = person.email if email == "known" else email

    answer = visitor().sign_in(address, "wrong password")

    page = answer.get_data(as_text=True).replace(address, "")
    assert answer.status_code == 403
    assert "do not belong together" in page
    assert "Set-Cookie" not in answer.headers or "known" not in str(answer.headers.getlist("Set-Cookie"))
    assert len(page) == len(
        visitor().sign_in("someone@else.example", "wrong password").get_data(as_text=True).replace("someone@else.example", "")
    )


def test_guessing_a_password_is_braked_over_all_processes_alike_for_unknown_addresses(
    app: Flask, make_app: Callable[..., Flask], visitor: Visitors
) -> None:
    person = factories.make_person()
    browsers = [visitor(), visitor(of=make_app())]

    for email in (person.email, "nobody@example.com"):
        statuses = [browsers[number % 2].sign_in(email, "wrong password").status_code for number in range(12)]
        refused = browsers[0].sign_in(email, factories.PASSWORD)

        assert statuses == [403] * 10 + [429] * 2
        assert refused.status_code == 429, "the right password does not get through either"
        assert 0 < int(refused.headers["Retry-After"]) <= 900
        assert "Try again in 15 minutes" in refused.get_data(as_text=True)


def test_whoever_floods_an_address_with_failures_does_not_lock_its_owner_out(app: Flask, visitor: Visitors) -> None:
    person, owner = factories.make_person(), visitor()
    owner.sign_in(person.email)
    owner.post("/sign-out", seen="/overview")
    for network in range(11):
        attacker = visitor(f"203.0.113.{network}")
        for _ in range(10):
            attacker.sign_in(person.email, "wrong password")

    stranger, back = visitor("198.51.100.9").sign_in(person.email), owner.sign_in(person.email)

    assert stranger.status_code == 429
    assert back.location == "/overview"


def test_guessing_codes_is_braked_and_the_right_code_waits_too(app: Flask, visitor: Visitors) -> None:
    person, phone = factories.make_person(role=Role.ADMIN), visitor()
    phone.sign_in(person.email)
    authenticator, _ = phone.enrol(steps=-1)
    thief = visitor()
    thief.sign_in(person.email)

    statuses = [thief.show(authenticator.wrong_code()).status_code for _ in range(6)]

    assert statuses == [403] * 5 + [429]
    assert thief.show(authenticator.code()).status_code == 429
    assert not thief.is_in()


def test_a_code_seen_once_does_not_open_a_second_browser(app: Flask, visitor: Visitors) -> None:
    person, owner, thief = factories.make_person(role=Role.ADMIN), visitor(), visitor()
    owner.sign_in(person.email)
    authenticator, _ = owner.enrol(steps=0)
    thief.sign_in(person.email)

    answer = thief.show(authenticator.code())

    assert answer.status_code == 403
    assert not thief.is_in()


def test_a_recovery_code_stands_in_once_and_is_in_the_audit_log(app: Flask, visitor: Visitors) -> None:
    person, first, second, third = factories.make_person(role=Role.ADMIN), visitor(), visitor(), visitor()
    first.sign_in(person.email)
    _, codes = first.enrol()
    for browser in (second, third):
        browser.sign_in(person.email)

    with_it = second.show(codes[0].upper(), path="/sign-in/code?with=recovery")
    again = third.show(codes[0], path="/sign-in/code?with=recovery")

    assert (with_it.status_code, again.status_code) == (302, 403)
    assert second.is_in()
    rows = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.show_second_factor'")
    assert [row["changes"] for row in rows] == [{"by": [None, "recovery code"]}]


def test_sign_in_and_sign_out_are_recorded_with_the_address(app: Flask, visitor: Visitors) -> None:
    """R37."""
    browser = visitor("198.51.100.3")
    browser.sign_in(factories.make_person().email)
    browser.post("/sign-out", seen="/overview")

    rows = scenes.rows("SELECT action, address FROM staff_actions WHERE action LIKE 'user.sign%' ORDER BY action")

    assert [(row["action"], row["address"]) for row in rows] == [("user.sign_in", "198.51.100.3"), ("user.sign_out", "198.51.100.3")]


def test_who_runs_out_of_recovery_codes_is_sent_to_the_page_by_its_name(
    app: Flask, visitor: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, first, second = factories.make_person(role=Role.ADMIN), visitor(), visitor()
    first.sign_in(person.email)
    _, codes = first.enrol()
    second.sign_in(person.email)
    monkeypatch.setattr(recovery_codes, "left", lambda _: 1)

    second.show(codes[0], path="/sign-in/code?with=recovery")

    assert "1 recovery code is left. You can make new ones in your settings." in second.get("/settings").text

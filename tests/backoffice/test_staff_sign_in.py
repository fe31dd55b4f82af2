"""Signing in with a real browser: keyboard only, by the secret of the QR code, and from one browser to another (R26)."""

import re

import pytest
from playwright.sync_api import Page, expect

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.accounts import Role
from reseller.domain.identity import second_factor
from reseller.domain.staff import StaffAction
from tests import factories
from tests.authenticator import Authenticator
from tests.browser import PHONE, WIDE
from tests.console import Console

FOCUSED = """() => { const here = document.activeElement;
    return (here.labels?.[0]?.innerText || here.getAttribute('aria-label') || here.innerText || '').trim() }"""


def tab_to(page: Page, label: str) -> None:
    """The focus is on what bears this label, reached with the Tab key alone."""
    for _ in range(40):
        if page.evaluate(FOCUSED) == label:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {label!r} on {page.url}")


def type_into(page: Page, label: str, text: str) -> None:
    tab_to(page, label)
    page.keyboard.type(text)


def sign_in(page: Page, email: str, password: str = factories.PASSWORD) -> None:
    """The first step, with the mouse."""
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def actions_of(console: Console, user_id: object) -> set[str]:
    """What the audit log says this person did."""
    with console.at_work(), transaction() as session:
        return {row.action for row in session.query(StaffAction).filter_by(actor=staff.actor_of(user_id))}  # type: ignore[arg-type]


def test_from_the_first_sign_in_to_the_next_with_the_keyboard_alone(console: Console) -> None:
    who = console.person(Role.SUPPORT, full_name="Kim")
    page = console.stranger()
    page.goto("/admin/")

    type_into(page, "E-mail address", who.email)
    type_into(page, "Password", factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your second factor")
    tab_to(page, "Type the secret instead")
    page.keyboard.press("Enter")
    phone = Authenticator(page.locator("details code").inner_text())
    type_into(page, "Code", phone.code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    recovery = page.locator(".codes code").first.inner_text()
    tab_to(page, "I have kept them")
    page.keyboard.press("Enter")
    expect(page).to_have_url(console.url("/admin/"))
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page).to_have_url(console.url("/sign-in"))
    page.goto("/settings")
    type_into(page, "E-mail address", who.email)
    type_into(page, "Password", factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    page.keyboard.type(phone.code(steps=1))
    page.keyboard.press("Enter")

    expect(page).to_have_url(console.url("/settings"))
    expect(page.get_by_text("this browser")).to_have_count(1)
    page.goto("/sign-in/confirm?next=/settings")
    tab_to(page, "Use a recovery code")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Recovery code")).to_be_focused()
    type_into(page, "Recovery code", recovery)
    page.keyboard.press("Enter")
    expect(page.get_by_text("9 of 10 recovery codes are left.")).to_be_visible()
    assert {"user.sign_in", "user.enrol_second_factor", "user.show_second_factor", "user.sign_out"} <= actions_of(console, who.user_id)


def test_a_browser_is_signed_out_from_another_one(console: Console) -> None:
    who = console.person(Role.FINANCE)
    here, there = console.page(who), console.page(who)
    there.goto("/admin/")
    here.goto("/settings")
    others = (
        here.get_by_role("row").filter(has_not_text="this browser").filter(has=here.get_by_role("button", name=re.compile("^Sign out")))
    )

    others.get_by_role("button").click()

    expect(here.get_by_text("That browser is signed out.")).to_be_visible()
    expect(others).to_have_count(0)
    there.reload()
    expect(there).to_have_url(console.url("/sign-in?next=/admin/"))
    here.reload()
    expect(here.get_by_role("heading", level=1)).to_have_text("Settings")


def test_a_new_password_of_a_command_signs_out_and_opens(console: Console) -> None:
    who = console.person(Role.SUPPORT)
    page = console.page(who)
    page.goto("/settings")
    console.allow(403)

    printed = console.run_flask("users", "password", who.email, "--reason", "forgotten")

    page.reload()
    expect(page).to_have_url(console.url("/sign-in?next=/settings"))
    sign_in(page, who.email)
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    sign_in(page, who.email, printed.split("password: ")[1].split()[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your second factor")


def test_a_lost_phone_is_reset_by_command_and_enrolled_anew(console: Console) -> None:
    who = console.person(Role.SUPPORT)
    page = console.stranger()
    for number in range(2):
        sign_in(page, who.email)
        page.get_by_text("Type the secret instead").click()
        page.get_by_label("Code").fill(Authenticator(page.locator("details code").inner_text()).code())
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator(".codes li")).to_have_count(10)
        if number == 0:
            console.run_flask("users", "reset-second-factor", who.email, "--reason", "lost phone")
            page.goto("/admin/")
            expect(page).to_have_url(console.url("/sign-in?next=/admin/"))

    with console.at_work():
        assert second_factor.enrolled(who.user_id)


def test_new_recovery_codes_are_made_behind_a_question_and_shown_once(console: Console) -> None:
    who = console.person(Role.ADMIN)
    page = console.stranger()
    sign_in(page, who.email)
    page.get_by_text("Type the secret instead").click()
    page.get_by_label("Code").fill(Authenticator(page.locator("details code").inner_text()).code())
    page.get_by_role("button", name="Confirm").click()
    old = page.locator(".codes code").all_inner_texts()
    page.goto("/settings")

    page.get_by_role("button", name="Make new recovery codes").click()
    page.get_by_role("button", name="Cancel").click()
    dismissed = actions_of(console, who.user_id)
    page.get_by_role("button", name="Make new recovery codes").click()
    page.get_by_role("dialog").get_by_role("button", name="Make new recovery codes").click()

    expect(page.locator(".codes li")).to_have_count(10)
    assert not set(old) & set(page.locator(".codes code").all_inner_texts())
    assert "user.issue_recovery_codes" in dismissed, "once, with the enrolment"
    page.goto("/settings")
    assert not page.locator(".codes").count()


def test_a_customer_sees_a_charge_of_the_api_on_the_overview_and_signs_out(console: Console) -> None:
    customer = console.customer(usd="3")
    page = console.stranger()
    sign_in(page, customer.person.email)
    expect(page).to_have_url(console.url("/overview"))
    available = page.locator(".stat", has=page.get_by_text("Available", exact=True))
    before = available.inner_text()

    customer.chat()

    page.reload()
    assert "$3.00" in before
    said = customer.call("/v1/credits").json["data"]["available"]
    assert before.count(f"${said}") == 0
    expect(available.locator("[data-live-value=available]")).to_have_attribute("title", f"${said}")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/overview")
    expect(page).to_have_url(console.url("/sign-in?next=/overview"))


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_pages_of_sign_in_fit_and_hide_nothing(console: Console, size: tuple[int, int]) -> None:
    who = console.person(Role.SUPPORT)
    half, page = console.page(who, size=size, has_second_factor=False), console.page(who, size=size)

    for window, path in ((half, "/sign-in/enrol"), (page, "/settings"), (page, "/sign-in/confirm"), (page, "/overview")):
        window.goto(path)

        assert window.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), path
    half.goto("/settings")
    expect(half).to_have_url(re.compile("/sign-in/enrol"))
    expect(half.get_by_role("link", name="Back office")).to_have_count(0)

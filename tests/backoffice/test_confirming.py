"""What cannot be taken back asks first: dismissing sends nothing, and without scripts the form itself stands there (R25)."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests.console import Console

SIGN_OUT_OTHERS = "Sign out everywhere else"
DISMISSALS: dict[str, Callable[[Page], None]] = {
    "escape": lambda page: page.keyboard.press("Escape"),
    "cancel": lambda page: page.get_by_role("dialog").get_by_role("button", name="Cancel").click(),
    "enter": lambda page: page.keyboard.press("Enter"),  # the focus is on Cancel
    "beside": lambda page: page.mouse.click(5, 5),
}


def is_signed_in(page: Page) -> bool:
    page.goto("/settings")
    return "/sign-in" not in page.url


@pytest.mark.parametrize("how", DISMISSALS)
def test_a_dismissed_question_sends_nothing(console: Console, how: str) -> None:
    person = console.person(Role.SUPPORT)
    here, elsewhere = console.page(person), console.page(person)
    here.goto("/settings")
    sent: list[str] = []
    here.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    here.get_by_role("button", name=SIGN_OUT_OTHERS).click()
    expect(here.get_by_role("dialog")).to_be_visible()
    DISMISSALS[how](here)

    expect(here.get_by_role("dialog")).to_be_hidden()
    assert sent == []
    assert is_signed_in(elsewhere)


def test_an_affirmed_question_acts_once(console: Console) -> None:
    person = console.person(Role.SUPPORT)
    here, elsewhere = console.page(person), console.page(person)
    here.goto("/settings")

    here.get_by_role("button", name=SIGN_OUT_OTHERS).click()
    here.get_by_role("dialog").get_by_role("button", name=SIGN_OUT_OTHERS).click()
    expect(here.get_by_role("status")).to_be_visible()

    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


def test_without_scripts_the_form_itself_stands_there(console: Console) -> None:
    person = console.person(Role.SUPPORT)
    here, elsewhere = console.page(person, java_script_enabled=False), console.page(person)
    here.goto("/settings")

    here.get_by_role("button", name=SIGN_OUT_OTHERS).click()
    expect(here).to_have_url(re.compile("/settings"))

    assert not is_signed_in(elsewhere)

"""Every page of the menu is in the same dress: on a desk and on a phone, light and dark, by keyboard, without complaints."""

import re

import pytest
from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests.browser import PHONE, WIDE, Scheme
from tests.console import Console

UNNAMED_CONTROLS = """
() => [...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea, main button")]
  .filter((control) => !control.labels?.length && !control.getAttribute("aria-label") && !control.textContent.trim())
  .map((control) => control.outerHTML)
"""
WIDER_THAN_THE_WINDOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def menu_of(page: Page) -> list[str]:
    """The addresses of the pages in the menu."""
    links = page.locator("#menu li a").all()
    return [str(link.get_attribute("href")) for link in links]


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"])
def test_every_page_of_the_menu_fits_its_window_and_names_its_controls(console: Console, size: tuple[int, int], scheme: Scheme) -> None:
    console.customer(usd="5").chat()
    page = console.page(Role.ADMIN, size=size, scheme=scheme)
    page.goto("/admin/")

    for address in menu_of(page):
        page.goto(address)

        assert page.evaluate(WIDER_THAN_THE_WINDOW) <= 0, f"{address} scrolls sideways"
        assert page.evaluate(UNNAMED_CONTROLS) == [], f"{address} has controls without a name"
        assert page.locator("h1").count() == 1, f"{address} has not one heading"
        assert page.locator("h1").inner_text().strip(), f"{address} has an empty heading"
        assert re.match(r"\S.* · Reseller$", page.title()), f"{address} has no title"
        assert page.locator("#menu [aria-current=page]").count() == 1, f"{address} is not marked in the menu"


def test_a_theme_that_was_chosen_stays(console: Console) -> None:
    page = console.page(Role.SUPPORT, scheme="light")
    page.goto("/admin/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)

    page.get_by_role("button", name="Switch between light and dark").click()
    page.goto("/admin/")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) != before


def test_on_a_phone_the_menu_is_behind_a_button(console: Console) -> None:
    page = console.page(Role.SUPPORT, size=PHONE)
    page.goto("/admin/")
    menu = page.locator("#menu")
    expect(menu).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")

    expect(menu).to_be_hidden()


def test_the_keyboard_alone_skips_the_menu(console: Console) -> None:
    page = console.page(Role.SUPPORT)
    page.goto("/admin/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("#content$"))


def test_without_scripts_the_menu_still_opens_and_signing_out_works(console: Console) -> None:
    page = console.page(Role.SUPPORT, size=PHONE, java_script_enabled=False)
    page.goto("/admin/")

    expect(page.get_by_role("button", name="Switch between light and dark")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.locator("#menu")).to_be_visible()
    page.goto("/admin/")
    page.get_by_role("button", name="Sign out").click()

    expect(page).to_have_url(re.compile("/sign-in"))

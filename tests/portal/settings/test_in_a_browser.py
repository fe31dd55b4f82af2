"""Settings in a browser: the company and the time zone, by keyboard alone, seen afterwards on other pages and by staff."""

import re

from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests import axe, factories
from tests.site import Site


def fill(page: Page, label: str, words: str) -> None:
    """The field is reached with the Tab key, and what stood there is typed over."""
    field = page.get_by_label(label, exact=True)
    for _ in range(80):
        if field.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(field).to_be_focused()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(words)


def test_company_and_time_zone_are_changed_by_keyboard_and_seen_elsewhere(site: Site) -> None:
    customer = site.customer(usd="5")
    page = site.window(customer.person)
    page.goto("/settings")
    assert axe.grave_faults(page) == []

    fill(page, "Time zone", "kolkata")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Your profile is saved.")
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Kolkata")
    page.get_by_role("link", name="Company").click()
    fill(page, "Account name", "Rao & Sons <b>")
    fill(page, "Company (optional)", "Rao & Sons Pvt Ltd")
    fill(page, "Tax ID (optional)", "GSTIN 27AAAP")
    fill(page, "Billing address (optional)", "1 Ring Road")
    page.keyboard.press("Enter")
    page.keyboard.type("Pune")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert axe.grave_faults(page) == []

    customer.chat()
    page.goto("/overview")
    expect(page.get_by_text("Rao & Sons <b>")).to_be_visible()
    page.goto("/settings")
    expect(page.locator("time[data-ago]").first).to_have_attribute("title", re.compile(r" IST$"))
    with site.at_work():
        staff = factories.make_person(role=Role.SUPPORT)
    desk = site.window(staff, has_second_factor=True)
    desk.goto(f"/admin/customers/{customer.person.account_id}/")
    expect(desk.locator("address")).to_have_text(re.compile(r"Rao & Sons Pvt Ltd\s+1 Ring Road\s+Pune\s+Tax ID GSTIN 27AAAP"))
    expect(desk.locator("#timeline")).to_contain_text("Company changed")

"""The overview in a real browser: a call of a program changes it before the eyes of whoever looks."""

from playwright.sync_api import Page, expect

from tests import axe
from tests.browser import PHONE
from tests.site import Site

PUSHED = ("available", "spend", "calls", "errors")


def shown(page: Page) -> dict[str, str]:
    return {name: page.locator(f'[data-live-value="{name}"]').inner_text() for name in PUSHED}


def test_a_call_changes_the_balance_without_a_reload_and_the_api_says_the_same(site: Site) -> None:
    customer = site.customer(usd="5")
    page = site.window(customer.person)
    page.goto("/overview")
    expect(page.locator("[data-live-state]")).to_have_text("live")
    expect(page.get_by_role("heading", name="Your first steps")).to_be_visible()
    first_faults = axe.grave_faults(page)

    assert customer.chat().status == 200

    expect(page.locator('[data-live-value="calls"]')).to_have_text("1")
    expect(page.locator('[data-live-value="held"]')).to_have_text("$0.00")
    pushed = shown(page)
    page.reload()
    assert shown(page) == pushed
    available = customer.call("/v1/credits", method="GET").json["data"]["available"]
    expect(page.locator('[data-live-value="available"]')).to_have_attribute("title", f"${available}")
    assert pushed["available"] != "$5.00"
    expect(page.get_by_role("heading", name="Your first steps")).to_have_count(0)
    page.goto("/usage")
    expect(page.locator("[data-live-state]")).to_have_text("live")
    expect(page.locator('[data-live-value="calls_told"]')).to_have_text("1 call")
    assert (first_faults, axe.grave_faults(page)) == ([], [])


def test_it_fits_a_phone_and_reads_without_a_script(site: Site) -> None:
    customer = site.customer(usd="5")
    customer.chat()
    page = site.window(customer.person, size=PHONE, java_script_enabled=False)

    page.goto("/overview")

    expect(page.locator('[data-live-value="calls"]')).to_have_text("1")
    expect(page.get_by_text("Charges of the last 14 days")).to_be_visible()

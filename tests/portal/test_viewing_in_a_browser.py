"""View as the customer in a browser: the button, the banner, what is refused, the end (R24, R37)."""

import re

from playwright.sync_api import expect

from reseller.domain.accounts import Role
from tests import axe, factories
from tests.browser import PHONE
from tests.domain import scenes
from tests.site import Site


def test_support_looks_at_what_the_customer_sees_and_can_change_nothing(site: Site) -> None:
    customer = site.customer(usd="7.77")
    with site.at_work():
        who = factories.make_person(role=Role.SUPPORT)
        name = scenes.name_of(customer.person.account_id)
    page = site.window(who, has_second_factor=True, size=PHONE)
    page.goto(f"/admin/customers/{customer.person.account_id}/")

    page.get_by_role("button", name="View as customer").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("ticket 4711")
    page.get_by_role("dialog").get_by_role("button", name="View as customer").click()

    expect(page).to_have_url(site.url("/overview"))
    banner = page.get_by_role("complementary", name="Viewing as a customer")
    expect(banner).to_contain_text(f"You see {name} as the customer does.")
    expect(banner).to_contain_text(re.compile(r"ends in (29|30) min"))
    expect(page.get_by_text("$7.77").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert axe.grave_faults(page) == []

    site.allow(403)
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Account name").fill("Mallory Ltd")
    page.evaluate("() => document.querySelector('main form').submit()")
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    with site.at_work():
        assert scenes.name_of(customer.person.account_id) == name

    page.get_by_role("button", name="End viewing").click()
    expect(page).to_have_url(site.url(f"/admin/customers/{customer.person.account_id}/"))
    expect(page.locator("#timeline")).to_contain_text("ticket 4711")
    expect(page.locator("#timeline")).to_contain_text("Viewing as the customer ended")
    page.goto("/overview")
    expect(page.get_by_role("button", name="End viewing")).to_have_count(0)
    expect(page.get_by_text("$7.77")).to_have_count(0)

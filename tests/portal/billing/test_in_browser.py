"""Billing in a real browser: credit given by command is a line, opens what made it, and is in the statement's sum."""

import csv
from decimal import Decimal

from playwright.sync_api import Page, expect

from reseller.clock import now
from tests import axe
from tests.browser import PHONE
from tests.site import Site


def downloaded(page: Page) -> list[dict[str, str]]:
    """The rows of the page's CSV."""
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    return list(csv.DictReader(download.value.path().open(encoding="utf-8")))


def test_credit_by_command_is_a_line_that_opens_its_source_and_adds_up(site: Site) -> None:
    """R25."""
    customer = site.customer(usd="5")
    customer.chat()
    page = site.window(customer.person)
    site.run_flask("credits", "grant", customer.person.email, "2.5", "--reason", "sorry for the outage")

    page.goto("/billing")
    faults = axe.grave_faults(page)
    page.get_by_role("row", name="sorry for the outage").get_by_role("link").click()

    expect(page.get_by_text("sorry for the outage")).to_be_visible()
    expect(page.locator("main")).to_contain_text("$7.50")
    page.goto("/billing")
    page.get_by_role("link", name="Statements").click()
    page.get_by_role("link", name=f"{now():%B %Y}", exact=True).click()
    faults += axe.grave_faults(page)
    rows = downloaded(page)
    page.goto("/billing")
    moved = downloaded(page)
    balance = Decimal(customer.call("/v1/credits", method="GET").json["data"]["balance"])
    assert sum(Decimal(row["amount_usd"] or 0) for row in rows) == balance == Decimal(rows[-1]["balance_usd"])
    assert [row["note"] for row in rows if row["kind"] == "Adjustment"][-1] == "sorry for the outage"
    assert sum(Decimal(row["amount_usd"]) for row in moved) == balance
    assert faults == []


def test_a_statement_prints_as_a_document(site: Site) -> None:
    """On paper: light, without menus and buttons, in pages; on a phone it stays within the window."""
    customer = site.customer(usd="5")
    page = site.window(customer.person, scheme="dark", size=PHONE)
    page.goto(f"/billing/statements/{now():%Y-%m}")
    width = page.evaluate("document.documentElement.scrollWidth")

    paper = page.pdf(format="A4")
    page.emulate_media(media="print")

    assert paper.startswith(b"%PDF-")
    assert width == PHONE[0]
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for unwanted in (
        page.locator("header.site-bar"),
        page.get_by_role("button", name="Print or save as PDF"),
        page.get_by_role("link", name="CSV"),
    ):
        expect(unwanted).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"

"""Customers in a real browser: what starts with a call or a click is read through another door afterwards."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests.browser import PHONE
from tests.console import Console
from tests.shop import Customer


def open_customer(page: Page, customer: Customer) -> None:
    page.goto(f"/admin/customers/{customer.person.account_id}/")


def confirm(page: Page, button: str, *, reason: str) -> None:
    """The button, the question behind it, and the same button there."""
    page.get_by_role("button", name=button).first.click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=button).click()


def search_for(page: Page, words: str) -> None:
    page.goto("/admin/")
    page.get_by_role("searchbox").fill(words)
    page.get_by_role("searchbox").press("Enter")


def test_a_customer_is_found_by_a_request_id(console: Console) -> None:
    customer = console.customer()
    request_id = customer.chat().headers["x-request-id"]
    page = console.page(Role.SUPPORT)

    search_for(page, f" {request_id} ")

    expect(page).to_have_url(console.url(f"/admin/customers/{customer.person.account_id}/?call={request_id.removeprefix('req_')}"))
    call = page.get_by_role("region", name="The call you looked for")
    expect(call).to_contain_text("completed")
    call.get_by_role("link", name="Explain this call").click()
    expect(page.locator("main")).to_contain_text(request_id)


@pytest.mark.parametrize("what", ["e-mail", "key prefix", "body id"])
def test_a_customer_is_found_by_what_they_read_out(console: Console, what: str) -> None:
    customer = console.customer()
    words = {"e-mail": customer.person.email, "key prefix": f"{customer.key[:12]}…", "body id": customer.chat().json["id"]}[what]
    page = console.page(Role.SUPPORT)

    search_for(page, words)

    expect(page.locator(".intro")).to_contain_text(customer.person.email)


def test_credit_above_the_cap_takes_two_people_and_the_customer_sees_it(console: Console) -> None:
    """R25, from the form of support over the approval of finance to the API and the command line."""
    customer = console.customer(usd="10")
    support, finance = console.page(Role.SUPPORT), console.page(Role.FINANCE)
    open_customer(support, customer)
    support.get_by_role("link", name="Adjust credit").click()
    support.get_by_label("Amount in dollars").fill("75.5")
    support.get_by_label("Reason").fill("two days without answers")
    support.get_by_role("button", name="Adjust").click()
    expect(support.get_by_role("status").first).to_contain_text("waits for somebody")
    before = customer.call("/v1/credits").json["data"]["balance"]

    finance.goto("/admin/adjustments/")
    row = finance.get_by_role("row").filter(has_text="two days without answers").filter(has_text="75.50")
    row.get_by_role("button", name="Approve").click()
    dialog = finance.locator("dialog[open]")
    expect(dialog).to_contain_text("two days without answers")
    dialog.get_by_role("button", name="Approve").click()
    expect(finance.get_by_role("status").first).to_contain_text("Approved")

    open_customer(support, customer)
    expect(support.locator("#ledger")).to_contain_text("two days without answers")
    expect(support.locator("#timeline")).to_contain_text("Adjustment approved")
    assert Decimal(before) == 10
    assert Decimal(customer.call("/v1/credits").json["data"]["balance"]) == Decimal("85.5")
    assert "balance: 85.5" in console.run_flask("credits", "show", customer.person.email)
    assert customer.books.settled_nano == 85_500_000_000


def test_dismissing_an_approval_moves_nothing(console: Console) -> None:
    customer = console.customer(usd="10")
    support, finance = console.page(Role.SUPPORT), console.page(Role.FINANCE)
    support.goto(f"/admin/customers/{customer.person.account_id}/credit/?amount=60&reason=dismissed+later")
    support.get_by_role("button", name="Adjust").click()
    expect(support.get_by_role("status").first).to_contain_text("waits for somebody")

    finance.goto("/admin/adjustments/")
    row = finance.get_by_role("row").filter(has_text="dismissed later")
    row.get_by_role("button", name="Approve").click()
    finance.keyboard.press("Escape")
    expect(finance.locator("dialog[open]")).to_have_count(0)
    finance.reload()

    expect(finance.get_by_role("row").filter(has_text="dismissed later")).to_contain_text("waiting")
    assert customer.books.settled_nano == 10_000_000_000


def test_a_revoked_key_is_refused_by_the_api(console: Console) -> None:
    """R22."""
    customer = console.customer()
    before = customer.chat().status
    page = console.page(Role.SUPPORT)
    open_customer(page, customer)

    confirm(page, "Revoke", reason="it was posted in a forum")
    expect(page.get_by_role("status").first).to_contain_text("Revoked")
    page.reload()

    expect(page.locator("#keys")).to_contain_text("revoked")
    expect(page.locator("#timeline")).to_contain_text("it was posted in a forum")
    assert (before, customer.chat().status) == (200, 401)
    assert "revoked" in console.run_flask("keys", "list", customer.person.email)


def test_a_suspended_account_is_refused_until_it_is_restored(console: Console) -> None:
    """R22."""
    customer = console.customer()
    page = console.page(Role.SUPPORT)
    open_customer(page, customer)

    confirm(page, "Suspend", reason="a stolen card")
    expect(page.get_by_role("heading", level=1)).to_contain_text("suspended")
    during = customer.chat()
    confirm(page, "Restore", reason="the bank called back")
    expect(page.get_by_role("heading", level=1)).to_contain_text("active")

    assert (during.status, during.error["code"]) == (403, "account_suspended")
    assert customer.chat().status == 200


def test_dismissing_a_suspension_suspends_nobody(console: Console) -> None:
    customer = console.customer()
    page = console.page(Role.SUPPORT)
    open_customer(page, customer)

    page.get_by_role("button", name="Suspend").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Cancel").click()
    page.reload()

    expect(page.get_by_role("heading", level=1)).to_contain_text("active")
    assert customer.chat().status == 200


def test_limits_for_a_while_hold_in_the_api_and_go_back_by_the_clock(console: Console) -> None:
    customer = console.customer(limits=False)
    page = console.page(Role.SUPPORT)
    open_customer(page, customer)
    page.locator("#limits").get_by_role("link", name="Change").click()
    page.get_by_label("Requests a minute").fill("7")
    page.get_by_label("For how long").select_option("an hour")
    page.get_by_label("Reason").fill("a runaway script")
    page.get_by_role("button", name="Change limits").click()
    expect(page.locator("#limits")).to_contain_text("For a while")

    during = customer.call("/v1/key").json["data"]["rate_limits"]["minute"]["limit"]
    console.shop.query(
        "UPDATE rate_limits SET reverts_at = now() - interval '1 second' WHERE account_id = %s RETURNING 1", customer.person.account_id
    )
    console.run_jobs("revert limits")
    afterwards = customer.call("/v1/key").json["data"]["rate_limits"].get("minute", {}).get("limit")

    page.reload()
    expect(page.locator("#timeline")).to_contain_text("Limits put back")
    assert during == 7
    assert afterwards != 7


def test_a_note_is_there_for_the_next_colleague(console: Console) -> None:
    customer = console.customer()
    writer, reader = console.page(Role.SUPPORT), console.page(Role.FINANCE)
    open_customer(writer, customer)

    writer.get_by_label("A note for colleagues").fill("Promised an answer by Friday.")
    writer.get_by_role("button", name="Add note").click()
    expect(writer.get_by_role("status").first).to_contain_text("written down")

    open_customer(reader, customer)
    expect(reader.locator("#notes")).to_contain_text("Promised an answer by Friday.")


def test_the_page_works_by_keyboard_alone(console: Console) -> None:
    customer = console.customer()
    page = console.page(Role.SUPPORT)
    page.goto("/admin/")

    page.keyboard.press("/")
    page.keyboard.type(customer.person.email)
    page.keyboard.press("Enter")
    expect(page.locator(".intro")).to_contain_text(customer.person.email)
    page.get_by_role("button", name="Suspend").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]").get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Suspend").first).to_be_focused()


def test_on_a_phone_the_page_is_no_wider_than_the_screen(console: Console) -> None:
    customer = console.customer()
    customer.chat()
    page = console.page(Role.SUPPORT, size=PHONE)

    for path in ("", "credit/", "limits/"):
        page.goto(f"/admin/customers/{customer.person.account_id}/{path}")

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]

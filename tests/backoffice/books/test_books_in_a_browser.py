"""The books in a real browser: what the API and commands do stands in the lists, and leads to what made it."""

import threading

from playwright.sync_api import Locator, Page, expect

from reseller.domain.accounts import Role
from tests.console import Console
from tests.domain.payments import paying
from tests.waiting import wait_until


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def test_credit_granted_on_the_command_line_stands_in_the_ledger(console: Console) -> None:
    customer = console.customer(usd="0")
    page = console.page(Role.SUPPORT)

    console.run_flask("credits", "grant", customer.person.email, "12.5", "--reason", "a gift of the house")
    page.goto(f"/admin/ledger/?account={customer.person.email}")

    line = row(page, "a gift of the house")
    expect(line).to_contain_text("$12.50")
    expect(line).to_contain_text("command line")
    line.get_by_role("link").first.click()
    expect(page.get_by_text("Number in the account")).to_be_visible()
    page.reload()
    expect(page.locator("main")).to_contain_text("a gift of the house")


def test_a_day_of_calls_leads_from_the_ledger_to_the_calls(console: Console) -> None:
    customer = console.customer(usd="3")
    assert customer.chat().status == 200
    wait_until(lambda: not customer.holds)
    console.shop.query("UPDATE balances SET usage_day = usage_day - 1 WHERE account_id = %s RETURNING 1", customer.person.account_id)
    console.shop.query("UPDATE usage_logs SET posted_on = posted_on - 1 WHERE account_id = %s RETURNING 1", customer.person.account_id)
    console.run_jobs("post usage")
    page = console.page(Role.FINANCE)

    page.goto(f"/admin/ledger/?kind=usage&account={customer.person.email}")
    page.get_by_role("link", name="calls of").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")
    assert str(customer.person.account_id) in page.url


def test_a_call_that_runs_holds_money_and_frees_it_at_its_end(console: Console) -> None:
    customer = console.customer(usd="3")
    console.shop.fake.script("/chat/completions", {"pause_ms": 700})
    call = threading.Thread(target=customer.chat, kwargs={"stream": True}, daemon=True)
    page = console.page(Role.SUPPORT)

    call.start()
    wait_until(lambda: customer.holds)
    page.goto(f"/admin/holds/?account={customer.person.account_id}")
    expect(row(page, "answer under way")).to_have_count(1)
    call.join(30)
    wait_until(lambda: not customer.holds)
    page.reload()

    expect(row(page, "answer under way")).to_have_count(0)


def test_a_call_that_cost_more_than_was_there_is_found_under_overage(console: Console) -> None:
    """R6."""
    customer = console.customer(usd="1")
    console.shop.fake.script("/chat/completions", {"usage": {"cost": "\0" + "3.5"}})
    customer.chat()
    shown = f"req_{customer.row['id'].hex}"
    page = console.page(Role.FINANCE)

    page.goto(f"/admin/overage/?flag=overage&account={customer.person.email}")
    expect(row(page, "overage")).to_contain_text("$3.375")
    page.get_by_title(shown).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(shown)


def test_a_top_up_stands_among_payments_and_no_adjustment_does(console: Console) -> None:
    customer = console.customer(usd="2")
    with console.at_work():
        paying.buy(customer.person, "5")
    page = console.page(Role.FINANCE)

    page.goto(f"/admin/payments/?account={customer.person.email}")

    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("$5.00")
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("$5.00")

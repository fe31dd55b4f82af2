"""Why was I charged this, why was I refused: asked of calls that were made through the API, in a browser."""

from decimal import Decimal

from playwright.sync_api import Page, expect

from reseller.domain.accounts import Role
from tests.console import Console

SECRET_WORDS = "the moon is made of cheese"


def open_by_id(page: Page, shown_id: str) -> None:
    """The call's page, by way of the list."""
    page.goto("/admin/calls/")
    page.get_by_role("textbox", name="One call by its id").fill(shown_id)
    page.get_by_role("button", name="Open").click()


def test_a_charge_is_explained_line_by_line(console: Console) -> None:
    """R7: what the page adds up is what the API charged, and what /v1/generation tells the customer."""
    customer = console.customer(usd="5")
    answer = customer.chat(messages=[{"role": "user", "content": SECRET_WORDS}])
    page = console.page(Role.SUPPORT)

    open_by_id(page, answer.headers["x-request-id"])

    amounts = [Decimal(cell.get_attribute("data-amount") or "") for cell in page.locator("#bill-lines tbody [data-amount]").all()]
    charge = Decimal(page.locator("#charge").get_attribute("data-amount") or "")
    told = customer.call(f"/v1/generation?id={answer.json['id']}").json["data"]
    assert sum(amounts) == charge == Decimal(str(answer.json["usage"]["cost"])) == Decimal(told["charge"])
    assert sum(Decimal(line["amount"]) for line in told["explanation"]["lines"]) == charge
    expect(page.locator("#bill-lines")).to_contain_text("markup of 25%")
    assert SECRET_WORDS not in page.content()


def test_a_refusal_names_its_limit_and_what_would_help(console: Console) -> None:
    customer = console.customer(usd="5")
    console.run_flask("users", "limits", customer.person.email, "--rpm", "1")
    assert customer.chat().status == 200
    refused = customer.chat()
    assert refused.status == 429
    page = console.page(Role.SUPPORT)

    open_by_id(page, refused.headers["x-request-id"])

    why = page.get_by_role("region", name="Why was it refused?")
    expect(why).to_contain_text("1 request per minute, of which 1 had been used")
    expect(why).to_contain_text("Raise the limit")
    console.run_flask("users", "limits", customer.person.email, "--rpm", "100")
    assert customer.chat().status == 200  # what the page said would help, does


def test_money_that_is_missing_is_told_to_the_nano_dollar(console: Console) -> None:
    customer = console.customer(usd="0.000001")
    refused = customer.chat(max_tokens=4000)
    assert refused.status == 402
    page = console.page(Role.FINANCE)

    open_by_id(page, refused.headers["x-request-id"])

    why = page.get_by_role("region", name="Why was it refused?")
    needed = customer.row["response_metadata"]["needed_usd"]
    expect(why).to_contain_text(f"${needed}")
    expect(why).to_contain_text("$0.000001 was available")


def test_the_list_leads_from_a_kind_of_trouble_to_its_calls(console: Console) -> None:
    customer = console.customer(usd="5")
    customer.chat("nobody/knows-this")
    page = console.page(Role.SUPPORT)
    page.goto(f"/admin/calls/?account={customer.person.account_id}")

    page.get_by_label("Status").select_option("refused")
    page.get_by_role("link", name="model not found").click()

    expect(page.locator("tbody")).to_contain_text("nobody/knows-this")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "nobody/knows-this" in download.value.path().read_text()

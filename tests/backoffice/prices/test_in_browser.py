"""Prices in a browser, read back through the API and the command line: what a page publishes is what customers pay."""

import json
from decimal import Decimal

from playwright.sync_api import expect

from reseller.clock import new_id
from reseller.domain import pricing
from reseller.domain.accounts import Role
from tests import factories
from tests.console import Console
from tests.fakes.openrouter_catalogue import MODELS
from tests.shop import SLUG, Customer
from tests.waiting import wait_until


def price_in_api(customer: Customer, slug: str = SLUG) -> Decimal | None:
    """What one input token costs this customer, by /v1/models; None if it is not for sale to them."""
    listed = {model["id"]: model for model in customer.call("/v1/models").json["data"]}
    return Decimal(listed[slug]["pricing"]["prompt"]) if slug in listed else None


def cost(slug: str = SLUG) -> Decimal:
    return Decimal(next(model for model in MODELS if model["id"] == slug)["pricing"]["prompt"])


def test_a_rule_is_tested_published_and_what_customers_pay(console: Console) -> None:
    """R22, R24: the preview's price is that of the API, within two seconds, and of the command."""
    customer = console.customer(usd="5")
    page = console.page(Role.ADMIN)
    page.goto("/admin/prices/test/")
    page.get_by_label("Model", exact=True).fill(SLUG)
    page.get_by_label("As the account").fill(customer.person.email)
    page.get_by_label("Models").fill(SLUG)
    page.get_by_label("Markup, %").fill("8")
    page.get_by_label("Only for").fill(customer.person.email)
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="1 price would change")).to_be_visible()
    expect(page.get_by_text("1 of them would be sold at a loss")).to_be_visible()
    preview = page.locator("section", has=page.get_by_role("heading", name="With the draft")).locator("[data-field=prompt] [data-sell]")
    promised = Decimal(preview.get_attribute("data-sell") or "")
    assert price_in_api(customer) == cost() * Decimal("1.25")

    page.get_by_label("Why", exact=True).fill("a favour")
    page.get_by_role("button", name="Publish this rule").click()

    expect(page.get_by_role("status")).to_contain_text("Published")
    assert promised == cost() * Decimal("1.08")
    wait_until(lambda: customer.chat().status == 200 and price_in_api(customer) == promised, 2)
    explained = json.loads(console.run_flask("prices", "explain", SLUG, "--account", customer.person.email, "--json"))
    assert Decimal(explained["sell_price_per_million"]["prompt"]) == promised * 1_000_000
    assert explained["markup_percent"] == "8"
    page.reload()
    expect(page.locator("main")).to_contain_text("8% on top")


def test_a_dismissed_question_retires_nothing_and_an_answered_one_does(console: Console) -> None:
    customer = console.customer(usd="5", markup="50")
    rule_id = rule_of(console, customer)
    page = console.page(Role.ADMIN)
    page.goto(f"/admin/prices/{rule_id}/")

    page.get_by_role("button", name="Retire").click()
    page.get_by_role("button", name="Cancel").click()
    page.reload()
    assert is_active(console, rule_id)

    page.get_by_role("button", name="Retire").click()
    page.get_by_label("Reason").fill("agreement ended")
    page.get_by_role("dialog").get_by_role("button", name="Retire").click()

    expect(page.get_by_text("This rule is retired")).to_be_visible()
    assert not is_active(console, rule_id)
    wait_until(lambda: customer.chat().status == 200 and price_in_api(customer) == cost() * Decimal("1.25"), 2)


def test_the_second_of_two_editors_learns_of_the_first(console: Console) -> None:
    """Both replace the same rule; there is never a moment with two."""
    console.allow(409)
    customer = console.customer(usd="5", markup="50")
    rule_id = rule_of(console, customer)
    first, second = console.page(Role.ADMIN), console.page(Role.ADMIN)
    for page, markup in ((first, "40"), (second, "60")):
        page.goto(f"/admin/prices/{rule_id}/")
        page.get_by_role("link", name="Replace").click()
        page.get_by_label("Markup, %").fill(markup)
        page.get_by_role("button", name="Test").click()
        page.get_by_label("Why", exact=True).fill("a new agreement")
    first.get_by_role("button", name="Publish in its place").click()
    expect(first.get_by_role("status")).to_contain_text("Published")

    second.get_by_role("button", name="Publish in its place").click()

    expect(second.locator("main")).to_contain_text("Prices have changed since you looked")
    expect(second.locator("main")).to_contain_text("retired already")
    with console.at_work():
        candidates = pricing.Book().refresh().ranking(SLUG, customer.person.account_id)
    own = [candidate.rule.markup_percent for candidate in candidates if candidate.rule.account_id == customer.person.account_id]
    assert own == [Decimal(40)]


def test_a_quarantined_price_is_accepted_and_for_sale(console: Console) -> None:
    """R7, R24: finance decides; the API sells at the new price at once."""
    slug = quarantined(console, "0.000001", "0.00001")
    customer = console.customer(usd="5")
    wait_until(lambda: customer.chat(SLUG).status == 200 and price_in_api(customer, slug) == Decimal("0.00000125"), 2)
    page = console.page(Role.FINANCE)
    page.goto("/admin/catalogue/queue/")
    waiting = page.locator(f"[data-waiting='{slug}']")
    expect(waiting).to_contain_text("×10")

    waiting.get_by_role("button", name="Accept").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the supplier confirmed it")
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()

    expect(page.get_by_role("status")).to_contain_text("Accepted")
    wait_until(lambda: customer.chat(SLUG).status == 200 and price_in_api(customer, slug) == Decimal("0.0000125"), 2)
    page.goto(f"/admin/catalogue/model/{slug}/")
    expect(page.locator("main")).to_contain_text("$12.5")


def test_support_reads_prices_and_is_offered_no_decision(console: Console) -> None:
    """R24."""
    slug = quarantined(console, "0.000001", "0.00001")
    page = console.page(Role.SUPPORT)

    page.goto(f"/admin/catalogue/model/{slug}/")

    expect(page.get_by_role("heading", name="A new price waits for a decision")).to_be_visible()
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    expect(page.get_by_role("button", name="Withdraw")).to_have_count(0)


def rule_of(console: Console, customer: Customer) -> str:
    """The rule of this customer alone."""
    [row] = console.shop.query("SELECT id FROM pricing_rules WHERE account_id = %s AND is_active", customer.person.account_id)
    return str(row["id"])


def is_active(console: Console, rule_id: str) -> bool:
    return bool(console.shop.query("SELECT is_active FROM pricing_rules WHERE id = %s", rule_id)[0]["is_active"])


def quarantined(console: Console, old: str, new: str) -> str:
    """A model whose input price wants to go from `old` to `new`."""
    slug = f"acme/waiting-{new_id().hex[-8:]}"
    with console.at_work():
        for price in (old, new):
            entry = {**MODELS[0], "id": slug, "pricing": {"prompt": price, "completion": "0.000002"}}
            pricing.sync("openrouter", [*console.shop.fake.models, entry], actor=factories.ACTOR)
    return slug

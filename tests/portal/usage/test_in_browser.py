"""From a call of the API to its receipt, by way of chart and table, in a browser."""

import csv
import io
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Page, expect

from tests import axe
from tests.site import Site

SECRET_WORDS = "the moon is made of cheese"


def amounts_of(page: Page) -> list[Decimal]:
    return [Decimal(cell.get_attribute("data-amount") or "") for cell in page.locator("#bill-lines tbody [data-amount]").all()]


def test_a_call_is_in_the_chart_and_leads_to_its_receipt(site: Site) -> None:
    """Sum of the day = CSV = receipt = what the API said it charged; after a reload, and after the clock has summed it."""
    customer = site.customer(usd="5")
    window = site.window(customer.person)
    window.goto("/usage")
    expect(window.get_by_text("No calls yet")).to_be_visible()

    answer = customer.chat(messages=[{"role": "user", "content": SECRET_WORDS}])
    charge = Decimal(str(answer.json["usage"]["cost"]))
    assert customer.row
    window.reload()

    over_time = window.get_by_role("region", name="Charge, by day")
    expect(over_time.locator(".chart .bars .point").first).to_be_attached()
    over_time.get_by_text("As a table").click()
    row = over_time.get_by_role("row").last
    expect(row.locator(".money")).to_have_attribute("title", f"${charge}")
    with window.expect_download() as downloading:
        over_time.get_by_role("link", name="CSV").click()
    exported = list(csv.reader(io.StringIO(Path(downloading.value.path()).read_text())))
    assert [exported[-1][0], Decimal(exported[-1][exported[0].index("Charge")])] == [row.get_by_role("link").inner_text(), charge]

    faults = axe.grave_faults(window)
    row.get_by_role("link").click()
    window.get_by_role("link", name="req_").wait_for()
    faults += axe.grave_faults(window)
    window.get_by_role("link", name="req_").click()

    assert faults + axe.grave_faults(window) == []
    assert sum(amounts_of(window)) == charge
    expect(window.get_by_role("code").or_(window.locator("code")).first).to_have_text(answer.headers["x-request-id"])
    assert SECRET_WORDS not in window.content()
    site.run_jobs("roll up usage")
    window.reload()
    assert sum(amounts_of(window)) == charge
    window.goto("/usage?measure=calls&group=model")
    assert window.locator("#models tbody tr").count() == 1
    expect(window.locator("#models .money")).to_have_attribute("title", f"${charge}")


def test_a_bar_leads_to_its_calls_and_a_refusal_says_what_helps(site: Site) -> None:
    """Through the search box: the id is that of the answer's header."""
    customer = site.customer(usd="5")
    site.run_flask("users", "limits", customer.person.email, "--rpm", "1")
    assert customer.chat().status == 200
    refused = customer.chat()
    assert refused.status == 429
    window = site.window(customer.person)
    window.goto("/usage?range=today&step=day")

    chart = window.locator("#over-time .chart")
    expect(chart.locator(".bars .point").first).to_be_attached()
    chart.scroll_into_view_if_needed()
    box = chart.locator(".bars .point path").first.bounding_box()
    assert box
    window.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(window.get_by_role("heading", name="Calls")).to_be_visible()
    assert window.locator("tbody tr").count() == 2
    window.get_by_role("textbox", name="One call, by its request id").fill(refused.headers["x-request-id"])
    window.get_by_role("button", name="Open").click()

    why = window.get_by_role("region", name="Why it was refused")
    expect(why).to_contain_text("1 request per minute, of which 1 had been used")
    expect(why).to_contain_text("Retry-After")
    expect(window.locator("#charge")).to_have_text("$0.00")

"""From a stranger's search for a price to their first call: the price shown is the price told is the price charged."""

import shlex
from decimal import Decimal

from playwright.sync_api import Page, expect

from tests import axe
from tests.browser import PHONE
from tests.site import Site

MODEL = "sandbox/echo"  # what the quickstart asks for


def test_a_stranger_finds_a_price_and_makes_the_call_of_the_quickstart(site: Site) -> None:
    window = site.stranger()
    window.goto("/")
    window.get_by_role("navigation", name="Pages").get_by_role("link", name="Prices").click()
    search = window.get_by_label("Search")
    search.fill("echo")
    expect(window.get_by_role("row")).to_have_count(2)  # filtered while one types: the heading and the one
    window.get_by_role("button", name="Search").click()
    window.wait_for_url("**/prices?q=echo*")
    row = window.get_by_role("row").filter(has_text=MODEL)
    shown = [Decimal(cell.replace("$", "")) for cell in row.get_by_role("cell").all_inner_texts()[1:3]]
    window.get_by_role("navigation", name="Pages").get_by_role("link", name="Docs").click()
    copied = window.locator("#quickstart [data-copies]").first.get_attribute("data-copies")
    assert copied

    customer = site.customer()
    sent = shlex.split(copied.replace("\\\n", " ").replace("YOUR_API_KEY", customer.key))
    answer = customer.call("/v1/chat/completions", sent[-1].encode())

    told = customer.call(f"/v1/models/{MODEL}").json["pricing"]
    assert answer.status == 200
    assert sent[1] == site.url("/v1/chat/completions").replace("127.0.0.1", "localhost")
    assert [Decimal(told[name]) * 1_000_000 for name in ("prompt", "completion")] == shown
    usage = answer.json["usage"]
    charged = (usage["prompt_tokens"] * shown[0] + usage["completion_tokens"] * shown[1]) / 1_000_000
    assert Decimal(answer.headers["x-request-cost"]) == usage["cost"] == charged.quantize(Decimal("0.000000001"), "ROUND_CEILING")
    assert Decimal(customer.row["charge_nano"]).scaleb(-9) == usage["cost"]


def test_the_page_of_a_model_suits_every_reader_and_every_window(site: Site) -> None:
    """Pages without a name in their address are looked at with all others, in tests/backoffice/test_every_page.py."""
    wide, phone = site.stranger(), site.stranger(size=PHONE, scheme="dark")

    faults = {name: _faults(window, f"/prices/{MODEL}") for name, window in (("wide, light", wide), ("phone, dark", phone))}

    assert faults == {"wide, light": [], "phone, dark": []}


def _faults(window: Page, path: str) -> list[str]:
    window.goto(path)
    is_too_wide = window.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return (["wider than the window"] if is_too_wide else []) + axe.grave_faults(window)

"""Under another brand, nothing that a customer can see says who made the shop or where its models come from.

Every address that a customer may open is opened, and the scripted failures of the upstream are met. Slugs of models stand
as they are.
"""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests import axe
from tests.browser import PHONE, WIDE, Scheme, Windows
from tests.deployment import Cluster
from tests.fakes.openrouter_scenarios import MESSAGES, SCENARIOS
from tests.shop import Customer, Shop, chat_body, open_shop
from tests.site import Site
from tests.staff import client_of

OTHERS = re.compile(rb"openrouter|reseller", re.IGNORECASE)
SLUGS = re.compile(rb"openrouter/[a-z0-9.-]+")
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="#7a1fa2"/></svg>'
SLOW = ("hang", "stall", "slow", "large", "long", "continue", "close", "half")
OF_STAFF = ("/admin", "/metrics", "/assets")


@pytest.fixture(scope="module")
def acme(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with everything of its own."""
    folder = tmp_path_factory.mktemp("acme")
    (folder / "logo.svg").write_bytes(LOGO)
    brand = {
        "BRAND_NAME": "Acme AI",
        "BRAND_LOGO": str(folder / "logo.svg"),
        "BRAND_COLOR": "#ffb300",
        "BRAND_SUPPORT_EMAIL": "help@acme.example",
        "BRAND_TERMS_URL": "https://acme.example/terms",
        "BRAND_IMPRINT_URL": "https://acme.example/imprint",
    }
    with open_shop(cluster, folder, **brand) as opened:
        yield opened


@pytest.fixture(scope="module")
def buyer(acme: Shop) -> Customer:
    """Somebody who has bought, whole and streamed, and met every quick failure there is."""
    customer = acme.customer(usd="50", limits=False)
    for name in [name for name in SCENARIOS if not name.startswith(SLOW)]:
        for is_streamed in (False, True):
            customer.chat(f"fake/{name}", stream=is_streamed)
    return customer


def others_in(headers: Any, body: bytes) -> list[str]:
    """What names the upstream, or us, in an answer."""
    head = "\n".join(f"{name}: {value}" for name, value in headers).encode()
    said = SLUGS.sub(b"", head + b"\n" + body)
    return [said[max(0, found.start() - 60) : found.end() + 40].decode(errors="replace") for found in OTHERS.finditer(said)]


def pages_of(buyer: Customer) -> list[str]:
    """Every address of a page, with ids of this customer where there are any."""
    app = buyer.shop.app
    key = buyer.shop.query("SELECT id FROM api_keys WHERE account_id = %s", buyer.person.account_id)[0]["id"]
    entry = buyer.shop.query("SELECT id FROM ledger_entries WHERE account_id = %s", buyer.person.account_id)[0]["id"]
    known = {
        "key_id": key,
        "entry_id": entry,
        "call_id": f"req_{buyer.rows[0]['id'].hex}",
        "month": buyer.rows[0]["created_at"].strftime("%Y-%m"),
    }
    known |= {"slug": "openai/gpt-4o-mini", "provider": "github", "token": "x" * 43}
    adapter = app.url_map.bind("localhost")
    return sorted(
        adapter.build(rule.endpoint, {name: known.get(name, uuid.uuid4()) for name in rule.arguments}, method="GET")
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith((*OF_STAFF, "/v1", "/api"))
    )


def test_the_search_itself_finds_what_it_looks_for() -> None:
    assert len(others_in([("x-served-by", "OpenRouter")], b"a Reseller, and the model openrouter/auto")) == 2


def test_no_page_and_no_error_names_anybody_else(buyer: Customer) -> None:
    with buyer.shop.at_work():
        client = client_of(buyer.shop.app, person=buyer.person, has_second_factor=False)
    stranger = buyer.shop.app.test_client()
    paths = [*pages_of(buyer), "/nowhere", "/admin/", "/usage/calls?from=garbage", "/billing/statements/0000-00"]

    found = {}
    for path in paths:
        for who, browser in (("customer", client), ("stranger", stranger)):
            answer = browser.get(path)
            if others := others_in(answer.headers.items(), answer.data):
                found[f"{who} {path}"] = others

    assert len(paths) > 20
    assert found == {}


def test_no_asset_names_anybody_else(buyer: Customer) -> None:
    assets = buyer.shop.app.extensions["assets"].values()

    found = {
        asset.name: OTHERS.findall(asset.content) for asset in assets if OTHERS.search(asset.content) or OTHERS.search(asset.name.encode())
    }

    assert found == {}


def test_no_answer_of_the_api_names_anybody_else(buyer: Customer) -> None:
    quick = [f"fake/{name}" for name in SCENARIOS if not name.startswith(SLOW)] + [f"fake/status-{status}" for status in MESSAGES]
    request_id = f"req_{buyer.rows[0]['id'].hex}"
    asked: dict[str, Any] = {
        **{f"{model} {stream}": ("/v1/chat/completions", chat_body(model, stream=stream)) for model in quick for stream in (False, True)},
        **{
            path: (path, None)
            for path in ("/v1/models", "/v1/models/openai/gpt-4o-mini", "/v1/key", "/v1/credits", "/v1/usage", "/v1/nowhere")
        },
        **{path: (path, None) for path in ("/v1/openapi.json", f"/v1/generation?id={request_id}", "/api/v1/models", "/healthz", "/readyz")},
        "estimate": ("/v1/estimate", chat_body()),
        "garbage": ("/v1/chat/completions", b"{"),
        "no model": ("/v1/chat/completions", chat_body("nobody/nothing")),
    }

    found = {}
    for name, (path, body) in asked.items():
        answer = buyer.call(path, body)
        if others := others_in(answer.headers.items(), answer.body):
            found[name] = others
    refused = buyer.shop.call("/v1/models", headers={"Authorization": "Bearer wrong"})

    assert found == {}
    assert others_in(refused.headers.items(), refused.body) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_another_brand_show_its_sign_and_can_be_read(browser: Browser, buyer: Customer, scheme: Scheme) -> None:
    """A pale accent on both themes, wide and narrow: axe finds no contrast that is too low."""
    windows = Windows(browser, buyer.shop.web.origin)
    site = Site(buyer.shop, windows)

    for size in (WIDE, PHONE):
        page = site.window(buyer.person, size=size, scheme=scheme)
        for path in ("/overview", "/settings", "/keys"):
            page.goto(path)

            expect(page.get_by_role("banner").get_by_role("link", name="Acme AI")).to_be_visible()
            assert page.locator(".brand img").evaluate("image => image.complete && image.naturalWidth > 0")
            expect(page.get_by_role("contentinfo").get_by_role("link", name="Imprint")).to_have_attribute(
                "href", "https://acme.example/imprint"
            )
            assert axe.grave_faults(page) == []
        expect(page).to_have_title(re.compile("Acme AI$"))
    windows.close()

    assert windows.complaints.unexpected == []

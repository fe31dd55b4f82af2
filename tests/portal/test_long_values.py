"""Names, amounts and lists as long as they may be: nothing sticks out of its place, on a wide screen or a phone."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page

from config.brand import MAX_NAME_CHARACTERS
from reseller.domain.accounts import Person, Role
from reseller.domain.keys import SpendPeriod
from tests import factories
from tests.browser import PHONE, WIDE, Windows
from tests.servers import WebServer
from tests.shop import Shop
from tests.staff import cookie_of

BRAND = "Gesellschaft für angewandte Sprachmodelle Oberösterreich mbH"
COMPANY = ("Vereinigte Niederrheinisch-Westfälische Maschinenbauwerke AG vormals Gebrüder Hinterhuber & Söhne " * 3)[:200]
PATTERNS = [f"maker-{number}/*" for number in range(20)]
STICKS_OUT = """
() => [...document.querySelectorAll("html, .brand, .stat-value, .facts dd, .card, .rows .sum")]
  .filter((place) => place.scrollWidth > place.clientWidth + 1 && getComputedStyle(place).display !== "inline")
  .map((place) => `${place.className || place.tagName}: ${place.innerText.slice(0, 60)}`)
"""


@pytest.fixture(scope="module")
def server(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Beside the shop's server, on the same database, under the longest name."""
    log = tmp_path_factory.mktemp("server") / "web.log"
    with WebServer(env={**shop.web.environment, "BRAND_NAME": BRAND}, log=log) as running:
        yield running


@pytest.fixture
def branded(browser: Browser, server: WebServer) -> Iterator[Windows]:
    windows = Windows(browser, server.origin)
    yield windows
    windows.close()
    assert windows.complaints.unexpected == []


def window(windows: Windows, shop: Shop, person: Person, size: tuple[int, int]) -> Page:
    with shop.at_work():
        name, value = cookie_of(shop.app, person.user_id)
    return windows.open(size=size, cookies={name: value})


def rich(shop: Shop) -> tuple[Person, str]:
    """Somebody with long names and more money than one needs, and the id of a key with a long list."""
    with shop.at_work():
        person = factories.make_person(full_name="Aleksandra " * 5, company=COMPANY, usd="900000007.299962774")
        spend = (Decimal("123456.789"), SpendPeriod.MONTH)
        _, key = factories.mint_key(
            person, name="The production key of the batch pipeline in the second data centre", spend=spend, model_patterns=PATTERNS
        )
        return person, str(key.id)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_nothing_sticks_out(branded: Windows, shop: Shop, size: tuple[int, int]) -> None:
    assert len(BRAND) == MAX_NAME_CHARACTERS
    person, key_id = rich(shop)
    page = window(branded, shop, person, size)

    found = {}
    for path in ("/overview", "/keys", f"/keys/{key_id}", "/billing", "/billing/statements", "/settings"):
        page.goto(path)
        found[path] = page.evaluate(STICKS_OUT)

    assert found == dict.fromkeys(found, [])


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_nothing_sticks_out_for_staff(branded: Windows, shop: Shop, size: tuple[int, int]) -> None:
    person, _ = rich(shop)
    with shop.at_work():
        admin = factories.make_person(role=Role.ADMIN)
    page = window(branded, shop, admin, size)

    found = {}
    for path in ("/admin/", f"/admin/customers/{person.account_id}/", "/admin/business/"):
        page.goto(path)
        found[path] = page.evaluate(STICKS_OUT)

    assert found == dict.fromkeys(found, [])
    page.goto(f"/admin/customers/{person.account_id}/")
    more = page.locator("#keys details")
    assert more.locator("summary").inner_text() == "17 more"

"""Every page of the back office in a real browser, wide and narrow, light and dark, full of what outsiders write.

What a policy, a phone, a keyboard and a screen reader make of a page is seen only there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from reseller.domain.accounts import Role
from tests import axe
from tests.backoffice import estate as estates
from tests.backoffice.addresses import address_of
from tests.backoffice.estate import Estate
from tests.backoffice.routes import routes_of
from tests.browser import PHONE, WIDE, Windows
from tests.console import Console
from tests.deployment import Cluster
from tests.shop import Shop, open_shop

PARTS = 4  # so that two processes share the pages
TAB_STOPS = 12

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEADINGS = "() => [...document.querySelectorAll('h1')].map(heading => heading.innerText.trim())"
INTRUDERS = "() => document.querySelectorAll('[onerror], a[href^=\"https://evil.example\"]').length"
FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  return {name: at.outerHTML.slice(0, 120), isSeen: ring || style.boxShadow !== 'none'};
}"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A shop of its own whose every table has hostile rows."""

    shop: Shop = field(repr=False)
    estate: Estate = field(repr=False)

    def for_customers(self) -> list[str]:
        """Every page outside the back office."""
        rules = [rule for rule in self.shop.app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
        pages = [rule.rule for rule in rules if rule.endpoint not in WITHOUT_END]
        return sorted(page for page in pages if not page.startswith(WITHOUT_PEOPLE) and not page.endswith(FILES))

    def addresses(self) -> list[str]:
        """Every page that an admin can look at."""
        shown = [route for route in routes_of(self.shop.app) if "GET" in route.methods and Role.ADMIN in route.roles]
        return [address_of(route, self.estate) for route in shown if route.page != "export" and route.rule.endpoint not in WITHOUT_END]


WITHOUT_PEOPLE = ("/admin", "/v1/", "/api/", "/assets/", "/healthz", "/readyz", "/metrics")
"""Where programs read."""

FILES = (".csv", ".json", "/export", "/find")
"""What is saved, or leads on to something, rather than looked at."""

WITHOUT_END = ("live.index", "overview.live")
"""What is no page but a stream of events."""


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_shop(cluster, tmp_path_factory.mktemp("stage")) as shop:
        yield Stage(shop, estates.settle(shop.app, shop.admin_url))


@pytest.fixture
def console(stage: Stage, browser: Browser) -> Iterator[Console]:
    """Windows onto the stage instead of the shared shop; complaints of a page are the test's."""
    windows = Windows(browser, stage.shop.web.origin)
    try:
        yield Console(stage.shop, windows)
    finally:
        windows.close()
    assert not windows.complaints.unexpected, "a page complained:\n" + "\n".join(windows.complaints.unexpected)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_sound(stage: Stage, console: Console, part: int) -> None:
    """One heading, no sideways scrolling, a visible focus, nothing grave for axe, no tag of an outsider's; no complaint of the browser."""
    page = console.page(Role.ADMIN)

    assert_sound(page, stage.addresses()[part::PARTS])


def test_every_page_of_a_customer_is_sound(stage: Stage, console: Console) -> None:
    page = console.page(Role.CUSTOMER)

    assert_sound(page, stage.for_customers())


def test_every_page_of_a_stranger_is_sound(stage: Stage, console: Console) -> None:
    """Most lead to the sign-in page, which is looked at once."""
    page = console.stranger()

    assert_sound(page, stage.for_customers())


def assert_sound(page: Page, addresses: list[str]) -> None:
    """Nothing is wrong with these pages. One that several of them lead to is looked at once."""
    faults, seen = [], set[str]()
    for address in addresses:
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        page.emulate_media(color_scheme="light")
        answer = page.goto(address)
        if answer is None or answer.status != 200:
            faults.append(f"{address}: {answer and answer.status}")
            continue
        arrived = urlsplit(page.url).path
        if arrived == urlsplit(address).path or arrived not in seen:
            faults += [f"{address}: {fault}" for fault in faults_of(page)]
        seen.add(arrived)
    assert not faults, "\n".join(faults)


def faults_of(page: Page) -> list[str]:
    """What is wrong with the page that stands open, in each size and scheme."""
    faults = []
    headings = page.evaluate(HEADINGS)
    if len(headings) != 1 or not headings[0]:
        faults.append(f"one heading of the first level, please: {headings}")
    if page.evaluate(INTRUDERS):
        faults.append("a customer's text has become HTML")
    faults += unseen_focus(page)
    faults += [f"wide, light: {fault}" for fault in axe.grave_faults(page)]
    page.emulate_media(color_scheme="dark")
    faults += overflow(page, "wide")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    faults += overflow(page, "phone")
    return faults + [f"phone, dark: {fault}" for fault in axe.grave_faults(page)]


def overflow(page: Page, size: str) -> list[str]:
    pixels = page.evaluate(OVERFLOW)
    return [f"{size}: the page is {pixels} px wider than the window"] if pixels > 0 else []


def unseen_focus(page: Page) -> list[str]:
    """Places that the Tab key reaches and that do not show it."""
    unseen = []
    for _ in range(TAB_STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is not None and not at["isSeen"]:
            unseen.append(f"the focus is not seen at {at['name']}")
    return unseen

"""A browser for tests of the back office."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import Windows, open_browser
from tests.console import Console
from tests.shop import Shop


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this process."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def console(browser: Browser, shop: Shop) -> Iterator[Console]:
    """The shop's back office in a browser. The test fails if a page complained about anything that was not allowed."""
    windows = Windows(browser, shop.web.origin)
    try:
        yield Console(shop, windows)
    finally:
        windows.close()
    assert not windows.complaints.unexpected, "a page complained:\n" + "\n".join(windows.complaints.unexpected)

"""A real browser for tests of pages: Chromium, driven by Playwright, and everything it complained about.

One Chromium for each process of the run, one context (cookies, cache) for each person in a test. No test waits for a time:
Playwright's own calls and `expect` wait for what they look for.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from tests import chromium

WAIT_MILLISECONDS = 30_000
FLAGS = (
    "--no-sandbox",  # root, as in containers, has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FAILED_LOAD = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")

WIDE, PHONE = (1440, 900), (390, 844)
Scheme = Literal["light", "dark"]


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium. Raises chromium.NoChromium, which says what to do."""
    path = chromium.find()
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Complaints:
    """What pages complained about: errors in scripts and on the console, refusals of the policy, requests that failed.

    Without slots: Playwright keeps a mark on the object whose method it calls.
    """

    heard: list[tuple[int | None, str]] = field(default_factory=list)  # the HTTP status if it is about one, and the words
    allowed: set[int] = field(default_factory=set)

    def listen(self, page: Page) -> None:
        """Everything that this page complains about from now on is heard."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.heard.append((None, f"{page.url}: {error}")))
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)

    @property
    def unexpected(self) -> list[str]:
        return [words for status, words in self.heard if status not in self.allowed]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not FAILED_LOAD.search(message.text):  # a status is heard as a response
            self.heard.append((None, f"{message.location.get('url', '')}: {message.text}"))

    def _on_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # downloads, and what leaving a page cuts short
            self.heard.append((None, f"{request.method} {request.url}: {request.failure}"))

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.heard.append((response.status, f"{response.request.method} {response.url}: {response.status}"))


@dataclass(slots=True)
class Windows:
    """The windows of one test; closed together."""

    browser: Browser
    base_url: str
    complaints: Complaints = field(default_factory=Complaints)
    _closers: list[Callable[[], None]] = field(default_factory=list)

    def open(
        self, *, size: tuple[int, int] = WIDE, scheme: Scheme = "light", cookies: Mapping[str, str] | None = None, **more: Any
    ) -> Page:
        """An empty page of a browser that nobody else uses; `more` goes to Playwright's `new_context`."""
        context = self.browser.new_context(
            base_url=self.base_url, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-GB", **more
        )
        self._closers.append(context.close)
        context.set_default_timeout(WAIT_MILLISECONDS)
        context.add_cookies([{"name": name, "value": value, "url": self.base_url} for name, value in (cookies or {}).items()])
        context.on("page", self.complaints.listen)
        return context.new_page()

    def close(self) -> None:
        for closer in self._closers:
            closer()
        self._closers.clear()

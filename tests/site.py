"""The shop as customers have it: running, with windows of a real browser onto it; and the other doors to the same shop."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page
from sqlalchemy import text

from reseller.database import transaction
from reseller.domain.accounts import Person
from reseller.worker import loop
from tests.browser import WIDE, Scheme, Windows
from tests.shop import Customer, Shop
from tests.staff import cookie_of


@dataclass(slots=True)
class Site:
    """`window` is a browser of somebody; `at_work`, `customer`, `run_flask` and `run_jobs` are the other doors to the same shop."""

    shop: Shop
    windows: Windows

    def window(
        self,
        person: Person,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Scheme = "light",
        has_second_factor: bool = False,
        **more: Any,
    ) -> Page:
        """A window of this person, signed in. It knows the shop's address: `window.goto("/overview")`.

        Each call is a browser of its own, so two people can work at once.
        """
        with self.shop.at_work():
            name, value = cookie_of(self.shop.app, person.user_id, has_second_factor=has_second_factor)
        return self.windows.open(size=size, scheme=scheme, cookies={name: value}, **more)

    def stranger(self, *, size: tuple[int, int] = WIDE, scheme: Scheme = "light", **more: Any) -> Page:
        """A window of somebody who is not signed in."""
        return self.windows.open(size=size, scheme=scheme, **more)

    def allow(self, *statuses: int) -> None:
        """Answers with these statuses are what the test wants; every other one from 400 on fails it."""
        self.windows.complaints.allowed.update(statuses)

    def url(self, path: str) -> str:
        return self.shop.web.origin + path

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, domain verbs and factories work on the shop's database as the operator."""
        with self.shop.at_work():
            yield

    def customer(self, **facts: Any) -> Customer:
        """A customer with money and a key, who can call the API: `site.customer(usd="5").chat()`."""
        return self.shop.customer(**facts)

    def run_flask(self, *words: str) -> str:
        """The stdout of a command that must succeed."""
        return self.shop.flask(*words)

    def run_jobs(self, *names: str) -> list[str]:
        """These jobs of the clock have run, due or not, and whatever else was due; a line for each."""
        lines: list[str] = []
        with self.shop.at_work(), transaction() as session:
            for name in names:
                session.execute(text("INSERT INTO job_runs (name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name})
                session.execute(text("UPDATE job_runs SET requested_at = now() WHERE name = :name"), {"name": name})
        failed = loop.run_once(self.shop.app, lines.append)
        assert not failed, failed
        return lines

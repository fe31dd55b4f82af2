"""Which upstreams this process can ask: those of the environment, and any OpenAI-compatible one that has a row.

The row names the environment variable that holds the key; keys are never in the database. What
comes from the environment is written to the rows by `register`, so that there is one table of all.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from config import Settings
from reseller.clients.upstream import Upstream, UpstreamSettings, build
from reseller.clock import monotonic
from reseller.database import acting_as_operator
from reseller.domain import pricing
from reseller.domain.pricing import UpstreamKind

SANDBOX, OPENROUTER = "sandbox", "openrouter"
LOOK_AGAIN_SECONDS = 5.0


class Upstreams(Mapping[str, Upstream]):
    """Clients by the name of their row. An unknown name is looked up in the table, at most every few seconds."""

    def __init__(self, settings: Settings, open_session: Callable[[], Session]) -> None:
        self._settings = settings
        self._open_session = open_session
        self._clients: dict[str, Upstream] = {SANDBOX: build("sandbox", SANDBOX, UpstreamSettings(base_url=""))}
        self._looked_at: dict[str, float] = {}
        key = settings.openrouter_api_key.get_secret_value()
        if key:
            self._clients[OPENROUTER] = build("openrouter", OPENROUTER, self._address(settings.openrouter_base_url, key))

    def __getitem__(self, name: str) -> Upstream:
        client = self._clients.get(name) or self._look_up(name)
        if client is None:
            raise KeyError(name)
        return client

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    def serving(self, name: str) -> Upstream | None:
        """Who answers for the upstream of that row: itself; where development has no key for it, the sandbox; else nobody."""
        client = self.get(name)
        if client is None and self._settings.reseller_env == "development":
            return self._clients[SANDBOX]
        return client

    def register(self) -> None:
        """Every upstream of the environment has its row."""
        pricing.register_upstream(SANDBOX, UpstreamKind.SANDBOX)
        if OPENROUTER in self._clients:
            base_url = self._settings.openrouter_base_url
            pricing.register_upstream(OPENROUTER, UpstreamKind.OPENROUTER, base_url=base_url, key_variable="OPENROUTER_API_KEY")

    def _look_up(self, name: str) -> Upstream | None:
        """A row that was added since the start; without its key in the environment it cannot be asked."""
        if monotonic() - self._looked_at.get(name, float("-inf")) < LOOK_AGAIN_SECONDS:
            return None
        self._looked_at[name] = monotonic()
        with acting_as_operator(), self._open_session() as session:
            row = session.get(pricing.Upstream, name)
        if row is None or row.kind == UpstreamKind.SANDBOX or name == OPENROUTER:
            return None
        key = os.environ.get(row.key_variable, "") if row.key_variable else ""
        if row.key_variable and not key:
            return None
        client = self._clients[name] = build(row.kind, name, self._address(row.base_url, key))
        return client

    def _address(self, base_url: str, key: str) -> UpstreamSettings:
        settings = self._settings
        waits: dict[str, Any] = {
            "connect_seconds": settings.upstream_connect_seconds,
            "first_byte_seconds": settings.upstream_first_byte_seconds,
            "idle_seconds": settings.upstream_idle_seconds,
            "total_seconds": settings.upstream_total_seconds,
        }
        return UpstreamSettings(base_url=base_url, api_key=key, title=settings.brand_name, referer=settings.public_url, **waits)

"""The operator's own account at OpenRouter: what credit is left, and what was billed by UTC day and model.

Read with a management key, which can make no calls; nothing of a customer is sent. Figures from outside are not trusted: a day that
has one that cannot be true is not read at all, since a part of a day would look like a difference.

Sources: OpenRouter docs, api-reference "Get remaining credits" and "Get user activity grouped by endpoint", 2026-08: dollars are JSON
numbers; a row is of one date, model and endpoint; `usage` is what was taken from the credit, `byok_usage_inference` what a provider
bills by itself; only the last 30 days that are over are there; keys are named by the SHA-256 of their text, in hexadecimal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

import requests

from reseller.clients.contract import UpstreamSettings
from reseller.clients.failures import BrokenAnswer
from reseller.clients.openai_compatible import MAX_PAGES, OpenAICompatible, open_session
from reseller.clients.openrouter import sound_usd
from reseller.errors import UpstreamFailure

LISTED_DAYS = 30
MAX_TOTAL_USD = Decimal(1_000_000_000)
MAX_COUNT = 2**53
MAX_NAME_CHARACTERS = 200

_SLUG = re.compile(r"[!-~]+")  # what can stand in a page and an address


@dataclass(frozen=True, slots=True)
class Credit:
    """What was bought and what was used since the account began, in dollars. Their difference may be below zero."""

    bought_usd: Decimal
    used_usd: Decimal


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """What one model was billed on one UTC day. `names` are all by which the upstream calls it."""

    model: str
    names: tuple[str, ...]
    requests: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal  # from the credit, and what providers bill by themselves
    byok_usd: Decimal  # the latter alone


class KeyRefused(UpstreamFailure):
    """The management key is unknown there, or may not look."""


class OpenRouterAccount(OpenAICompatible):
    """One account at OpenRouter, asked with its management key (`settings.api_key`). Raises UpstreamFailure and its kinds."""

    def credit(self) -> Credit:
        """What was bought and used until now."""
        fields = self._ask("/credits", {}).get("data")
        given = fields if isinstance(fields, dict) else {}
        bought, used = (sound_usd(given.get(name), most=MAX_TOTAL_USD) for name in ("total_credits", "total_usage"))
        if bought is None or used is None:
            raise BrokenAnswer("the account's credit is no sound number")
        return Credit(bought, used)

    def knows_key(self, api_key: str) -> bool:
        """Whether the key is one of this account's, so that its activity alone can be asked for."""
        try:
            self._ask(f"/keys/{key_hash(api_key)}", {})
        except UpstreamFailure as failure:
            if failure.status == 404:
                return False
            raise
        return True

    def activity(self, day: date, *, api_key: str | None = None) -> list[ActivityRow]:
        """What was billed on the day, by model; of one key alone if it is given. Raises BrokenAnswer for figures that cannot be true."""
        query = {"date": day.isoformat()} | ({"api_key_hash": key_hash(api_key)} if api_key else {})
        found: dict[str, ActivityRow] = {}
        for fields in self._rows(query):
            if str(fields.get("date"))[:10] == day.isoformat():
                row = _row(fields)
                found[row.model] = _added(found[row.model], row) if row.model in found else row
        return sorted(found.values(), key=lambda row: row.model)

    def _rows(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The rows of all pages, each once. Pages are asked for by our own offset, so no address from outside is followed."""
        seen: set[tuple[str, ...]] = set()
        come = 0
        for _ in range(MAX_PAGES):
            page = self._ask("/activity", query | ({"offset": str(come)} if come else {}))
            listed = page.get("data")
            if not isinstance(listed, list) or not all(isinstance(fields, dict) for fields in listed):
                raise BrokenAnswer("the activity is no list")
            come += len(listed)
            fresh = {_identity(fields): fields for fields in listed if _identity(fields) not in seen}
            seen.update(fresh)
            yield from fresh.values()
            links = page.get("links")
            if not fresh or not isinstance(links, dict) or not links.get("next"):
                return
        raise BrokenAnswer("the activity has too many pages")

    def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        with open_session(self.headers()) as session:
            return self._answer(session, path, query)

    def _answer(self, session: requests.Session, path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            return self._get(session, path, query)
        except UpstreamFailure as failure:
            if failure.alarm in ("upstream_key_refused", "upstream_forbade"):
                raise KeyRefused("The upstream does not accept the management key.", status=failure.status) from failure
            raise


def account_at(base_url: str, management_key: str, *, connect_seconds: float, answer_seconds: float) -> OpenRouterAccount:
    """The account behind this key, ready to be asked; nothing is sent yet."""
    settings = UpstreamSettings(base_url, management_key, connect_seconds=connect_seconds, first_byte_seconds=answer_seconds)
    return OpenRouterAccount("account", settings)


def key_hash(api_key: str) -> str:
    """How the upstream names a key."""
    return sha256(api_key.encode()).hexdigest()


def _identity(fields: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(fields.get(name)) for name in ("date", "model", "model_permaslug", "endpoint_id", "provider_name"))


def _row(fields: dict[str, Any]) -> ActivityRow:
    model = fields.get("model")
    names = [str(name) for name in (model, fields.get("model_permaslug")) if _is_name(name)]
    paid, byok = (sound_usd(fields.get(name, Decimal(0)), most=MAX_TOTAL_USD) for name in ("usage", "byok_usage_inference"))
    counts = [_count(fields.get(name, 0)) for name in ("requests", "prompt_tokens", "completion_tokens", "reasoning_tokens")]
    if not _is_name(model) or "usage" not in fields or paid is None or byok is None or None in counts:
        raise BrokenAnswer("a row of the activity cannot be true")
    calls, prompt, completion, reasoning = (count or 0 for count in counts)
    return ActivityRow(str(model), tuple(dict.fromkeys(names)), calls, prompt, completion, reasoning, paid + byok, byok)


def _added(one: ActivityRow, other: ActivityRow) -> ActivityRow:
    """The same model at two endpoints."""
    return ActivityRow(
        one.model,
        tuple(dict.fromkeys(one.names + other.names)),
        one.requests + other.requests,
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        one.cost_usd + other.cost_usd,
        one.byok_usd + other.byok_usd,
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS and _SLUG.fullmatch(value) is not None


def _count(value: Any) -> int | None:
    """A whole number that is not negative. Counts may come as a number with a point (`5.0`)."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= MAX_COUNT or value != int(value):
        return None
    return int(value)

"""OpenRouter as an upstream: its attribution headers, its second list of models, its records of calls.

Sources: OpenRouter docs, app-attribution, api_reference/errors-and-debugging and the OpenAPI file, 2026-08.
A record is eventually consistent there: right after a call the answer is 404, so None may mean "not yet".
"""

from decimal import Decimal, InvalidOperation
from typing import Any

import structlog

from reseller.clients.contract import GenerationRecord
from reseller.clients.openai_compatible import OpenAICompatible, open_session, parse_object
from reseller.errors import UpstreamFailure
from reseller.metering import MAX_COST_PLACES

MAX_TOKENS = 2**31 - 1
MAX_COST_USD = Decimal(1_000_000)

log = structlog.get_logger()


class OpenRouter(OpenAICompatible):
    """One account at OpenRouter."""

    has_records = True
    takes_price_cap = True

    def headers(self) -> dict[str, str]:
        """The operator's key and name; what a customer sent is never among them."""
        named = {"HTTP-Referer": self._settings.referer, "X-OpenRouter-Title": self._settings.title}
        return {**super().headers(), **{name: value for name, value in named.items() if value}}

    def list_models(self) -> list[dict[str, Any]]:
        """Chat and embedding models. Without the second list the first still counts, with a warning."""
        entries = self._list("/models")
        try:
            more = self._list("/embeddings/models")
        except UpstreamFailure as failure:
            log.warning("embedding_models_missing", upstream=self.name, reason=type(failure).__name__, status=failure.status)
            return entries
        known = {entry["id"] for entry in entries}
        return entries + [entry for entry in more if entry["id"] not in known]

    def find_generation(self, generation_id: str) -> GenerationRecord | None:
        """As `contract.Upstream.find_generation`. A record whose numbers cannot be believed is none (promise R8)."""
        with open_session(self.headers()) as session:
            status, body = self._fetch(session, "/generation", {"id": generation_id})
        if status == 404:
            return None
        record = record_of(generation_id, parse_object(body).get("data"))
        if record is None:
            log.warning("generation_record_unusable", upstream=self.name, generation_id=generation_id)
        return record


def record_of(generation_id: str, fields: Any) -> GenerationRecord | None:
    """The record from the `data` object of /generation, or None if cost or tokens are not sound numbers."""
    if not isinstance(fields, dict):
        return None
    cost = sound_usd(fields.get("total_cost"))
    prompt = _tokens(fields, "native_tokens_prompt", "tokens_prompt")
    completion = _tokens(fields, "native_tokens_completion", "tokens_completion")
    if cost is None or prompt is None or completion is None:
        return None
    return GenerationRecord(
        generation_id=generation_id,
        cost_usd=cost,
        prompt_tokens=prompt,
        completion_tokens=completion,
        reasoning_tokens=_tokens(fields, "native_tokens_reasoning") or 0,
        cached_tokens=_tokens(fields, "native_tokens_cached") or 0,
        model=str(fields.get("model") or ""),
        is_byok=fields.get("is_byok") is True,
    )


def sound_usd(value: Any, *, most: Decimal = MAX_COST_USD) -> Decimal | None:
    """Dollars, finite, not negative and at most so many; a JSON number, or the decimal string some versions send.

    None that is finer than MAX_COST_PLACES: `1e-20000` is a number, but none that a row could hold.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        cost = Decimal(value)
    except InvalidOperation:
        return None
    is_sound = cost.is_finite() and 0 <= cost <= most and int(cost.as_tuple().exponent) >= -MAX_COST_PLACES
    return cost if is_sound else None


def _tokens(fields: dict[str, Any], *names: str) -> int | None:
    """The first of the named counts that is there; absent altogether counts as 0, unsound as None."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        is_sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS
        return value if is_sound else None
    return 0

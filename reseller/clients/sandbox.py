"""The upstream inside our own process: answers, streams, bills and fails on demand, without a socket.

For first runs, demonstrations and customers' tests. It speaks OpenRouter's dialect exactly
(`sandbox_dialect.py`), so what works here works there. Models it does not list are answered like
`sandbox/echo`, because a test key may ask for any model.

Scenarios: `rate_limited` and `no_credit` are refused as the gateway itself would refuse them,
`upstream_error` fails before the answer, `mid_stream_error` inside it, `slow` takes its time
(20 s at most), `no_usage` leaves out the bill. It keeps no records: the process that would ask
later is another one, and a record that only sometimes exists would be worse than none.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
from gevent.event import Event

from reseller.clients import sandbox_dialect as dialect
from reseller.clients.contract import GenerationRecord
from reseller.clients.failures import DOWN, BrokenAnswer
from reseller.errors import InsufficientBalance, RateLimited, UpstreamDown, UpstreamRejected

SCENARIOS = ("rate_limited", "no_credit", "upstream_error", "mid_stream_error", "slow", "no_usage")

SLOW_TOTAL_SECONDS = 20.0
SLOW_PAUSE_SECONDS = 0.5
PIECES_BEFORE_ERROR = 3


class SandboxReply:
    """An answer made as it is read. `close` wakes a reader that waits in the `slow` scenario."""

    def __init__(self, pieces: list[bytes], *, is_stream: bool, generation_id: str, pause_seconds: float = 0.0) -> None:
        self.is_stream = is_stream
        self.generation_id: str | None = generation_id
        self._pieces: Iterator[bytes] = iter(pieces)
        self._pause_seconds = self._pause_left = pause_seconds
        self._closed = Event()

    def read1(self, wait_seconds: float | None = None) -> bytes | None:
        is_impatient = wait_seconds is not None and wait_seconds < self._pause_left
        pause = wait_seconds if is_impatient and wait_seconds is not None else self._pause_left
        if self._closed.wait(pause):
            raise BrokenAnswer("closed by us")
        self._pause_left = self._pause_left - pause if is_impatient else self._pause_seconds
        return None if is_impatient else next(self._pieces, b"")

    def read_all(self) -> bytes:
        return b"".join(piece for piece in iter(self.read1, b"") if piece)

    def close(self) -> None:
        self._closed.set()


class Sandbox:
    """An upstream that is always up."""

    has_records = False
    takes_price_cap = False

    def __init__(self, name: str = "sandbox") -> None:
        self.name = name

    def check(self) -> None:
        """Nothing stands against a call, ever."""

    def send(self, path: str, body: bytes, *, is_stream: bool, scenario: str | None = None) -> SandboxReply:
        """As `contract.Upstream.send`. Raises also RateLimited and InsufficientBalance, where the scenario says so."""
        _fail_on_demand(scenario)
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamRejected("The body is not JSON.", status=400, code="invalid_request") from error
        answer = _answer(path, request if isinstance(request, dict) else {}, scenario)
        pieces = answer.frames() if is_stream and path != "/embeddings" else [answer.whole()]
        if scenario == "mid_stream_error":
            pieces = _cut(pieces, answer) if is_stream else [answer.whole_with_error()]
        pause = min(SLOW_PAUSE_SECONDS, SLOW_TOTAL_SECONDS / (len(pieces) + 1)) if scenario == "slow" else 0.0
        return SandboxReply(pieces, is_stream=is_stream and path != "/embeddings", generation_id=answer.id, pause_seconds=pause)

    def list_models(self) -> list[dict[str, Any]]:
        """The entries of its three models, shaped like OpenRouter's."""
        return [dialect.catalogue_entry(slug) for slug in dialect.MODELS]

    def find_generation(self, generation_id: str) -> GenerationRecord | None:
        """None: it keeps no records."""
        return None


def _fail_on_demand(scenario: str | None) -> None:
    if scenario == "rate_limited":
        message = "Rate limit reached (sandbox scenario rate_limited)."
        raise RateLimited(message, retry_after_seconds=1, window="minute", limit=1, used=1)
    if scenario == "no_credit":
        message = "Not enough credit (sandbox scenario no_credit)."
        raise InsufficientBalance(message, available_usd=Decimal(0), needed_usd=Decimal("0.01"))
    if scenario == "upstream_error":
        raise UpstreamDown(DOWN, status=502)
    if scenario is not None and scenario not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise UpstreamRejected(f"There is no such sandbox scenario; known are {known}.", status=400, code="invalid_request")


def _answer(path: str, request: dict[str, Any], scenario: str | None) -> dialect.Answer:
    maker = {"/chat/completions": dialect.chat, "/completions": dialect.completion, "/embeddings": dialect.embedding}.get(path)
    if maker is None:
        raise UpstreamRejected("The sandbox has no such endpoint.", status=404, code="model_not_found")
    return maker(request, has_usage=scenario != "no_usage")


def _cut(frames: list[bytes], answer: dialect.Answer) -> list[bytes]:
    """The beginning of the stream, then the frame that tells of the error, and no [DONE]."""
    return [*frames[:PIECES_BEFORE_ERROR], answer.error_frame()]

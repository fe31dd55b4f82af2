"""What every upstream is to the rest of the house: the values and the two faces. Only types, no behaviour."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

MEGABYTE = 1_048_576


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where an upstream is and how long we wait for it. `title` and `referer` name the operator, never a customer.

    `stream_cap_bytes` bounds a streamed answer, `body_cap_bytes` a whole one (promise R29).
    """

    base_url: str
    api_key: str = field(default="", repr=False)
    connect_seconds: float = 5.0
    first_byte_seconds: float = 60.0
    idle_seconds: float = 60.0
    total_seconds: float = 900.0
    title: str = ""
    referer: str = ""
    body_cap_bytes: int = 32 * MEGABYTE
    stream_cap_bytes: int = 32 * MEGABYTE


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """What the upstream itself has on record about one call. Tokens are native counts where it has them."""

    generation_id: str
    cost_usd: Decimal
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cached_tokens: int
    model: str
    is_byok: bool


class Reply(Protocol):
    """A 2xx answer whose head has come. One greenlet reads, any may close; it must be closed.

    `is_stream` is False when a stream was asked for and a whole answer came.
    """

    is_stream: bool
    generation_id: str | None

    def read_all(self) -> bytes:
        """The whole body. Raises UpstreamDown, UpstreamTimeout."""

    def read1(self, wait_seconds: float | None = None) -> bytes | None:
        """What came next, as soon as it came; b"" at the end; None if nothing came within `wait_seconds`.

        Raises UpstreamDown, UpstreamTimeout.
        """

    def close(self) -> None:
        """The upstream sees us gone, unless all was read. Idempotent, from any greenlet; a waiting reader wakes."""


class Upstream(Protocol):
    """One upstream, as the gateway and the worker see it.

    `has_records`: `find_generation` can answer. `takes_price_cap`: `provider.max_price` in a body is honoured.
    """

    name: str
    has_records: bool
    takes_price_cap: bool

    def check(self) -> None:
        """It is worth trying. Raises UpstreamBusy at once while the breaker is open."""

    def send(self, path: str, body: bytes, *, is_stream: bool, scenario: str | None = None) -> Reply:
        """The answer is 2xx and its head is here. Any other answer raises our own refusal for it.

        Raises UpstreamFailure and its kinds, ContentRefused. If we die here, the call's hold is resolved
        by recovery; the upstream may still bill the call.
        """

    def list_models(self) -> list[dict[str, Any]]:
        """The raw entries of its catalogue; numbers with a point are Decimal. Raises UpstreamFailure."""

    def find_generation(self, generation_id: str) -> GenerationRecord | None:
        """Its own record of a call; None if it has none, or not yet. Raises UpstreamFailure."""

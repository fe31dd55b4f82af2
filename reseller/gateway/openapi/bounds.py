"""The limits that a customer meets, from the constants and settings that hold them."""

from typing import Any

from config import Settings
from reseller.domain.limits import DEFAULT_CONCURRENT, DEFAULT_LIMITS
from reseller.gateway import body, call, estimate
from reseller.gateway.large_bodies import LARGE_BYTES


def bounds(settings: Settings) -> list[dict[str, Any]]:
    """One line for each: what is limited, how much of it there is, and what comes beyond."""
    return [*_of_accounts(), *_of_requests(settings), *_of_answers(settings)]


def _of_accounts() -> list[dict[str, Any]]:
    windows = [_line("account", f"Calls in any {name}", f"{limit:,}", 429) for name, limit in DEFAULT_LIMITS.items()]
    return [
        *windows,
        _line("account", "Calls in flight at once", f"{DEFAULT_CONCURRENT:,}", 429),
        _line("account", "Estimates", f"{estimate.PER_SECOND} a second, {estimate.AT_ONCE} at once", 429),
    ]


def _of_requests(settings: Settings) -> list[dict[str, Any]]:
    return [
        _line("request", "Body", f"{settings.max_body_bytes:,} bytes", 413),
        _line("request", "Levels of nesting", f"{body.MAX_DEPTH}", 400),
        _line("request", f"Objects and lists in a body of {LARGE_BYTES:,} bytes or more", f"{body.MAX_CONTAINERS:,}", 400),
        _line("request", f"Entries in a body of {LARGE_BYTES:,} bytes or more", f"{body.MAX_ENTRIES:,}", 400),
        _line("request", "Messages", f"{call.MAX_MESSAGES:,}", 400),
        _line("request", "Texts to embed", f"{call.MAX_INPUTS:,}", 400),
        _line("request", "Choices (n)", f"{call.MAX_CHOICES}", 400),
    ]


def _of_answers(settings: Settings) -> list[dict[str, Any]]:
    return [
        _line("answer", "Until the first byte of a model", _seconds(settings.upstream_first_byte_seconds), 504),
        _line("answer", "Silence inside an answer", _seconds(settings.upstream_idle_seconds), None),
        _line("answer", "A whole answer", _seconds(settings.upstream_total_seconds), None),
    ]


def _line(of: str, what: str, limit: str, status: int | None) -> dict[str, Any]:
    return {"of": of, "what": what, "limit": limit, "status": status}


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"

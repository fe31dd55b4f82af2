"""An upstream's refusal in our own words: its status and envelope in, one of `errors.py` out. Pure.

Not a place for refusals of our own making. Customers never learn which supplier stands behind
us: except for 400, 413 and 422, where the upstream's text says what to repair, every message is
ours, and that text is cleaned of addresses, supplier names and anything like a key (promise R28).
Shapes and statuses: OpenRouter docs, api_reference/errors-and-debugging, 2026-08.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from reseller.clock import now
from reseller.errors import ContentRefused, Refusal, UpstreamBusy, UpstreamDown, UpstreamRejected, UpstreamTimeout

MAX_MESSAGE_CHARACTERS = 500
DEFAULT_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0

BUSY = "The model is overloaded right now. Nothing was charged; please try again shortly."
DOWN = "The model could not be reached. Nothing was charged; please try again."
SLOW = "The model did not answer in time. Please try again."
BROKEN = "The answer of the model broke off. Please try again."
CLOSED_TO_US = "The service is temporarily unavailable. Nothing was charged."
NO_MODEL = "The model is not available at present."
CONTENT = "The request was refused by the content policy of the model."
REGION = "The model is not available in this region."
INVALID = "The model refused the request as invalid."

PASSED_CODES = frozenset({
    "invalid_request", "invalid_prompt", "context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded",
    "string_too_long", "content_policy_violation", "refusal", "image_too_large", "image_too_small", "invalid_image",
    "invalid_image_format", "invalid_base64_image", "invalid_image_url", "invalid_image_mode", "image_parse_error",
    "image_content_policy_violation", "unsupported_image_media_type", "empty_image_file", "failed_to_download_image",
    "image_file_not_found", "unsupported_parameter", "unsupported_value", "invalid_value", "payload_too_large", "unprocessable",
})  # fmt: skip
"""The upstream's reasons that a customer's program can act on; any other becomes `invalid_request`."""

_CODE_OF_STATUS = {400: "invalid_request", 413: "request_too_large", 422: "unprocessable"}
_CONTENT_TYPES = frozenset({"content_policy_violation", "refusal", "moderation", "content_filter"})
_CONTEXT_WORDS = re.compile(r"context[ _](?:length|window)|too many (?:input )?tokens|maximum number of tokens", re.IGNORECASE)
_UNSAID = re.compile(
    r"(?:https?|wss?)://\S+"
    r"|\b(?:[a-z0-9-]++\.)+(?:ai|com|io|net|org|dev|cloud|app|co)\b(?:[:/]\S*)?"
    r"|\b(?:sk|rk|whsec)[-_][A-Za-z0-9_-]{6,}"
    r"|\b(?:pk|key|org|user|gen|proj|req)[-_](?=[a-z_-]*[0-9])[A-Za-z0-9_-]{8,}"
    r"|\bBearer\s+\S+"
    r"|\b[A-Za-z0-9+/_-]{40,}={0,2}",
    re.IGNORECASE,
)
_SUPPLIER = re.compile(r"open\s?router", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e]+")
_REASON = re.compile(r"[a-z][a-z0-9 _/-]{0,39}", re.IGNORECASE)
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]]{0,99}")


class BrokenAnswer(UpstreamDown):
    """What came is not a whole answer: reset, cut short, over a bound, or not HTTP or SSE at all."""

    def __init__(self, reason: str) -> None:
        super().__init__(BROKEN)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """The error object of an answer, whichever of the known shapes it had; `is_known` False = none of them."""

    message: str = ""
    reason: str = ""
    param: str | None = None
    status: int | None = None
    reasons: tuple[str, ...] = ()
    is_flagged: bool = False
    is_retryable: bool | None = None
    retry_after_seconds: float | None = None
    suppliers: tuple[str, ...] = ()
    is_known: bool = False


def failure_of(status: int, body: bytes, *, retry_after: str | None = None) -> Refusal:
    """The refusal for a non-2xx answer, ready to be raised. Never raises itself, whatever the bytes are."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    return _refusal(status, envelope_of(parsed), _wait_of(retry_after))


def failure_inside(parsed: Any) -> Refusal | None:
    """The refusal told by an `error` object in a 200 answer or in a frame of a stream; None if there is none.

    Such a `code` may be a number or a string (OpenRouter docs, api_reference/streaming, 2026-08).
    """
    if not isinstance(parsed, dict) or not parsed.get("error"):
        return None
    envelope = envelope_of(parsed)
    return _refusal(envelope.status or 502, envelope, None)


def envelope_of(parsed: Any) -> Envelope:
    """Both of OpenRouter's shapes, OpenAI's, and a bare string, read without trusting any type."""
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(error, str):
        return Envelope(message=error, is_known=True)
    if not isinstance(error, dict):
        return Envelope()
    metadata, availability = _object(error.get("metadata")), _object(error.get("availability"))
    reasons = metadata.get("reasons")
    suppliers = [metadata.get("provider_name"), error.get("provider_name"), *_list(availability.get("affected_providers"))]
    retryable = availability.get("retryable")
    return Envelope(
        message=_words_of(error, metadata),
        reason=_reason_of(error, metadata, availability),
        param=_param_of(error),
        status=_status_of(error),
        reasons=tuple(r for r in _list(reasons)[:10] if isinstance(r, str) and _REASON.fullmatch(r)),
        is_flagged=bool(reasons) or "flagged_input" in metadata,
        is_retryable=retryable if isinstance(retryable, bool) else None,
        retry_after_seconds=_seconds(availability.get("retry_after")),
        suppliers=tuple(name for name in suppliers[:20] if isinstance(name, str) and len(name) > 1),
        is_known=True,
    )


def cleaned(message: str, suppliers: tuple[str, ...] = ()) -> str:
    """The upstream's text without addresses, supplier names or secrets, at most 500 characters."""
    text = _UNPRINTABLE.sub(" ", message[:2000])
    text = _UNSAID.sub("", text)
    text = _SUPPLIER.sub("the service", text)
    for name in suppliers:
        text = re.sub(re.escape(name), "the provider", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:MAX_MESSAGE_CHARACTERS]


def _refusal(status: int, envelope: Envelope, wait_seconds: float | None) -> Refusal:
    wait = wait_seconds if wait_seconds is not None else envelope.retry_after_seconds
    if status in (400, 413, 422):
        return _rejected(status, envelope)
    if status == 403 and (refusal := _content_refused(envelope)):
        return refusal
    if status in (404, 410):
        return _no_model(envelope, wait)
    if status in (408, 504, 524):
        return UpstreamTimeout(SLOW, status=504)
    if status in (429, 503, 529):
        alarm = "upstream_rate_limited" if status == 429 else None
        return UpstreamBusy(BUSY, status=503, alarm=alarm, retry_after_seconds=DEFAULT_WAIT_SECONDS if wait is None else wait)
    if status >= 500:
        return UpstreamDown(DOWN, status=502)
    return _closed_to_us(status)


def _closed_to_us(status: int) -> Refusal:
    """Trouble between the operator and the upstream: the customer can do nothing about it, staff must."""
    alarms = {401: "upstream_key_refused", 402: "upstream_out_of_credit", 403: "upstream_forbade"}
    if status in alarms:
        return UpstreamDown(CLOSED_TO_US, status=503, alarm=alarms[status])
    return UpstreamDown(DOWN, status=502, alarm="upstream_redirected" if 300 <= status < 400 else "upstream_unexpected_status")


def _rejected(status: int, envelope: Envelope) -> Refusal:
    code = envelope.reason if envelope.reason in PASSED_CODES else _CODE_OF_STATUS[status]
    if code == "invalid_request" and _CONTEXT_WORDS.search(envelope.message):
        code = "context_length_exceeded"
    message = cleaned(envelope.message, envelope.suppliers) or INVALID
    return UpstreamRejected(message, status=status, code=code, param=envelope.param)


def _content_refused(envelope: Envelope) -> Refusal | None:
    if envelope.reason == "region_restricted":
        return ContentRefused(REGION)
    if envelope.is_flagged or envelope.reason in _CONTENT_TYPES:
        reasons = [said for reason in envelope.reasons if (said := cleaned(reason, envelope.suppliers))]
        because = f" Reasons: {', '.join(reasons)}." if reasons else ""
        return ContentRefused(CONTENT + because)
    return None


def _no_model(envelope: Envelope, wait_seconds: float | None) -> Refusal:
    """`availability.retryable` decides, not the status; a 404 without any envelope is a wrong base URL."""
    if not envelope.is_known:
        return UpstreamDown(DOWN, status=502, alarm="upstream_path_missing")
    if envelope.is_retryable:
        return UpstreamBusy(BUSY, status=503, retry_after_seconds=DEFAULT_WAIT_SECONDS if wait_seconds is None else wait_seconds)
    return UpstreamRejected(NO_MODEL, status=404, code="model_not_found", param="model")


def _words_of(error: dict[str, Any], metadata: dict[str, Any]) -> str:
    """The most useful text: behind "Provider returned error" the provider's own words are in `metadata.raw`."""
    message = error.get("message")
    message = message if isinstance(message, str) else ""
    raw = metadata.get("raw")
    if message.strip().rstrip(".").lower() != "provider returned error" or not isinstance(raw, str):
        return message
    try:
        inner = envelope_of(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return message
    return inner.message or message


def _reason_of(error: dict[str, Any], metadata: dict[str, Any], availability: dict[str, Any]) -> str:
    candidates = (error.get("error_type"), metadata.get("error_type"), availability.get("code"), error.get("code"), error.get("type"))
    return next((c.lower() for c in candidates if isinstance(c, str) and c and not c.isdigit()), "")


def _status_of(error: dict[str, Any]) -> int | None:
    for candidate in (error.get("http_status"), error.get("code")):
        if isinstance(candidate, str) and candidate.isascii() and candidate.isdigit() and len(candidate) == 3:
            candidate = int(candidate)
        if isinstance(candidate, int) and not isinstance(candidate, bool) and 400 <= candidate <= 599:
            return candidate
    return None


def _param_of(error: dict[str, Any]) -> str | None:
    param = error.get("param")
    return param if isinstance(param, str) and _PARAM.fullmatch(param) else None


def _wait_of(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or an HTTP date (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", header.strip(), re.ASCII):
        whole, _, _ = header.strip().partition(".")
        return min(int(whole) + (1.0 if "." in header else 0.0), LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    return _until(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _until(moment: datetime) -> float:
    return min(max((moment - now()).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return None
    return min(value * 1.0, LONGEST_WAIT_SECONDS)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

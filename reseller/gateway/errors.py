"""Refusal → status, type and headers, in OpenAI's shape. The one table for the API; a test walks the tree.

Shapes and retry rules: openai-python 3.54 `_exceptions.py` and `_base_client.py`: 402 is never
retried, 429 and 5xx are, `x-should-retry` overrides. So everything that waiting does not
mend says `x-should-retry: false`.
"""

import math
from typing import Any

import orjson
from flask import Response

from reseller import errors
from reseller.wiring import wiring

INVALID, AUTH, PERMISSION = "invalid_request_error", "authentication_error", "permission_error"
QUOTA, RATE, SERVER, NOT_FOUND = "insufficient_quota", "rate_limit_error", "server_error", "not_found_error"

# (status, type); the most specific class that is listed wins.
FATE: dict[type[errors.Refusal], tuple[int, str]] = {
    errors.InvalidKey: (401, AUTH),
    errors.InvalidRequest: (400, INVALID),
    errors.BodyTooLarge: (413, INVALID),
    errors.UnsupportedMedia: (415, INVALID),
    errors.ContextTooLong: (400, INVALID),
    errors.NotForSale: (404, INVALID),
    errors.NotFound: (404, NOT_FOUND),
    errors.Conflict: (409, INVALID),
    errors.Forbidden: (403, PERMISSION),
    errors.PaymentRequired: (402, QUOTA),
    errors.TooManyRequests: (429, RATE),
    errors.StalePrices: (503, SERVER),
    errors.Unavailable: (503, SERVER),
    errors.UpstreamFailure: (502, SERVER),
}

TYPE_OF_STATUS = {400: INVALID, 403: PERMISSION, 404: INVALID, 413: INVALID, 422: INVALID, 429: RATE}
NEXT: dict[type[errors.Refusal], str] = {
    errors.InvalidKey: "You can create and revoke keys at {pages}/keys.",
    errors.NotForSale: "GET {pages}/v1/models lists the models that there are.",
    errors.PaymentRequired: "Credit is added at {top_up}.",
    errors.SpendLimitReached: "Its limit stands at {pages}/keys.",
}
"""Where to go with a refusal, if anywhere; the most specific class wins."""

NOT_WORTH_RETRYING = (errors.InvalidKey, errors.PaymentRequired, errors.Forbidden)


def fate_of(refusal: errors.Refusal) -> tuple[int, str]:
    """Status and OpenAI error type of a refusal."""
    if isinstance(refusal, errors.UpstreamFailure):
        return refusal.status, TYPE_OF_STATUS.get(refusal.status, SERVER)
    for cls in type(refusal).__mro__:
        if cls in FATE:
            return FATE[cls]
    raise KeyError(type(refusal))


def message_of(refusal: errors.Refusal) -> str:
    """What went wrong and, with an address of ours, where to mend it. In a request alone."""
    words = next((NEXT[cls] for cls in type(refusal).__mro__ if cls in NEXT), None)
    if words is None:
        return refusal.message
    settings = wiring().settings
    return f"{refusal.message} {words.format(pages=settings.base_url.rstrip('/'), top_up=settings.top_up_url)}"


def envelope(refusal: errors.Refusal, message: str | None = None) -> dict[str, Any]:
    """The JSON body: `{"error": {"message", "type", "param", "code"}}`."""
    _, kind = fate_of(refusal)
    return {"error": {"message": message or refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}}


def response_of(refusal: errors.Refusal, message: str | None = None) -> Response:
    """The whole HTTP answer to a refusal, in its own words or with this message."""
    status, _ = fate_of(refusal)
    response = Response(orjson.dumps(envelope(refusal, message)), status=status, content_type="application/json")
    wait = getattr(refusal, "retry_after_seconds", None)
    if wait is not None:
        # Whole seconds rounded up for everybody, milliseconds for the SDKs that read them: never too early.
        response.headers["Retry-After"] = str(max(math.ceil(wait), 1))
        response.headers["retry-after-ms"] = str(max(math.ceil(wait * 1000), 1))
    if isinstance(refusal, NOT_WORTH_RETRYING):
        response.headers["x-should-retry"] = "false"
    if isinstance(refusal, errors.InvalidKey):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response

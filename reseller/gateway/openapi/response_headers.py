"""The headers of answers, each with what it says. Their names are those that browsers may read (`gateway.headers.EXPOSED`)."""

from typing import Any

from reseller.gateway.headers import EXPOSED

MONEY = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?$"}
_COUNT = {"type": "string", "pattern": "^[0-9]+$"}
_GO = {"type": "string", "pattern": r"^([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]+)?s)?([0-9]+ms)?$"}

_WORDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "x-request-id": ("The id of this request; support can find it.", {"type": "string"}, "req_01a1f0c27b7c7f2c8a4f6d1e5b3c9a70"),
    "x-request-cost": ("What this call was charged, in dollars. Not on streams: their last event has it.", MONEY, "0.00001875"),
    "x-credits-remaining": ("What is available after this call, in dollars.", MONEY, "9.99998125"),
    "x-should-retry": ("`false` where waiting does not mend it; SDKs obey it.", {"type": "string", "enum": ["false"]}, "false"),
    "retry-after": ("Whole seconds until the same call can be admitted; never too early.", _COUNT, "4"),
    "retry-after-ms": ("The same in milliseconds.", _COUNT, "3210"),
}
_WINDOWS = {"": "the tightest window", "-minute": "the minute", "-hour": "the hour", "-day": "the day"}
_OF_WINDOWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "limit": ("Calls that {window} allows.", _COUNT, "300"),
    "remaining": ("Calls that are left of {window}.", _COUNT, "299"),
    "reset": ("How long until {window} is empty if nothing more is sent, as Go writes lengths of time.", _GO, "59s"),
}


def _header(words: str, schema: dict[str, Any], example: str) -> dict[str, Any]:
    return {"description": words, "schema": schema, "example": example}


def _described(name: str) -> dict[str, Any]:
    if name in _WORDS:
        return _header(*_WORDS[name])
    what, _, window = name.removeprefix("x-ratelimit-").partition("-requests")
    words, schema, example = _OF_WINDOWS[what]
    return _header(words.format(window=_WINDOWS[window]), schema, example)


HEADERS: dict[str, Any] = {name: _described(name) for name in EXPOSED.split(", ")} | {
    "www-authenticate": _header("The scheme in which a key is sent.", {"type": "string"}, "Bearer"),
    "etag": _header("Changes when the document does; send it back as `If-None-Match`.", {"type": "string"}, '"5d41402abc4b2a76"'),
}

EVERYWHERE = ("x-request-id",)
ADMITTED = tuple(name for name in HEADERS if name.startswith("x-ratelimit-"))
WHOLE = (*ADMITTED, "x-request-cost", "x-credits-remaining")


def refer(names: tuple[str, ...]) -> dict[str, Any]:
    """The headers object of a response that may have these."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}

"""What can be asked of the fake OpenRouter by name: options of a plan, statuses and their words.

An option's text that begins with a zero character is written into the JSON as it stands, so that a
usage object can hold what no JSON writer would write.
"""

from typing import Any

SCENARIOS: dict[str, dict[str, Any]] = {
    "default": {},
    "hang": {"before": "hang"},
    "reset": {"before": "reset"},
    "close": {"before": "close"},
    "garbage": {"before": "garbage"},
    "half-head": {"before": "half_head"},
    "large-head": {"before": "large_head"},
    "reset-mid-stream": {"cut_after": 4, "cut": "reset"},
    "stop-mid-stream": {"cut_after": 4, "cut": "stop"},
    "stall-mid-stream": {"cut_after": 4, "cut": "stall"},
    "error-mid-stream": {"cut_after": 4, "cut": "error"},
    "comments": {"comment_every_ms": 20, "comments": 10},
    "no-usage": {"usage_raw": None},
    "null-cost": {"usage": {"cost": None}},
    "no-cost": {"without": ["cost", "cost_details"]},
    "zero-cost": {"usage": {"cost": 0}},
    "negative-cost": {"usage": {"cost": -1}},
    "text-cost": {"usage": {"cost": "0.01"}},
    "bool-cost": {"usage": {"cost": True}},
    "nan-cost": {"usage": {"cost": "\0NaN"}},
    "infinite-cost": {"usage": {"cost": "\0" + "1e999"}},
    "huge-cost": {"usage": {"cost": 1_000_000}},
    "sub-nano": {"usage": {"cost": "\0" + "0.00000000012345678901234567"}},
    "negative-usage": {"usage": {"prompt_tokens": -5, "completion_tokens": -7}},
    "huge-usage": {"usage": {"completion_tokens": 10**15}},
    "bool-usage": {"usage": {"prompt_tokens": True, "completion_tokens": True}},
    "float-usage": {"usage": {"prompt_tokens": "\0" + "12.5"}},
    "text-usage": {"usage": {"prompt_tokens": "12"}},
    "usage-twice": {"usage_twice": True},
    "usage-early": {"usage_early": True},
    "error-in-200": {"status": 200, "error": {"code": 502, "message": "Provider returned error"}},
    "text-error-in-200": {"status": 200, "error": {"code": "server_error", "message": "Provider returned error"}},
    "choices-null": {"status": 200, "body": '{"id":"gen-null","object":"chat.completion","model":"fake/choices-null","choices":null}'},
    "invalid-json": {"status": 200, "body": '{"id":"gen-cut","choices":[{"mess'},
    "html-502": {"status": 502, "body": "<html><head><title>502 Bad Gateway</title></head></html>", "content_type": "text/html"},
    "html-404": {"status": 404, "body": "<html><title>Not Found</title></html>", "content_type": "text/html"},
    "redirect": {"status": 307, "body": "", "headers": {"Location": "http://127.0.0.1:9/elsewhere"}},
    "gzip": {"is_gzip": True},
    "slow-bytes": {"bytes_per_write": 1},
    "crlf": {"newline": "\r\n"},
    "split-utf8": {"text": "žluťoučký kůň 🐎 úpěl ďábelské ódy", "bytes_per_write": 3},
    "long-line": {"line_bytes": 1_500_000},
    "large-body": {"body_bytes": 40_000_000},
    "whole-anyway": {"is_whole": True},
    "no-done": {"is_done_missing": True},
    "continue-first": {"is_continued": True},
    "until-close": {"framing": "close"},
    "burst": {"is_burst": True, "tokens": 60},
    "slow": {"pause_ms": 20},
    "slow-start": {"delay_ms": 300},
    "tool-call": {"tool": ["get_weather", '{"city":"Brno"}']},
}
"""Asked for as model `fake/<name>`; `fake/status-429` and its like answer with that status and an envelope."""

MESSAGES = {
    400: ("invalid_request", "Invalid request: see https://openrouter.ai/docs"),
    401: ("authentication", "No auth credentials found"),
    402: ("payment_required", "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
    403: ("permission_denied", "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"),
    404: ("not_found", "No endpoints found for this model."),
    408: ("timeout", "Request timed out"),
    413: ("payload_too_large", "The request body is too large"),
    422: ("unprocessable", "Unprocessable: messages.0.content"),
    429: ("rate_limit_exceeded", "Rate limit exceeded: limit_rpm/fake. High demand on OpenRouter"),
    500: ("server", "Internal Server Error"),
    502: ("provider_unavailable", "Provider returned error"),
    503: ("provider_overloaded", "No instances available"),
    524: ("timeout", "A timeout occurred"),
    529: ("provider_overloaded", "Provider overloaded"),
}


def plan_for(model: str) -> dict[str, Any]:
    """The options behind a model's name; {} for an ordinary model."""
    name = model.removeprefix("fake/")
    if name.startswith("status-"):
        return {"status": int(name.removeprefix("status-"))}
    return SCENARIOS.get(name, {}) if name != model else {}


def words_of(request: dict[str, Any]) -> str:
    """What the call says: the text of its first message, its prompt or its input; "" if that is no text."""
    messages = request.get("messages")
    first = messages[0].get("content") if isinstance(messages, list) and messages and isinstance(messages[0], dict) else None
    said = first or request.get("prompt") or request.get("input")
    return said if isinstance(said, str) else ""

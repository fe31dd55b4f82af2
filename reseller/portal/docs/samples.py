"""The calls that the guide shows, to paste into a terminal. Each runs as it stands, with a real key in its place."""

import json
import shlex
from dataclasses import dataclass

from reseller.web.snippets import PROMPT, Target

SCENARIOS = {
    "rate_limited": "429, as when a window is full, with `Retry-After`.",
    "no_credit": "402, as when the balance is used up.",
    "upstream_error": "502, as when a model cannot be reached.",
    "mid_stream_error": "An answer that breaks off: a stream ends with an `error` event.",
    "slow": "An answer that takes its time, 20 seconds at most.",
    "no_usage": "An answer without token counts, which is then estimated.",
}
"""What a test key may ask to go wrong, in words; the description lists the same (tested)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text for a terminal and the status that it is answered with."""

    code: str
    answers: int = 200


def all_samples(to: Target) -> dict[str, Sample]:
    """The samples of the guide by name."""
    chat = {"model": to.model, "messages": [{"role": "user", "content": PROMPT}]}
    return {
        "models": Sample(_get(to, "/models")),
        "model": Sample(_get(to, f"/models/{to.model}")),
        "stream": Sample(_post(to, "/chat/completions", {**chat, "stream": True, "stream_options": {"include_usage": True}}, "-N")),
        "estimate": Sample(_post(to, "/estimate", {**chat, "max_tokens": 500})),
        "error": Sample(_post(to, "/chat/completions", {**chat, "max_tokens": 0}), 400),
        "scenario": Sample(_post(to, "/chat/completions", chat, "-H 'x-sandbox-scenario: rate_limited'"), 429),
        "key": Sample(_get(to, "/key")),
        "credits": Sample(_get(to, "/credits")),
        "usage": Sample(_get(to, "/usage?group_by=model")),
        "description": Sample(f"curl {shlex.quote(to.base_url + '/openapi.json')}"),
    }


def _get(to: Target, path: str) -> str:
    return f"curl {shlex.quote(to.base_url + path)} \\\n  -H {_key(to)}"


def _post(to: Target, path: str, body: object, more: str = "") -> str:
    lines = [f"curl {shlex.quote(to.base_url + path)}", f"  -H {_key(to)}", "  -H 'Content-Type: application/json'"]
    lines += [f"  {more}"] if more else []
    return " \\\n".join([*lines, f"  -d {shlex.quote(json.dumps(body))}"])


def _key(to: Target) -> str:
    return shlex.quote(f"Authorization: Bearer {to.key}")

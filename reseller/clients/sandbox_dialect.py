"""What the sandbox says, byte for byte in OpenRouter's dialect. Pure but for ids and the time in `created`.

A token is four bytes of UTF-8 text, rounded up per request, so that anybody can check a bill by
hand. Cost is tokens times the listed prices, exact. Source of the shapes: OpenRouter docs,
api_reference/overview and api_reference/streaming, 2026-08.
"""

import base64
import hashlib
import math
import re
import secrets
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from reseller.clock import unix_seconds
from reseller.money import format_decimal

ECHO, LOREM, EMBED = "sandbox/echo", "sandbox/lorem", "sandbox/embed"
MAX_LOREM_TOKENS = 1024
DEFAULT_DIMENSIONS = 256
MAX_DIMENSIONS = 1024
PROCESSING = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class SandboxModel:
    """One listed model; prices in dollars per token."""

    slug: str
    name: str
    description: str
    prompt_usd: Decimal
    completion_usd: Decimal
    context_length: int
    max_completion_tokens: int
    output: str = "text"


_LISTED = (
    SandboxModel(ECHO, "Sandbox: Echo", "Answers with the last message.", Decimal("0.0000001"), Decimal("0.0000002"), 131_072, 16_384),
    SandboxModel(LOREM, "Sandbox: Lorem", "Filler text.", Decimal("0.0000005"), Decimal("0.0000015"), 32_768, MAX_LOREM_TOKENS),
    SandboxModel(EMBED, "Sandbox: Embed", "Deterministic vectors.", Decimal("0.00000002"), Decimal(0), 8_192, 0, "embeddings"),
)
MODELS = {model.slug: model for model in _LISTED}

_WORD = re.compile(r"\S+\s*|\s+")
_WORDS = re.findall(r"\w+", "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer before it is written down, whole or as frames. `usage` None leaves the bill out."""

    model: str
    kind: str
    texts: tuple[str, ...] = ()
    finish_reason: str = "stop"
    tool: tuple[str, str] | None = None
    vectors: tuple[Any, ...] = ()
    usage: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: f"gen-{unix_seconds()}-{secrets.token_hex(10)}")

    def whole(self) -> bytes:
        """The JSON body of the answer."""
        if self.kind == "embedding":
            rows = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(self.vectors)]
            return _dump({"id": self.id, "object": "list", "provider": "Sandbox", "model": self.model, "data": rows, "usage": self.usage})
        choices = [self._choice(index, text) for index, text in enumerate(self.texts)]
        return _dump(self._envelope(self._object(""), choices, with_usage=True))

    def whole_with_error(self) -> bytes:
        """A 200 that broke inside: half the text, finish reason "error" and the reason beside it."""
        choices = [
            {**self._choice(index, text[: len(text) // 2]), "finish_reason": "error", "error": _ERROR}
            for index, text in enumerate(self.texts)
        ]
        return _dump(self._envelope(self._object(""), choices, with_usage=True))

    def frames(self) -> list[bytes]:
        """The answer as server-sent events: a comment, deltas, finish, usage, [DONE]."""
        frames = [PROCESSING]
        for index, text in enumerate(self.texts):
            frames += [self._frame(index, delta) for delta in self._deltas(text)]
            frames.append(self._frame(index, {}, self.finish_reason))
        if self.usage is not None:
            frames.append(_event(self._envelope(self._object(".chunk"), [], with_usage=True)))
        return [*frames, DONE]

    def error_frame(self) -> bytes:
        """The frame that ends a stream which broke: a top-level error and the finish reason "error"."""
        chunk = self._envelope(self._object(".chunk"), [self._chunk(0, {"content": ""}, "error")])
        return _event({**chunk, "error": _ERROR})

    def _deltas(self, text: str) -> list[dict[str, Any]]:
        if self.tool is not None:
            name, arguments = self.tool
            call = {"index": 0, "id": f"call_{self.id[-12:]}", "type": "function", "function": {"name": name, "arguments": ""}}
            rest = {"index": 0, "function": {"arguments": arguments}}
            return [{"role": "assistant", "content": None, "tool_calls": [call]}, {"tool_calls": [rest]}]
        return [{"role": "assistant", "content": word} for word in _WORD.findall(text) or [""]]

    def _frame(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return _event(self._envelope(self._object(".chunk"), [self._chunk(index, delta, finish_reason)]))

    def _chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        ending = {"finish_reason": finish_reason, "native_finish_reason": finish_reason, "logprobs": None}
        if self.kind == "completion":
            return {"index": index, "text": delta.get("content") or "", **ending}
        return {"index": index, "delta": delta or {"role": "assistant", "content": ""}, **ending}

    def _choice(self, index: int, text: str) -> dict[str, Any]:
        ending = {"logprobs": None, "finish_reason": self.finish_reason, "native_finish_reason": self.finish_reason, "index": index}
        if self.kind == "completion":
            return {**ending, "text": text}
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "reasoning": None}
        if self.tool is not None:
            function = {"name": self.tool[0], "arguments": self.tool[1]}
            call = {"index": 0, "id": f"call_{self.id[-12:]}", "type": "function", "function": function}
            message |= {"content": None, "tool_calls": [call]}
        return {**ending, "message": message}

    def _object(self, suffix: str) -> str:
        return f"chat.completion{suffix}" if self.kind == "chat" else "text_completion"

    def _envelope(self, object_name: str, choices: list[dict[str, Any]], *, with_usage: bool = False) -> dict[str, Any]:
        head = {
            "id": self.id,
            "provider": "Sandbox",
            "model": self.model,
            "object": object_name,
            "created": unix_seconds(),
            "choices": choices,
        }
        return {**head, "usage": self.usage} if with_usage and self.usage is not None else head


MAX_ECHO_TOKENS, MAX_CHOICES, MAX_VECTORS = 4096, 4, 100
"""Test calls are free, so what one of them can make this process do is bounded."""

_ERROR = {"code": 502, "message": "Provider disconnected unexpectedly", "metadata": {"error_type": "provider_unavailable"}}


def chat(request: dict[str, Any], *, has_usage: bool) -> Answer:
    """The answer to a chat: the echo of the last user message, filler text, or a call of the first tool."""
    messages = [m for m in _list(request.get("messages")) if isinstance(m, dict)]
    asked = next((_text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
    prompt = "".join(_text_of(m.get("content")) for m in messages)
    tool = _tool_of(request, asked)
    if tool is not None:
        usage = _usage(request, prompt, [tool[0] + tool[1]]) if has_usage else None
        return Answer(_model(request), "chat", ("",), "tool_calls", tool, usage=usage)
    return _written(request, "chat", asked=asked, prompt=prompt, has_usage=has_usage)


def completion(request: dict[str, Any], *, has_usage: bool) -> Answer:
    """The answer to a plain prompt (or the first of several)."""
    prompt = request.get("prompt")
    asked = _text_of(prompt[0] if isinstance(prompt, list) and prompt else prompt)
    return _written(request, "completion", asked=asked, prompt=asked, has_usage=has_usage)


def embedding(request: dict[str, Any], *, has_usage: bool) -> Answer:
    """One vector per input, the same for the same text for ever; floats or base64 as asked."""
    given = request.get("input")
    is_many = isinstance(given, list) and not all(isinstance(item, int) for item in given)
    texts = [_text_of(item) for item in (given if is_many and isinstance(given, list) else [given])]
    wanted = request.get("dimensions")
    dimensions = (
        wanted if isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MAX_DIMENSIONS else DEFAULT_DIMENSIONS
    )
    vectors = [_vector(text, dimensions) for text in texts[:MAX_VECTORS]]
    packed = [base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() for vector in vectors]
    usage = _usage(request, "".join(texts), []) if has_usage else None
    return Answer(
        _model(request), "embedding", vectors=tuple(packed if request.get("encoding_format") == "base64" else vectors), usage=usage
    )


def tokens_of(text: str) -> int:
    """Tokens of a text: its UTF-8 bytes in fours, rounded up."""
    return (len(text.encode()) + 3) // 4


def catalogue_entry(slug: str) -> dict[str, Any]:
    """One entry as in OpenRouter's /models, prices as decimal strings."""
    model = MODELS[slug]
    cap = model.max_completion_tokens or None
    return {
        "id": slug,
        "canonical_slug": slug,
        "name": model.name,
        "created": 1_756_684_800,
        "description": model.description,
        "context_length": model.context_length,
        "architecture": {"modality": f"text->{model.output}", "input_modalities": ["text"], "output_modalities": [model.output]},
        "pricing": {"prompt": format_decimal(model.prompt_usd), "completion": format_decimal(model.completion_usd), "request": "0"},
        "top_provider": {"context_length": model.context_length, "max_completion_tokens": cap, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "max_completion_tokens", "n", "tools", "tool_choice"] if cap else [],
    }


def _written(request: dict[str, Any], kind: str, *, asked: str, prompt: str, has_usage: bool) -> Answer:
    cap = min(_cap(request) or MAX_ECHO_TOKENS, MAX_ECHO_TOKENS)
    if _model(request) == LOREM:
        text, reason = _lorem(asked, min(cap, MAX_LOREM_TOKENS)), "length"
    else:
        text = asked.encode("utf-8", "replace")[: cap * 4].decode(errors="ignore")
        reason = "stop" if text == asked else "length"
    wanted = request.get("n")
    texts = [text] * (wanted if isinstance(wanted, int) and 1 <= wanted <= MAX_CHOICES else 1)
    return Answer(_model(request), kind, tuple(texts), reason, usage=_usage(request, prompt, texts) if has_usage else None)


def _usage(request: dict[str, Any], prompt: str, texts: list[str]) -> dict[str, Any]:
    model = MODELS.get(_model(request), MODELS[ECHO])
    prompt_tokens, completion_tokens = max(tokens_of(prompt), 1), sum(tokens_of(text) for text in texts)
    cost = format_decimal(prompt_tokens * model.prompt_usd + completion_tokens * model.completion_usd)
    counts = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": prompt_tokens + completion_tokens}
    if model.slug == EMBED:
        del counts["completion_tokens"]
    return {
        **counts,
        "cost": orjson.Fragment(cost),
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0},
        "cost_details": {"upstream_inference_cost": None},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _lorem(seed: str, tokens: int) -> str:
    """Exactly that many tokens of filler, the same for the same prompt."""
    start = hashlib.sha256(seed.encode()).digest()[0]
    text = " ".join(_WORDS[(start + position * 7) % len(_WORDS)] for position in range(tokens))
    return text[: tokens * 4]


def _vector(text: str, dimensions: int) -> list[float]:
    raw = struct.unpack(f"<{dimensions}h", hashlib.shake_256(text.encode()).digest(dimensions * 2))
    length = math.sqrt(sum(value * value for value in raw)) or 1
    return [value / length for value in raw]


def _tool_of(request: dict[str, Any], asked: str) -> tuple[str, str] | None:
    tools = _list(request.get("tools"))
    function = tools[0].get("function") if tools and isinstance(tools[0], dict) else None
    if not isinstance(function, dict) or not asked.startswith("call "):
        return None
    return str(function.get("name", "")), orjson.dumps({"text": asked.removeprefix("call ")}).decode()


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(item, int) for item in content):
        return "".join(f"{item:4d}" for item in content)
    return "".join(str(p.get("text") or "") for p in _list(content) if isinstance(p, dict))


def _cap(request: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _model(request: dict[str, Any]) -> str:
    model = request.get("model")
    return model if isinstance(model, str) else ECHO


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + _dump(chunk) + b"\n\n"


def _dump(value: Any) -> bytes:
    return orjson.dumps(value)

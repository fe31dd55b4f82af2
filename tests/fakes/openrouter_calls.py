"""One paid call at the fake OpenRouter: its tokens, its bill, and its answer as a body or as frames.

Shapes as in OpenRouter's docs (api_reference/overview and api_reference/streaming, 2026-08).
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

DEFAULT_TEXT = "The quick brown fox jumps over the lazy dog and then it rests for a while."


@dataclass
class Call:
    """One paid call as the fake sees it; `delivered` counts the tokens that left."""

    id: str
    path: str
    request: dict[str, Any]
    plan: dict[str, Any]
    prices: tuple[Decimal, Decimal]
    factor: Decimal
    delivered: int = 0
    billed_usd: Decimal = Decimal(0)
    tokens: list[str] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text = self.plan.get("text", DEFAULT_TEXT)
        words = [word + " " for word in text.split(" ")]
        count = self.plan.get("tokens", len(words))
        cap = self.request.get("max_completion_tokens") or self.request.get("max_tokens") or count
        self.tokens = [words[i % len(words)] for i in range(min(count, cap))] if self.path != "/embeddings" else []
        self.is_capped = len(self.tokens) < count

    @property
    def is_stream(self) -> bool:
        return self.request.get("stream") is True and self.path != "/embeddings" and not self.plan.get("is_whole")

    @property
    def n(self) -> int:
        return self.request.get("n") or 1

    @property
    def prompt_tokens(self) -> int:
        asked = [self.request.get(name) for name in ("messages", "prompt", "input", "tools") if self.request.get(name)]
        return self.plan.get("prompt_tokens") or max(1, len(orjson.dumps(asked)) // 6)

    def cost_of(self, completion_tokens: int) -> Decimal:
        """List price times this call's own factor: the bill is never simply tokens times list price."""
        prompt, completion = self.prices
        return (self.prompt_tokens * prompt + completion_tokens * completion) * self.factor

    def book(self, *, finished: bool = False, cancelled_at: float | None = None) -> None:
        """The bill is on record; done before the last bytes leave, so that who has the answer finds the bill."""
        ending = {"finished": finished, "cancelled": cancelled_at is not None, "cancelled_at": cancelled_at, "ended": True}
        self.row.update(cost=format(self.billed_usd, "f"), completion_tokens=self.delivered, **ending)

    def usage(self) -> Any:
        """The usage object, exact digits in `cost`; None when the plan leaves it out."""
        if "usage_raw" in self.plan:
            return orjson.Fragment(self.plan["usage_raw"]) if self.plan["usage_raw"] else None
        completion = len(self.tokens) * self.n
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "cost": orjson.Fragment(format(self.cost_of(completion), "f")),
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "cost_details": {"upstream_inference_cost": None},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
        }
        if self.path == "/embeddings":
            del usage["completion_tokens"], usage["completion_tokens_details"]
        for name, value in self.plan.get("usage", {}).items():
            usage[name] = orjson.Fragment(value[1:]) if isinstance(value, str) and value.startswith("\0") else value
        return {name: value for name, value in usage.items() if name not in self.plan.get("without", ())}

    def envelope(self, kind: str, choices: Any, **more: Any) -> dict[str, Any]:
        model = self.plan.get("served_model") or self.request.get("model")
        return {
            "id": self.id,
            "provider": "FakeInfra",
            "model": model,
            "object": kind,
            "created": 1_756_684_800,
            "choices": choices,
            **more,
        }

    def whole(self) -> dict[str, Any]:
        usage = self.usage()
        more = {"usage": usage} if usage is not None else {}
        if self.path == "/embeddings":
            inputs = self.request.get("input")
            count = len(inputs) if isinstance(inputs, list) else 1
            rows = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5, 0.125]} for i in range(count)]
            return {"id": self.id, "object": "list", "model": self.request.get("model"), "data": rows, **more}
        if self.path == "/completions":
            return self.envelope("text_completion", [self._ending({"text": "".join(self.tokens)}, i) for i in range(self.n)], **more)
        return self.envelope("chat.completion", [self._ending({"message": self._message()}, i) for i in range(self.n)], **more)

    def frames(self) -> list[bytes]:
        """The stream's frames; all but the first comment, the finish, the usage and [DONE] carry one token each."""
        kind = "chat.completion.chunk" if self.path == "/chat/completions" else "text_completion"
        deltas = [self._event(self.envelope(kind, [self._delta(token, i)])) for i in range(self.n) for token in self.tokens]
        finish = [self._event(self.envelope(kind, [self._delta("", i, is_last=True)])) for i in range(self.n)]
        usage = self.usage()
        bill = [] if usage is None else [self._event(self.envelope(kind, [], usage=usage))]
        if self.plan.get("usage_twice"):
            wrong = self._event(self.envelope(kind, [], usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 0}))
            bill = [wrong, *bill]
        done = [] if self.plan.get("is_done_missing") else [self.line("data: [DONE]")]
        early, late = (bill, []) if self.plan.get("usage_early") else ([], bill)
        comments = [self.line(": OPENROUTER PROCESSING")]
        if size := self.plan.get("line_bytes"):
            deltas = [self._event(self.envelope(kind, [self._delta("x" * size, 0)]))]
        return [*comments, *early, *deltas, *finish, *late, *done]

    def error_frame(self) -> bytes:
        error = {
            "code": 502,
            "message": "Provider disconnected",
            "metadata": {"provider_name": "FakeInfra", "error_type": "provider_unavailable"},
        }
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
        return self._event(self.envelope("chat.completion.chunk", [choice], error=self.plan.get("error", error)))

    def line(self, text: str) -> bytes:
        newline: str = self.plan.get("newline", "\n")
        return (text + newline * 2).encode()

    def _event(self, chunk: dict[str, Any]) -> bytes:
        return self.line("data: " + orjson.dumps(chunk).decode())

    def _delta(self, token: str, index: int, *, is_last: bool = False) -> dict[str, Any]:
        reason = ("tool_calls" if "tool" in self.plan else "length" if self.is_capped else "stop") if is_last else None
        ending = {"index": index, "finish_reason": reason, "native_finish_reason": reason, "logprobs": None}
        if self.path == "/completions":
            return {**ending, "text": token}
        delta: dict[str, Any] = {"role": "assistant", "content": token}
        if "tool" in self.plan and not is_last:
            delta |= {"content": None, "tool_calls": [self._tool_call()]}
        return {**ending, "delta": delta}

    def _ending(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        reason = "tool_calls" if "tool" in self.plan else "length" if self.is_capped else "stop"
        return {"logprobs": None, "finish_reason": reason, "native_finish_reason": reason, "index": index, **body}

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.tokens), "refusal": None, "reasoning": None}
        if "tool" in self.plan:
            message |= {"content": None, "tool_calls": [self._tool_call()]}
        return message

    def _tool_call(self) -> dict[str, Any]:
        name, arguments = self.plan["tool"]
        return {"index": 0, "id": "call_fake1", "type": "function", "function": {"name": name, "arguments": arguments}}

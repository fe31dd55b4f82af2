"""What the fake upstream answers, as bytes rendered once, and what a right answer of ours must contain.

Shapes: OpenRouter docs, api_reference/overview and api_reference/streaming, 2026-08; every name and figure is invented.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

PROMPT_TOKENS = 20
PROMPT_PRICE, COMPLETION_PRICE = Decimal("0.0000005"), Decimal("0.0000015")  # dollars per token
MARKUP_PERCENT = 25

FIRST_TOKEN_MS = 200
TOKEN_GAP_MS = 20

END_MARK = "that is all."
_GENERATION = "gen-1756684800-AbCdEfGhIjKlMnOpQrSt"
_CREATED = 1_756_684_800


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call: what is asked for and what it costs."""

    name: str
    model: str
    tokens: int
    is_stream: bool

    @property
    def cost_usd(self) -> Decimal:
        return PROMPT_TOKENS * PROMPT_PRICE + self.tokens * COMPLETION_PRICE

    @property
    def charge_usd(self) -> Decimal:
        return self.cost_usd * (100 + MARKUP_PERCENT) / 100

    @property
    def charge_nano(self) -> int:
        return int(self.charge_usd.scaleb(9))

    @property
    def events(self) -> int:
        """Frames of the stream: the tokens, the finish, the usage, [DONE]."""
        return self.tokens + 3 if self.is_stream else 0

    def request_body(self) -> str:
        """A request of about 230 bytes."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": "You are a terse assistant."},
                {"role": "user", "content": "Tell me in a few words how a bell is cast."},
            ],
            "max_tokens": 100,
            "temperature": 0.7,
        }
        if self.is_stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return _dump(body)

    def marks(self, *, is_charged: bool) -> list[str]:
        """What a right answer holds: its last words, and what the customer was charged or the upstream's own cost."""
        cost = self.charge_usd if is_charged else self.cost_usd
        return [END_MARK, f'"cost":{plain(cost)}', *(["data: [DONE]"] if self.is_stream else [])]


WHOLE = Kind("whole", "bench/fast", 60, is_stream=False)
BURST = Kind("burst", "bench/burst", 60, is_stream=True)
SLOW = Kind("slow", "bench/slow", 50, is_stream=True)
KINDS = (WHOLE, BURST, SLOW)


def plain(amount: Decimal) -> str:
    """The shortest decimal without an exponent."""
    return format(amount.normalize(), "f")


def whole_answer() -> bytes:
    """Head and body of a whole answer; the body has about 750 bytes."""
    text = "Clay is shaped into a core and a cope, bronze is melted and poured between them, and after days of cooling " + END_MARK
    message = {"role": "assistant", "content": text, "refusal": None, "reasoning": None}
    choice = {"logprobs": None, "finish_reason": "stop", "native_finish_reason": "stop", "index": 0, "message": message}
    return head_and_body(
        {**_outer(WHOLE, "chat.completion"), "choices": [choice], "usage": _usage(WHOLE)}, f"X-Generation-Id: {_GENERATION}\r\n"
    )


def head_and_body(body: dict[str, Any], more_headers: str = "", status: str = "200 OK") -> bytes:
    """An HTTP answer with a JSON body."""
    raw = _dump(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more_headers}Content-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def stream_pieces(kind: Kind) -> list[bytes]:
    """The stream as a piece for each token; the head is in the first and the tail in the last. Each event is a chunk of its own."""
    words = [f" word{number:02d} of the answer" for number in range(kind.tokens - 1)] + [f" and {END_MARK}"]
    pieces = [_chunk(_event(kind, word)) for word in words]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Generation-Id: {_GENERATION}\r\nTransfer-Encoding: chunked\r\n\r\n"
    usage = {**_outer(kind, "chat.completion.chunk"), "choices": [], "usage": _usage(kind)}
    tail = [_event(kind, "", "stop"), f"data: {_dump(usage)}\n\n", "data: [DONE]\n\n"]
    pieces[0] = head.encode() + pieces[0]
    pieces[-1] += b"".join(_chunk(event) for event in tail) + b"0\r\n\r\n"
    return pieces


def catalogue() -> bytes:
    """The answer to /models: our three, with prices."""
    pricing = {"prompt": plain(PROMPT_PRICE), "completion": plain(COMPLETION_PRICE)}
    top = {"context_length": 128_000, "max_completion_tokens": 16_384, "is_moderated": False}
    shape = {"input_modalities": ["text"], "output_modalities": ["text"]}
    models = [
        {"id": kind.model, "name": kind.model, "context_length": 128_000, "pricing": pricing, "architecture": shape, "top_provider": top}
        for kind in KINDS
    ]
    return head_and_body({"data": models})


def _event(kind: Kind, text: str, finish: str | None = None) -> str:
    delta = {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish, "logprobs": None}
    return f"data: {_dump({**_outer(kind, 'chat.completion.chunk'), 'choices': [choice]})}\n\n"


def _outer(kind: Kind, shape: str) -> dict[str, Any]:
    return {"id": _GENERATION, "provider": "Foundry", "model": kind.model, "object": shape, "created": _CREATED}


def _usage(kind: Kind) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": kind.tokens,
        "total_tokens": PROMPT_TOKENS + kind.tokens,
        "cost": plain(kind.cost_usd),
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0},
        "cost_details": {"upstream_inference_cost": None},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _dump(value: Any) -> str:
    """JSON without spaces; a cost, which comes as text, is written as a number with exactly these digits."""
    return re.sub(r'"cost":"([0-9.]+)"', r'"cost":\1', json.dumps(value, separators=(",", ":")))


def _chunk(text: str) -> bytes:
    raw = text.encode()
    return b"%x\r\n%b\r\n" % (len(raw), raw)

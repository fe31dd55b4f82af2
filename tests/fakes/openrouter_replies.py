"""How the fake OpenRouter answers: a call and its plan, written to the wire.

Statuses and envelopes as in OpenRouter's docs (api_reference/errors-and-debugging, 2026-08).
"""

import gzip
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import orjson

from tests.fakes.openrouter_calls import Call
from tests.fakes.openrouter_scenarios import MESSAGES

THIS_CALL = b"gen-0000000000-thiscallsownid"
"""As long as a real id, so that lengths and sizes around it stay true."""

RESET_AFTER_MS = 50
"""A reset makes the other side forget what it has not read yet, so it comes a little later."""


class Wire(Protocol):
    """One connection to the client, as the server module implements it."""

    def head(self, status: int, headers: dict[str, str]) -> None: ...
    def send(self, piece: bytes) -> None: ...
    def raw(self, piece: bytes) -> None: ...
    def end(self) -> None: ...
    def pause(self, milliseconds: float) -> None: ...
    def hang(self) -> None: ...
    def drop(self, *, is_reset: bool) -> None: ...


def answer(wire: Wire, call: Call) -> None:
    """The whole answer to one paid call is on the wire; `call.billed_usd` is what it cost."""
    plan = call.plan
    wire.pause(plan.get("delay_ms", 0))
    if "wire" in plan:
        return _as_told(wire, call)
    if "before" in plan:
        return BEFORE[plan["before"]](wire)
    if plan.get("is_continued"):
        wire.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "status" in plan or "body" in plan:
        return refuse(wire, plan)
    if "body_bytes" in plan:
        return _large(wire, plan["body_bytes"])
    return _stream(wire, call) if call.is_stream else _whole(wire, call)


def refuse(wire: Wire, plan: dict[str, Any]) -> None:
    """A status with an envelope, or with whatever body the plan says."""
    status = plan.get("status", 200)
    reason, message = MESSAGES.get(status, ("unmapped", "Something happened"))
    error = plan.get("error") or {"code": status, "message": message, "metadata": {"error_type": reason, "provider_name": "FakeInfra"}}
    body = plan["body"].encode() if "body" in plan else orjson.dumps({"error": error, "user_id": "user_2fakefakefake"})
    wait = {"Retry-After": str(plan.get("retry_after", 7))} if status in (429, 503) else {}
    wire.head(
        status,
        {"Content-Type": plan.get("content_type", "application/json"), "Content-Length": str(len(body)), **wait, **plan.get("headers", {})},
    )
    wire.send(body)
    wire.end()


def _as_told(wire: Wire, call: Call) -> None:
    """Each step of the plan in turn: bytes as they stand, a pause in milliseconds, how the connection ends, or something to call.

    THIS_CALL stands for the call's own id, whose record says that it cost `bill` for `counted` completion tokens.
    """
    call.billed_usd = Decimal(call.plan.get("bill", 0))
    call.delivered = call.plan.get("counted", 0)
    call.book(finished=True)
    for step in call.plan["wire"]:
        if isinstance(step, bytes):
            wire.raw(step.replace(THIS_CALL, call.id.encode()))
        elif isinstance(step, int):
            wire.pause(step)
        elif callable(step):
            step()
        elif step == "hang":
            wire.hang()
        else:
            wire.pause(RESET_AFTER_MS)
            wire.drop(is_reset=step == "reset")


def _whole(wire: Wire, call: Call) -> None:
    call.delivered = len(call.tokens) * call.n
    call.billed_usd = call.cost_of(call.delivered)
    call.book(finished=True)
    body = orjson.dumps(call.whole())
    headers = {"Content-Type": "application/json", "X-Generation-Id": call.id}
    if call.plan.get("is_gzip"):
        body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
    if call.plan.get("framing") != "close":
        headers["Content-Length"] = str(len(body))
    wire.head(200, headers)
    wire.send(body)
    wire.end()


def _large(wire: Wire, size: int) -> None:
    wire.head(200, {"Content-Type": "application/json", "Content-Length": str(size)})
    for _ in range(size // 1_000_000):
        wire.send(b" " * 1_000_000)
    wire.end()


def _stream(wire: Wire, call: Call) -> None:
    """Frame by frame; what was delivered is billed at each step, so a cut at any point leaves the right bill."""
    plan = call.plan
    framing = {} if plan.get("framing") == "close" else {"Transfer-Encoding": "chunked"}
    wire.head(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Generation-Id": call.id, **framing})
    for _ in range(plan.get("comments", 0)):
        wire.send(call.line(": OPENROUTER PROCESSING"))
        wire.pause(plan.get("comment_every_ms", 0))
    frames = call.frames()
    if plan.get("is_burst"):
        frames = [b"".join(frames)]
        call.delivered = len(call.tokens) * call.n
    for position, frame in enumerate(frames):
        if position == plan.get("cut_after"):
            return _cut(wire, call)
        call.delivered = min(max(call.delivered, position), len(call.tokens) * call.n)
        call.billed_usd = call.cost_of(call.delivered)
        if position == len(frames) - 1:
            call.book(finished=True)
        wire.send(frame)
        wire.pause(plan.get("pause_ms", 0))
    wire.end()
    return None


def _cut(wire: Wire, call: Call) -> None:
    how = call.plan["cut"]
    wire.pause(RESET_AFTER_MS)
    if how == "error":
        call.billed_usd = Decimal(0)  # finish reason "error" is not charged: guides/features/zero-completion-insurance
        call.book(finished=True)
        wire.send(call.error_frame())
        wire.end()
    elif how == "stall":
        wire.hang()
    else:
        call.book()
        wire.drop(is_reset=how == "reset")


def _garbage(wire: Wire) -> None:
    wire.raw(b"this is not HTTP at all\r\n\r\n")
    wire.drop(is_reset=False)


def _half_head(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 200 OK\r\nContent-Ty")
    wire.hang()


def _large_head(wire: Wire) -> None:
    wire.raw(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-Filler-%d: %b\r\n" % (i, b"x" * 1000) for i in range(100)) + b"Content-Length: 0\r\n\r\n"
    )
    wire.hang()


BEFORE: dict[str, Callable[[Wire], None]] = {
    "hang": lambda wire: wire.hang(),
    "reset": lambda wire: wire.drop(is_reset=True),
    "close": lambda wire: wire.drop(is_reset=False),
    "garbage": _garbage,
    "half_head": _half_head,
    "large_head": _large_head,
}

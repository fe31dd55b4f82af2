"""Which marks and facts of a paid call become its trace, where traces are asked for. Called when the call has ended or was refused.

Of a call that was refused before it had a price the model is not told: it is whatever the client wrote.
"""

from collections.abc import Mapping
from uuid import UUID

from reseller.clients.traces import CLIENT, Step, Trace, Traces
from reseller.clock import monotonic, unix_nanoseconds
from reseller.domain.usage import CallStatus, request_id
from reseller.errors import Refusal
from reseller.gateway.errors import fate_of

OPERATIONS = {"/chat/completions": "chat", "/completions": "text_completion", "/embeddings": "embeddings"}
"""Endpoint → gen_ai.operation.name (opentelemetry.io/docs/specs/semconv/gen-ai)."""

Facts = dict[str, str | int | bool]


def ended(traces: Traces, call_id: UUID, *, received_at: float, marks: Mapping[str, float], facts: Facts, error: str | None) -> None:
    """A call that was let in has ended; `marks` are milliseconds since `received_at`, the last of them `ended_ms`."""
    now_ms = (monotonic() - received_at) * 1000
    steps = [Step("admit", 0.0, marks["admitted_ms"])]
    over = marks["ended_ms"]
    if "sent_ms" in marks:
        first = marks.get("first_byte_ms")
        steps.append(Step("upstream", marks["sent_ms"], over, CLIENT, () if first is None else (("first byte", first),)))
    steps.append(Step("settle", over, now_ms))
    _tell(traces, call_id, tuple(steps), facts, error)


def refused(traces: Traces, call_id: UUID, *, received_at: float, path: str, refusal: Refusal) -> None:
    """A call was not let in."""
    now_ms = (monotonic() - received_at) * 1000
    facts = about(path, call_id, CallStatus.REFUSED)
    facts["http.response.status_code"] = fate_of(refusal)[0]
    _tell(traces, call_id, (Step("admit", 0.0, now_ms),), facts, refusal.code)


def about(path: str, call_id: UUID, status: CallStatus) -> Facts:
    """What is told of every call."""
    return {
        "http.request.method": "POST",
        "http.route": path,
        "gen_ai.operation.name": OPERATIONS.get(path, path.strip("/")),
        "reseller.request_id": request_id(call_id),
        "reseller.outcome": str(status),
    }


def _tell(traces: Traces, call_id: UUID, steps: tuple[Step, ...], facts: Facts, error: str | None) -> None:
    if error is not None:
        facts["error.type"] = error
    now_ms = steps[-1].ended_ms
    received_at = unix_nanoseconds() - int(now_ms * 1_000_000)
    traces.tell(Trace(call_id, f"POST {facts['http.route']}", received_at, now_ms, steps, facts, error))

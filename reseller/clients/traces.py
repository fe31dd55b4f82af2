"""Paid calls as traces for a collector that speaks OTLP over HTTP (opentelemetry.io/docs/specs/otlp, 1.9: JSON encoding).

A trace is made of the marks that a call has anyway, when it has ended: nothing is begun, carried or looked up while it runs. Its
trace id is the id of the call, so whoever has a request id has the trace. Attributes are those that are handed over: no prompt,
answer, key, account or address. What the client says of a trace of its own (`traceparent`) is not read: strangers would choose our
ids and what is kept; nothing of ours goes upstream.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from reseller.clients.carrier import Address, Carrier

PATH = "/v1/traces"
AT_A_TIME = 100
MOST_WAITING = 2_000
INTERNAL, SERVER, CLIENT = 1, 2, 3  # SpanKind
ERROR = 2  # StatusCode
ALL = 1 << 32
NANOSECONDS_OF_MS = 1_000_000

Attributes = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a call, in milliseconds since it came; `events` likewise."""

    name: str
    begun_ms: float
    ended_ms: float
    kind: int = INTERNAL
    events: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """One call that has ended. `received_at`: nanoseconds since 1970."""

    call_id: UUID
    name: str
    received_at: int
    ended_ms: float
    steps: tuple[Step, ...]
    attributes: Attributes
    error: str | None  # its code; None if all went well


class Traces:
    """Traces of one process on their way to a collector."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], *, percent: Decimal, resource: Attributes) -> None:
        """`resource` says which process this is."""
        self._below = int(ALL * percent / 100)
        self._resource = {"attributes": _attributes(resource)}
        self._address = Address(endpoint + PATH, {"Content-Type": "application/json", **headers})
        self._carrier: Carrier[Trace] = Carrier("trace", self._send, at_a_time=AT_A_TIME, most=MOST_WAITING)

    def wants(self, call_id: UUID) -> bool:
        """Whether this call is one of those that are told: by its random bits, so every process decides alike."""
        return call_id.int & (ALL - 1) < self._below

    def tell(self, trace: Trace) -> None:
        """The trace is on its way. Waits for nothing."""
        self._carrier.put(trace)

    def start(self) -> None:
        self._carrier.start()

    def stop(self, seconds: float) -> None:
        self._carrier.stop(seconds)

    def _send(self, traces: list[Trace]) -> None:
        spans = [span for trace in traces for span in spans_of(trace)]
        scope = {"scope": {"name": "reseller"}, "spans": spans}
        self._address.post(orjson.dumps({"resourceSpans": [{"resource": self._resource, "scopeSpans": [scope]}]}))


def spans_of(trace: Trace) -> list[dict[str, Any]]:
    """The call and its steps, as OTLP writes them."""
    trace_id, root = trace.call_id.hex, trace.call_id.int & (1 << 64) - 1
    whole = _span(trace, trace_id, root, Step(trace.name, 0.0, trace.ended_ms, SERVER))
    whole["attributes"] = _attributes(trace.attributes)
    if trace.error is not None:
        whole["status"] = {"code": ERROR, "message": trace.error}
    parent = whole["spanId"]
    return [whole, *({**_span(trace, trace_id, root ^ number, step), "parentSpanId": parent} for number, step in enumerate(trace.steps, 1))]


def _span(trace: Trace, trace_id: str, span_id: int, step: Step) -> dict[str, Any]:
    return {
        "traceId": trace_id,
        "spanId": f"{span_id:016x}",
        "name": step.name,
        "kind": step.kind,
        "startTimeUnixNano": _instant(trace, step.begun_ms),
        "endTimeUnixNano": _instant(trace, step.ended_ms),
        "events": [{"name": name, "timeUnixNano": _instant(trace, ms)} for name, ms in step.events],
    }


def _instant(trace: Trace, ms: float) -> str:
    """Nanoseconds since 1970; JSON's numbers are too short for them."""
    return str(trace.received_at + int(ms * NANOSECONDS_OF_MS))


def _attributes(values: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | int | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}

"""A call that has ended, as OTLP writes it."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest

from config.settings import headers_of
from reseller.clients.traces import CLIENT, INTERNAL, SERVER, Step, Trace, Traces, spans_of
from reseller.clock import new_id
from tests.fakes.receiver import Receiver

CALL = UUID("01936d2e-9f00-7abc-8123-456789abcdef")
CAME = 1_700_000_000_000_000_000
STEPS = (Step("admit", 0.0, 1.5), Step("upstream", 2.0, 30.0, CLIENT, (("first byte", 10.25),)), Step("settle", 30.0, 31.0))


def trace(**changes: Any) -> Trace:
    facts: dict[str, Any] = {"name": "POST /completions", "received_at": CAME, "ended_ms": 31.0, "steps": STEPS, "error": None}
    return Trace(CALL, attributes={"text": "x", "whole": 3, "flag": True}, **(facts | changes))


def test_the_trace_id_is_the_id_of_the_call_and_steps_belong_to_it() -> None:
    whole, *steps = spans_of(trace())

    assert {span["traceId"] for span in (whole, *steps)} == {CALL.hex}
    assert [span["name"] for span in (whole, *steps)] == ["POST /completions", "admit", "upstream", "settle"]
    assert [span["kind"] for span in (whole, *steps)] == [SERVER, INTERNAL, CLIENT, INTERNAL]
    assert "parentSpanId" not in whole
    assert {step["parentSpanId"] for step in steps} == {whole["spanId"]}
    assert len({span["spanId"] for span in (whole, *steps)}) == 4
    assert all(len(span["spanId"]) == 16 for span in (whole, *steps))


def test_instants_are_nanoseconds_as_text() -> None:
    _, _, upstream, _ = spans_of(trace())

    assert upstream["startTimeUnixNano"] == str(CAME + 2_000_000)
    assert upstream["endTimeUnixNano"] == str(CAME + 30_000_000)
    assert upstream["events"] == [{"name": "first byte", "timeUnixNano": str(CAME + 10_250_000)}]


def test_attributes_carry_their_type_and_an_error_its_code() -> None:
    good, bad = spans_of(trace())[0], spans_of(trace(error="insufficient_credits"))[0]

    assert good["attributes"] == [
        {"key": "text", "value": {"stringValue": "x"}},
        {"key": "whole", "value": {"intValue": "3"}},
        {"key": "flag", "value": {"boolValue": True}},
    ]
    assert "status" not in good
    assert bad["status"] == {"code": 2, "message": "insufficient_credits"}


def test_headers_are_read_as_the_specification_writes_them() -> None:
    assert dict(headers_of("")) == {}
    assert dict(headers_of("api-key=abc%3D, x-team = ops")) == {"api-key": "abc=", "x-team": "ops"}


@pytest.mark.parametrize(("percent", "least", "most"), [("0", 0, 0), ("100", 4000, 4000), ("25", 800, 1200)])
def test_so_many_of_a_hundred_calls_are_wanted(percent: str, least: int, most: int) -> None:
    traces = Traces("http://127.0.0.1:9", {}, percent=Decimal(percent), resource={})

    assert least <= sum(traces.wants(new_id()) for _ in range(4000)) <= most


def test_a_collector_gets_one_document_with_the_headers_it_wants(receiver: Receiver) -> None:
    receiver.behave("/otlp/v1/traces", 200)
    traces = Traces(receiver.url("/otlp"), {"api-key": "s3cret"}, percent=Decimal(100), resource={"service.name": "acme"})

    for _ in range(3):
        traces.tell(trace())
    traces.start()
    traces.stop(5)

    [message] = receiver.at("/otlp/v1/traces")
    [told] = orjson.loads(message.body)["resourceSpans"]
    assert (message.headers["content-type"], message.headers["api-key"]) == ("application/json", "s3cret")
    assert told["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "acme"}}]
    assert len(told["scopeSpans"][0]["spans"]) == 3 * 4

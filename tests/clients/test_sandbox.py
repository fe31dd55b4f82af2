"""The sandbox speaks OpenRouter's dialect, bills to the digit, and fails on demand."""

import base64
import json
import struct
from decimal import Decimal
from typing import Any

import gevent
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.clients import sandbox as sandbox_module
from reseller.clients.sandbox import SCENARIOS, Sandbox
from reseller.clients.sandbox_dialect import MAX_LOREM_TOKENS, tokens_of
from reseller.clients.sse import data_of, frames_in
from reseller.clients.upstream import BrokenAnswer
from reseller.errors import InsufficientBalance, RateLimited, Refusal, UpstreamDown, UpstreamRejected

CHAT = "/chat/completions"
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}


def request(text: str = "hello there", model: str = "sandbox/echo", **more: Any) -> bytes:
    return orjson.dumps({"model": model, "messages": [{"role": "system", "content": "be"}, {"role": "user", "content": text}], **more})


def whole(body: bytes, path: str = CHAT, scenario: str | None = None) -> Any:
    reply = Sandbox().send(path, body, is_stream=False, scenario=scenario)
    assert not reply.is_stream
    return json.loads(reply.read_all(), parse_float=Decimal)


def chunks(body: bytes, scenario: str | None = None, path: str = CHAT) -> list[Any]:
    reply = Sandbox().send(path, body, is_stream=True, scenario=scenario)
    assert reply.is_stream
    data = [data_of(frame) for frame in frames_in(reply.read_all())]
    return [value if value == b"[DONE]" else json.loads(value, parse_float=Decimal) for value in data if value is not None]


def said(parts: list[Any]) -> str:
    return "".join(c["delta"].get("content") or "" for part in parts if part != b"[DONE]" for c in part["choices"])


def test_the_echo_answers_with_the_last_message() -> None:
    answer = whole(request("Dobrý den 🐎"))

    assert answer["id"].startswith("gen-")
    assert answer["provider"] == "Sandbox"
    assert answer["model"] == "sandbox/echo"
    assert answer["choices"][0]["message"]["content"] == "Dobrý den 🐎"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_bill_is_tokens_times_price_exactly() -> None:
    usage = whole(request("hello there"))["usage"]

    assert usage["prompt_tokens"] == tokens_of("be" + "hello there") == 4
    assert usage["completion_tokens"] == tokens_of("hello there") == 3
    assert usage["total_tokens"] == 7
    assert usage["cost"] == 4 * Decimal("0.0000001") + 3 * Decimal("0.0000002")


@given(st.text(max_size=200))
def test_a_stream_says_and_bills_what_the_whole_answer_does(text: str) -> None:
    body = request(text)

    parts = chunks(body)
    answer = whole(body)

    assert said(parts) == answer["choices"][0]["message"]["content"] == text
    assert parts[-2]["usage"] == answer["usage"]


def test_a_stream_has_the_shape_of_openrouters() -> None:
    """OpenRouter docs, api_reference/streaming: a comment first, usage once with no choices, then [DONE]."""
    reply = Sandbox().send(CHAT, request("one two three"), is_stream=True)
    pieces = list(iter(reply.read1, b""))
    parts = chunks(request("one two three"))

    assert pieces[0] == b": OPENROUTER PROCESSING\n\n"
    assert len(pieces) > 4
    assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [p["choices"][0]["finish_reason"] for p in parts[:-2]] == [None, None, None, "stop"]
    assert parts[-2]["choices"] == []
    assert [("usage" in p) for p in parts[:-1]] == [False] * 4 + [True]
    assert parts[-1] == b"[DONE]"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_output_cap_is_kept(name: str) -> None:
    answer = whole(request("x" * 100, **{name: 5}))

    assert answer["choices"][0]["message"]["content"] == "x" * 20
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize(("cap", "tokens"), [(1, 1), (100, 100), (None, MAX_LOREM_TOKENS), (10**6, MAX_LOREM_TOKENS)])
def test_filler_text_is_as_long_as_asked_for(cap: int | None, tokens: int) -> None:
    body = request("go", model="sandbox/lorem", **({"max_tokens": cap} if cap else {}))

    first, second = whole(body), whole(body)

    assert first["usage"]["completion_tokens"] == tokens
    assert first["choices"] == second["choices"]


def test_several_choices_are_billed_each() -> None:
    one, three = whole(request("hello there")), whole(request("hello there", n=3))

    assert [c["index"] for c in three["choices"]] == [0, 1, 2]
    assert three["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]


def test_a_plain_prompt_is_completed() -> None:
    answer = whole(orjson.dumps({"model": "sandbox/echo", "prompt": "say this"}), path="/completions")
    parts = chunks(orjson.dumps({"model": "sandbox/echo", "prompt": "say this"}), path="/completions")

    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "say this"
    assert "".join(c["text"] for p in parts[:-1] for c in p["choices"]) == "say this"


def test_a_tool_is_called_when_asked() -> None:
    body = request("call Brno", tools=[WEATHER])

    message = whole(body)["choices"][0]
    deltas = [c["delta"] for p in chunks(body)[:-1] for c in p["choices"]]

    assert message["finish_reason"] == "tool_calls"
    assert message["message"]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"text":"Brno"}'}
    assert deltas[0]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert deltas[1]["tool_calls"][0]["function"]["arguments"] == '{"text":"Brno"}'


def test_tools_are_left_alone_otherwise() -> None:
    assert whole(request("hello", tools=[WEATHER]))["choices"][0]["message"]["content"] == "hello"


def test_the_same_text_has_the_same_vector_in_both_encodings() -> None:
    asked = {"model": "sandbox/embed", "input": ["one", "two", "one"], "dimensions": 8}

    plain = whole(orjson.dumps(asked), path="/embeddings")
    packed = whole(orjson.dumps({**asked, "encoding_format": "base64"}), path="/embeddings")

    vectors = [row["embedding"] for row in plain["data"]]
    unpacked = [struct.unpack("<8f", base64.b64decode(row["embedding"])) for row in packed["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(value * value for value in vectors[0]) == pytest.approx(Decimal(1))
    assert [str(round(value, 5)) for value in vectors[1]] == [str(round(Decimal(value), 5)) for value in unpacked[1]]


def test_embeddings_are_billed_for_their_prompt_alone() -> None:
    usage = whole(orjson.dumps({"model": "sandbox/embed", "input": "12345678"}), path="/embeddings")["usage"]

    assert usage["prompt_tokens"] == usage["total_tokens"] == 2
    assert "completion_tokens" not in usage
    assert usage["cost"] == 2 * Decimal("0.00000002")


def test_a_test_key_may_ask_for_any_model() -> None:
    assert whole(request("hi", model="openai/gpt-4o"))["model"] == "openai/gpt-4o"


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [("rate_limited", RateLimited), ("no_credit", InsufficientBalance), ("upstream_error", UpstreamDown), ("typo", UpstreamRejected)],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_scenario_fails_before_the_answer(scenario: str, kind: type[Refusal], is_stream: bool) -> None:
    with pytest.raises(kind):
        Sandbox().send(CHAT, request(), is_stream=is_stream, scenario=scenario)


def test_a_stream_breaks_in_the_middle_on_demand() -> None:
    parts = chunks(request("one two three four"), scenario="mid_stream_error")

    assert said(parts) == "one two "
    assert parts[-1]["error"]["code"] == 502
    assert parts[-1]["choices"][0]["finish_reason"] == "error"


def test_a_whole_answer_breaks_inside_a_200_on_demand() -> None:
    choice = whole(request("12345678"), scenario="mid_stream_error")["choices"][0]

    assert choice["message"]["content"] == "1234"
    assert choice["finish_reason"] == "error"
    assert choice["error"]["code"] == 502


def test_the_bill_is_left_out_on_demand() -> None:
    assert "usage" not in whole(request(), scenario="no_usage")
    assert not any("usage" in part for part in chunks(request(), scenario="no_usage")[:-1])


def test_a_slow_answer_takes_its_time_and_not_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "SLOW_TOTAL_SECONDS", 0.3)

    with gevent.Timeout(10):
        reply = Sandbox().send(CHAT, request("word " * 200), is_stream=True, scenario="slow")
        answer = reply.read_all()

    assert answer.endswith(b"data: [DONE]\n\n")


def test_closing_wakes_a_reader_of_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "SLOW_PAUSE_SECONDS", 10)
    reply = Sandbox().send(CHAT, request(), is_stream=True, scenario="slow")
    reader = gevent.spawn(reply.read1)
    reader.join(timeout=0.02)

    reply.close()
    reply.close()

    with pytest.raises(BrokenAnswer):
        reader.get(timeout=5)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"messages":7}', b'{"messages":[7,{"role":"user","content":[{"x":1}]}]}', b'{"model":7}']
)
@pytest.mark.parametrize("path", [CHAT, "/completions", "/embeddings"])
def test_odd_requests_are_answered_or_refused(body: bytes, path: str) -> None:
    try:
        outcome: Any = whole(body, path=path)
    except UpstreamRejected as refusal:
        outcome = refusal

    assert outcome


def test_an_unknown_endpoint_is_refused() -> None:
    with pytest.raises(UpstreamRejected):
        Sandbox().send("/audio", request(), is_stream=False)


def test_its_models_are_listed_with_prices_like_openrouters() -> None:
    entries = {entry["id"]: entry for entry in Sandbox().list_models()}

    assert set(entries) == {"sandbox/echo", "sandbox/lorem", "sandbox/embed"}
    assert entries["sandbox/echo"]["pricing"]["completion"] == "0.0000002"
    assert entries["sandbox/embed"]["architecture"]["output_modalities"] == ["embeddings"]


def test_it_is_always_up_and_keeps_no_records() -> None:
    sandbox = Sandbox()

    sandbox.check()

    assert not sandbox.has_records
    assert sandbox.find_generation("gen-1") is None
    assert "slow" in SCENARIOS


def test_a_slow_answer_tells_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "SLOW_PAUSE_SECONDS", 0.05)
    reply = Sandbox().send(CHAT, request(), is_stream=True, scenario="slow")

    pieces = list(iter(lambda: reply.read1(0.02), b""))

    assert pieces[:2] == [None, None]
    assert b"".join(piece for piece in pieces if piece).endswith(b"data: [DONE]\n\n")

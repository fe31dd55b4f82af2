"""What the gateway sees of an upstream over HTTP: replies, refusals, and a breaker in front."""

import time
from dataclasses import replace

import pytest

from reseller.clients.breaker import Breaker
from reseller.clients.openai_compatible import OpenAICompatible
from reseller.clients.openrouter import OpenRouter
from reseller.clients.upstream import BrokenAnswer, UpstreamSettings, build
from reseller.errors import Refusal, UpstreamBusy, UpstreamDown, UpstreamFailure, UpstreamRejected, UpstreamTimeout
from tests.clients.conftest import KEY, ask, body, impatient
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_scenarios import SCENARIOS
from tests.waiting import wait_until

CHAT = "/chat/completions"


@pytest.mark.parametrize("path", [CHAT, "/completions", "/embeddings"])
def test_a_whole_answer_is_read_whole(upstream: OpenRouter, fake: FakeOpenRouter, path: str) -> None:
    reply = upstream.send(path, body(prompt="hello", input="hello"), is_stream=False)

    answer = reply.read_all()
    reply.close()

    assert not reply.is_stream
    assert reply.generation_id == fake.billed[0]["id"]
    assert b'"usage"' in answer


def test_a_stream_is_told_by_its_content_type(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    reply = upstream.send(CHAT, body(stream=True), is_stream=True)

    assert reply.is_stream
    assert reply.generation_id == fake.billed[0]["id"]
    assert b"".join(iter(reply.read1, b"")).endswith(b"data: [DONE]\n\n")


def test_a_stream_that_is_answered_whole_says_so(upstream: OpenRouter) -> None:
    reply = upstream.send(CHAT, body("fake/whole-anyway", stream=True), is_stream=True)

    assert not reply.is_stream
    assert reply.read_all().startswith(b"{")


def test_an_encoded_answer_is_no_answer(upstream: OpenRouter) -> None:
    with pytest.raises(BrokenAnswer):
        ask(upstream, "fake/gzip")


def test_a_redirect_is_not_followed_and_told_to_staff(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    with pytest.raises(UpstreamDown) as refused:
        ask(upstream, "fake/redirect")

    assert refused.value.alarm == "upstream_redirected"
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("fake/status-400", UpstreamRejected, 400),
        ("fake/status-401", UpstreamDown, 503),
        ("fake/status-402", UpstreamDown, 503),
        ("fake/status-404", UpstreamRejected, 404),
        ("fake/status-413", UpstreamRejected, 413),
        ("fake/status-422", UpstreamRejected, 422),
        ("fake/status-429", UpstreamBusy, 503),
        ("fake/status-500", UpstreamDown, 502),
        ("fake/status-503", UpstreamBusy, 503),
        ("fake/status-524", UpstreamTimeout, 504),
        ("fake/html-502", UpstreamDown, 502),
        ("fake/hang", UpstreamTimeout, 504),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_refusal_never_reaches_the_caller_as_an_answer(
    upstream: OpenRouter, model: str, kind: type[UpstreamFailure], status: int, is_stream: bool
) -> None:
    with pytest.raises(kind) as refused:
        ask(upstream, model, is_stream=is_stream)

    assert type(refused.value) is kind
    assert refused.value.status == status
    assert KEY not in refused.value.message
    assert "openrouter" not in refused.value.message.lower()


def test_a_wait_that_the_upstream_asks_for_is_passed_on(upstream: OpenRouter) -> None:
    with pytest.raises(UpstreamBusy) as refused:
        ask(upstream, "fake/status-503")

    assert refused.value.retry_after_seconds == 7


def test_a_refusal_leaves_its_connection_to_the_next_call(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    for _ in range(3):
        with pytest.raises(UpstreamRejected):
            ask(upstream, "fake/status-400")

    assert fake.connections == 1


def test_an_endless_refusal_is_cut(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    fake.script(CHAT, {"status": 400, "body": "x" * 5_000_000})
    started = time.monotonic()

    with pytest.raises(UpstreamRejected):
        ask(upstream, "any")

    assert time.monotonic() - started < 10


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"comments", "slow", "large-body"}))
@pytest.mark.parametrize("is_stream", [False, True])
def test_whatever_comes_is_an_answer_or_one_of_our_refusals(upstream: OpenRouter, scenario: str, is_stream: bool) -> None:
    """An upstream may send any bytes at any speed (fault model); nothing else than our own words comes out."""
    started = time.monotonic()

    try:
        outcome: bytes | Refusal = ask(upstream, f"fake/{scenario}", is_stream=is_stream)
    except UpstreamFailure as failure:
        outcome = failure

    assert outcome
    assert time.monotonic() - started < 15


def test_hanging_up_closes_the_upstream_and_it_notices(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    """R9: client gone → the upstream is closed at once."""
    reply = upstream.send(CHAT, body("fake/slow", stream=True), is_stream=True)
    reply.read1()

    reply.close()

    assert wait_until(lambda: fake.billed[0]["cancelled"])
    assert not upstream.breaker.is_open


def test_only_the_operators_name_goes_along(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    """R28: honest attribution, fixed by the operator."""
    ask(upstream, "openai/gpt-4o-mini")

    headers = dict(fake.requests[0]["headers"])
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["http-referer"] == "https://shop.example"
    assert headers["x-openrouter-title"] == "Shop"
    assert "user-agent" not in headers


def test_the_key_is_not_shown_by_the_settings(settings: UpstreamSettings) -> None:
    assert KEY not in repr(settings)


def test_twenty_resets_open_the_breaker_and_then_nothing_is_sent(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    """R32: opens at 20 failures that are half of all, then answers 503 in under 50 ms."""
    for _ in range(20):
        with pytest.raises(UpstreamDown):
            ask(upstream, "fake/reset")

    durations = []
    for _ in range(10):
        started = time.monotonic()
        with pytest.raises(UpstreamBusy) as from_check:
            upstream.check()
        with pytest.raises(UpstreamBusy) as from_send:
            ask(upstream, "openai/gpt-4o-mini")
        durations.append(time.monotonic() - started)

    assert min(durations) < 0.05  # most of them may meet a busy machine
    assert from_check.value.status == from_send.value.status == 503
    assert len(fake.requests) == 20


def test_streams_that_break_off_open_the_breaker(upstream: OpenRouter) -> None:
    """R32: resets inside an answer count as well as before it."""
    for _ in range(20):
        with pytest.raises(UpstreamDown):
            ask(upstream, "fake/stop-mid-stream", is_stream=True)

    assert upstream.breaker.is_open


def test_nobody_listening_opens_the_breaker() -> None:
    upstream = OpenAICompatible("gone", impatient("http://127.0.0.1:9/v1"))
    for _ in range(20):
        with pytest.raises(UpstreamDown):
            ask(upstream, "any")

    with pytest.raises(UpstreamBusy):
        upstream.check()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 429])
def test_refusals_of_4xx_never_open_the_breaker(upstream: OpenRouter, status: int) -> None:
    """R32: upstream 4xx alarm but never open it."""
    for _ in range(25):
        with pytest.raises(UpstreamFailure):
            ask(upstream, f"fake/status-{status}")

    upstream.check()
    assert not upstream.breaker.is_open


def test_the_breaker_recovers_by_itself_with_one_probe(upstream: OpenRouter) -> None:
    """R32: probes after 5 s and recovers by itself."""
    seconds = [0.0]
    upstream.breaker = Breaker(clock=lambda: seconds[0])
    for _ in range(20):
        with pytest.raises(UpstreamDown):
            ask(upstream, "fake/status-500")
    seconds[0] += 5.0

    answer = ask(upstream, "openai/gpt-4o-mini")

    assert answer
    upstream.check()
    assert not upstream.breaker.is_open


def test_an_openai_compatible_upstream_gets_nothing_of_openrouter(fake: FakeOpenRouter, settings: UpstreamSettings) -> None:
    upstream = build("openai", "local", replace(settings, api_key=KEY))

    ask(upstream, "openai/gpt-4o-mini")

    names = [name for name, _ in fake.requests[0]["headers"]]
    assert "http-referer" not in names
    assert "x-openrouter-title" not in names
    assert upstream.find_generation("gen-1") is None
    assert not upstream.has_records


def test_an_unknown_kind_is_refused(settings: UpstreamSettings) -> None:
    with pytest.raises(ValueError, match="no such kind"):
        build("carrier-pigeon", "x", settings)

"""OpenRouter's lists of models and its records of calls, read without trust in their numbers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from reseller.clients.openrouter import OpenRouter, record_of
from reseller.clients.openrouter_account import OpenRouterAccount
from reseller.clients.upstream import BrokenAnswer, GenerationRecord
from reseller.errors import UpstreamBusy, UpstreamDown, UpstreamFailure, UpstreamRejected, UpstreamTimeout
from tests.clients.conftest import KEY, ask, body, impatient, sample
from tests.clients.raw_server import RawServer
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.receiver import Receiver
from tests.waiting import wait_until


def test_both_lists_are_one_catalogue(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    entries = upstream.list_models()

    assert [e["id"] for e in entries] == [m["id"] for m in fake.models + fake.embedding_models]
    assert next(e for e in entries if e["id"] == "openai/gpt-4o-mini")["pricing"]["prompt"] == "0.00000015"


def test_numbers_in_a_catalogue_are_exact(upstream: OpenRouter) -> None:
    """R16: no float touches money."""
    entry = next(e for e in upstream.list_models() if e["id"] == "google/gemini-image")

    assert entry["pricing"]["discount"] == Decimal("0.25")
    assert isinstance(entry["pricing"]["discount"], Decimal)


def test_a_missing_second_list_is_a_warning(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    fake.script("/embeddings/models", {"status": 503})

    with capture_logs() as logs:
        entries = upstream.list_models()

    assert len(entries) == len(fake.models)
    assert [line["event"] for line in logs] == ["embedding_models_missing"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"status": 503}, UpstreamBusy),
        ({"status": 404}, UpstreamRejected),
        ({"status": 401}, UpstreamDown),
        ({"before": "hang"}, UpstreamTimeout),
        ({"before": "reset"}, UpstreamDown),
        ({"body": "<html>"}, BrokenAnswer),
        ({"body": "[]"}, BrokenAnswer),
        ({"body": '{"data":null}'}, BrokenAnswer),
        ({"body": '{"data":[{"id":"a","pricing":{"prompt":NaN}}]}'}, BrokenAnswer),
        ({"body": "[" * 100_000}, BrokenAnswer),
        ({"status": 307, "headers": {"Location": "http://127.0.0.1:9/"}}, UpstreamDown),
    ],
)
def test_a_missing_first_list_is_a_failure(
    upstream: OpenRouter, fake: FakeOpenRouter, reply: dict[str, Any], kind: type[Exception]
) -> None:
    fake.script("/models", reply)

    with pytest.raises(kind):
        upstream.list_models()


@pytest.mark.parametrize("what", ["/models", "/generation", "/credits"])
def test_of_an_endless_redirect_only_the_start_is_read(what: str) -> None:
    """Of every question that is not a call: it must not fill the memory of whoever asks."""
    with Receiver() as receiver:
        settings = impatient(receiver.url(""))
        asked: dict[str, Callable[[], object]] = {
            "/models": OpenRouter("openrouter", settings).list_models,
            "/generation": lambda: OpenRouter("openrouter", settings).find_generation("gen-1"),
            "/credits": OpenRouterAccount("account", settings).credit,
        }
        for path in (what, f"{what}?id=gen-1"):
            receiver.behave(path, "long_redirect")

        with pytest.raises(UpstreamFailure) as failed:
            asked[what]()

    assert failed.value.alarm == "upstream_redirected"
    assert receiver.sent_bytes < 20_000_000
    assert [message.path.partition("?")[0] for message in receiver.messages] == [what]


def test_entries_without_an_id_are_left_out(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    fake.script("/models", {"body": '{"data":[{"id":"a"},{"id":7},{},null,"x",{"id":"a","again":1}]}'})
    fake.script("/embeddings/models", {"body": '{"data":[{"id":"a","third":1},{"id":"b"}]}'})

    assert upstream.list_models() == [{"id": "a"}, {"id": "b"}]


def test_further_pages_are_asked_for_and_no_address_is_followed(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    for name in ("a", "b"):
        page = {"data": [{"id": name}], "links": {"next": "http://127.0.0.1:9/stolen"}}
        fake.script("/models", {"body": orjson.dumps(page).decode()})
    fake.script("/models", {"body": '{"data":[]}'})
    fake.script("/embeddings/models", {"body": '{"data":[]}'})

    entries = upstream.list_models()

    assert entries == [{"id": "a"}, {"id": "b"}]
    assert [r["target"] for r in fake.requests[:3]] == ["/api/v1/models", "/api/v1/models?offset=1", "/api/v1/models?offset=2"]


def test_a_list_without_end_is_cut(fake: FakeOpenRouter) -> None:
    fake.script("/models", {"body_bytes": 3_000_000})
    upstream = OpenRouter("openrouter", impatient(fake.base_url, body_cap_bytes=1_000_000))

    with pytest.raises(BrokenAnswer):
        upstream.list_models()


def test_the_environments_proxy_is_not_used(upstream: OpenRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert upstream.list_models()
    assert ask(upstream, "openai/gpt-4o-mini")


def test_a_record_has_the_bill_to_the_last_digit(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    ask(upstream, "openai/gpt-4o-mini")
    billed = fake.billed[0]

    record = upstream.find_generation(billed["id"])

    assert record is not None
    assert record.cost_usd == Decimal(billed["cost"])
    assert (record.prompt_tokens, record.completion_tokens) == (billed["prompt_tokens"], billed["completion_tokens"])


def test_a_record_of_a_cancelled_call_has_its_bill(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    reply = upstream.send("/chat/completions", body("fake/slow", stream=True), is_stream=True)
    reply.read1()
    reply.close()
    wait_until(lambda: fake.billed[0]["ended"])

    record = upstream.find_generation(fake.billed[0]["id"])

    assert record is not None
    assert 0 < record.cost_usd == Decimal(fake.billed[0]["cost"])


def test_a_record_that_is_not_there_yet_is_none(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    """A lookup right after the call may be answered 404 (RooCodeInc/Roo-Code#915)."""
    ask(upstream, "openai/gpt-4o-mini")
    fake.script("/generation", {"status": 404})

    first, second = (upstream.find_generation(fake.billed[0]["id"]) for _ in range(2))

    assert first is None
    assert second is not None


def test_trouble_with_a_lookup_is_told(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    fake.script("/generation", {"status": 500})

    with pytest.raises(UpstreamDown):
        upstream.find_generation("gen-1")


def test_native_counts_win_over_normalised_ones() -> None:
    fields = orjson.loads(sample("generation.json"))["data"] | {"total_cost": Decimal("0.00017712345678901")}

    assert record_of("gen-1", fields) == GenerationRecord(
        generation_id="gen-1",
        cost_usd=Decimal("0.00017712345678901"),
        prompt_tokens=14,
        completion_tokens=9,
        reasoning_tokens=2,
        cached_tokens=4,
        model="anthropic/claude-sonnet",
        is_byok=False,
    )


@pytest.mark.parametrize("cost", [None, True, -1, Decimal("-0.1"), Decimal("Infinity"), "NaN", "abc", 10**9, Decimal("1e-20000"), [], {}])
def test_a_record_with_an_unsound_cost_is_none(cost: object) -> None:
    """R8: usage is untrusted."""
    assert record_of("gen-1", {"total_cost": cost, "tokens_prompt": 1, "tokens_completion": 1}) is None


@pytest.mark.parametrize("tokens", [True, -1, Decimal("1.5"), "3", 2**40])
def test_a_record_with_unsound_tokens_is_none(tokens: object) -> None:
    """R8: tokens are integers, not booleans, not negative."""
    assert record_of("gen-1", {"total_cost": 0, "native_tokens_prompt": tokens, "tokens_completion": 1}) is None


def test_a_record_of_nothing_billed_is_a_record() -> None:
    """R8: zero is a value; absence is absence."""
    record = record_of("gen-1", {"total_cost": 0, "native_tokens_prompt": 0, "native_tokens_completion": None})

    assert record is not None
    assert record.cost_usd == 0
    assert record.prompt_tokens == record.completion_tokens == 0


def test_an_odd_generation_id_is_not_believed(serve: Callable[..., RawServer]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Generation-Id: gen 1;<script>\r\n\r\n{}"
    upstream = OpenRouter("openrouter", impatient(serve(head).base_url, api_key=KEY))

    assert upstream.send("/chat/completions", b"{}", is_stream=False).generation_id is None

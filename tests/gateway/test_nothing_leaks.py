"""No answer names the supplier behind us: not its name, key, ids, headers or providers (R28)."""

import pytest

from reseller.money import format_nano
from tests.deployment import UPSTREAM_KEY
from tests.shop import SLUG, Answer, Customer, charge_for, scripted_models

SECRETS = (
    "openrouter",
    "open router",
    "gen-1756684800",
    "fakeinfra",
    "cloudflare",
    "user_2fake",
    UPSTREAM_KEY,
    "never-seen",
    "x-generation-id",
)
FIELDS = ('"provider"', '"native_finish_reason"', '"cost_details"', '"is_byok"', '"upstream_inference_cost"')
HEADERS = frozenset({
    "server", "date", "connection", "content-type", "content-length", "transfer-encoding", "cache-control", "x-accel-buffering",
    "x-request-id", "x-request-cost", "x-credits-remaining", "x-should-retry", "retry-after", "retry-after-ms", "x-content-type-options",
    "access-control-allow-origin", "access-control-expose-headers",
})  # fmt: skip


def leaks_of(answer: Answer) -> list[str]:
    """Whatever the answer should not hold."""
    text = f"{answer.headers} {answer.body.decode(errors='replace')}".lower()
    strange = [name for name in answer.headers if name not in HEADERS and not name.startswith("x-ratelimit-")]
    return [word for word in (*SECRETS, *FIELDS) if word.lower() in text] + strange


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("model", [*scripted_models(), SLUG])
def test_no_answer_of_the_upstream_shows_through(customer: Customer, model: str) -> None:
    answers = [customer.chat(model, stream=is_stream, stream_options={"include_usage": True}) for is_stream in (False, True)]

    assert [leaks_of(answer) for answer in answers] == [[], []]


@pytest.mark.parametrize(("path", "body"), [
    ("/v1/embeddings", {"model": "openai/text-embedding-3-small", "input": "hello"}),
    ("/v1/completions", {"model": SLUG, "prompt": "hello"}),
    ("/v1/completions", {"model": SLUG, "prompt": "hello", "stream": True}),
    ("/v1/models", None),
    (f"/v1/models/{SLUG}", None),
    ("/v1/key", None),
    ("/v1/credits", None),
    ("/v1/usage?group_by=model", None),
    ("/v1/nowhere", None),
])  # fmt: skip
def test_no_other_route_shows_the_supplier(customer: Customer, path: str, body: object) -> None:
    customer.chat()

    answer = customer.call(path, body)

    assert leaks_of(answer) == []


def test_a_calls_own_record_shows_neither_the_supplier_nor_its_cost(customer: Customer) -> None:
    customer.chat()
    row = customer.row

    answer = customer.call(f"/v1/generation?id=req_{row['id'].hex}")

    assert answer.status == 200
    assert leaks_of(answer) == []
    assert format(row["cost_usd"], "f").rstrip("0") not in answer.body.decode()
    assert answer.json["data"]["charge"] == format_nano(charge_for(row["cost_usd"]))


def test_another_tenants_record_does_not_exist(customer: Customer) -> None:
    """R23."""
    other = customer.shop.customer()
    other.chat()

    answer = customer.call(f"/v1/generation?id=req_{other.row['id'].hex}")

    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert customer.call("/v1/usage?group_by=key").json["data"] == []


def test_logs_hold_neither_prompts_nor_keys(customer: Customer) -> None:
    """R37."""
    customer.call("/v1/chat/completions", {"model": SLUG, "messages": [{"role": "user", "content": "the moon is a secret cheese"}]})
    customer.call(
        "/v1/chat/completions", {"model": "fake/status-500", "messages": [{"role": "user", "content": "the moon is a secret cheese"}]}
    )

    log = customer.shop.web.log
    assert "call_settled" in log
    assert "secret cheese" not in log
    assert "quick brown fox" not in log
    assert customer.key not in log
    assert UPSTREAM_KEY not in log

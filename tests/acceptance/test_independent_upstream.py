"""An upstream written by others stands behind the shop: its bills, not ours, decide what is charged (R7)."""

from collections.abc import Iterator
from typing import Any

import pytest

from reseller.money import format_nano
from tests.acceptance.aimock import Aimock
from tests.acceptance.clients import openai_client
from tests.deployment import Cluster
from tests.shop import Shop, charge_for, open_shop

MODEL = "openai/gpt-4o"
COST = "0.0000123456789"
BILL = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "cost": float(COST)}
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello! How can I help you today?", "usage": BILL}},
    {"match": {"userMessage": "refuse"}, "response": {"error": {"message": "Provider returned error"}, "status": 502}},
]


@pytest.fixture(scope="module")
def independent(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("independent")
    with Aimock(FIXTURES, folder) as upstream, open_shop(cluster, folder, OPENROUTER_BASE_URL=upstream.base_url) as shop:
        yield shop


def test_a_whole_answer_is_charged_by_the_upstreams_bill(independent: Shop) -> None:
    customer = independent.customer()

    answer = openai_client(customer).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])

    assert answer.choices[0].message.content == "Hello! How can I help you today?"
    assert customer.row["charge_nano"] == charge_for(COST)
    assert customer.row["cost_source"] == "inline"
    assert answer.usage.total_tokens == 18


def test_a_streamed_answer_is_charged_the_same(independent: Shop) -> None:
    customer = independent.customer()
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}

    chunks = list(openai_client(customer).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}], **options))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello! How can I help you today?"
    assert len([chunk for chunk in chunks if chunk.choices]) > 5
    assert customer.row["charge_nano"] == charge_for(COST)
    assert customer.books.settled_nano == 10 * 10**9 - charge_for(COST)


def test_the_price_shown_is_the_price_charged(independent: Shop) -> None:
    customer = independent.customer()

    answer = customer.chat(MODEL)

    assert answer.headers["x-request-cost"] == format_nano(charge_for(COST))
    assert format(answer.json["usage"]["cost"], "f") == format_nano(charge_for(COST))
    assert b"openrouter" not in answer.body.lower()
    assert answer.json["id"].startswith("chatcmpl-")


def test_its_failure_costs_nothing(independent: Shop) -> None:
    customer = independent.customer()

    answer = customer.call("/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "refuse"}]})

    assert answer.status == 502
    assert (customer.row["status"], customer.row["charge_nano"]) == ("failed", 0)
    assert customer.books.available_nano == 10 * 10**9

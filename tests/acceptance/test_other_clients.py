"""The openrouter SDK, which refuses every answer that does not fit its schema, and langchain-openai."""

from decimal import Decimal
from typing import Any

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openrouter import OpenRouter

from reseller.money import format_nano
from tests.shop import SLUG, Customer, Shop, charge_for

HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


@pytest.fixture
def strict(customer: Customer) -> OpenRouter:
    """The SDK made for OpenRouter, with nothing but its base URL changed."""
    return OpenRouter(api_key=customer.key, server_url=f"{customer.shop.web.origin}/api/v1")


def langchain(customer: Customer, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{customer.shop.web.origin}/v1", api_key=customer.key, model=SLUG, max_retries=0, **more)


def test_the_strict_client_reads_every_model_and_our_price(strict: OpenRouter, customer: Customer) -> None:
    listed = {model.id: model for model in strict.models.list().result.data}

    assert Decimal(listed[SLUG].pricing.prompt) == Decimal("0.00000015") * Decimal("1.25")
    assert listed["anthropic/claude-sonnet"].context_length == 1_000_000
    assert len(listed) == len(customer.call("/v1/models").json["data"])


def test_the_strict_client_reads_a_chat(strict: OpenRouter, customer: Customer) -> None:
    answer = strict.chat.send(model=SLUG, messages=HELLO)

    assert answer.choices[0].message.content.startswith("The quick brown fox")
    assert Decimal(str(answer.usage.cost)) == Decimal(format_nano(customer.row["charge_nano"]))


def test_the_strict_client_reads_a_stream_to_its_usage(strict: OpenRouter, customer: Customer) -> None:
    options: Any = {"include_usage": True}

    chunks = list(strict.chat.send(model=SLUG, messages=HELLO, stream=True, stream_options=options))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices).startswith("The quick brown fox")
    assert chunks[-1].usage.completion_tokens == customer.row["completion_tokens"]
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0


def test_the_strict_client_reads_embeddings(strict: OpenRouter, customer: Customer) -> None:
    answer = strict.embeddings.generate(model="openai/text-embedding-3-small", input="hello")

    assert answer.data[0].embedding == [0.25, -0.5, 0.125]
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0


def test_langchain_is_answered_and_counts_the_same_tokens(customer: Customer) -> None:
    answer = langchain(customer).invoke("hello")

    assert answer.content.startswith("The quick brown fox")
    assert answer.usage_metadata["output_tokens"] == customer.row["completion_tokens"]
    assert answer.response_metadata["finish_reason"] == "stop"


def test_langchain_streams_and_counts_the_same_tokens(customer: Customer) -> None:
    chunks = list(langchain(customer, stream_usage=True).stream("hello"))

    assert "".join(str(chunk.content) for chunk in chunks).startswith("The quick brown fox")
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == customer.row["completion_tokens"]


def test_langchain_calls_a_tool(customer: Customer) -> None:
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return city

    model = langchain(customer).bind_tools([get_weather])

    answer = model.invoke("the weather in Brno?", model="fake/tool-call")

    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("get_weather", {"city": "Brno"})]


def test_langchain_embeds_documents(customer: Customer) -> None:
    client = OpenAIEmbeddings(
        base_url=f"{customer.shop.web.origin}/v1",
        api_key=customer.key,
        model="openai/text-embedding-3-small",
        check_embedding_ctx_length=False,
    )

    vectors = client.embed_documents(["a", "b"])

    assert vectors == [[0.25, -0.5, 0.125]] * 2

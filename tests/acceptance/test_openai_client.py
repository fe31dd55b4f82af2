"""openai-python against a running server: what it sends is understood, what it reads is there, and it is charged."""

from decimal import Decimal
from typing import Any

import pytest

from reseller.money import format_nano
from tests.acceptance.clients import openai_client
from tests.shop import SLUG, Customer, Shop, charge_for

HELLO: Any = [{"role": "user", "content": "hello"}]
WEATHER: Any = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
]


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


def test_a_chat_is_answered_and_its_cost_is_what_was_charged(customer: Customer) -> None:
    answer = openai_client(customer).chat.completions.create(model=SLUG, messages=HELLO)

    assert answer.choices[0].message.content.startswith("The quick brown fox")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.id == f"chatcmpl-{customer.row['id'].hex}"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0
    assert Decimal(str(answer.usage.model_extra["cost"])) == Decimal(format_nano(customer.row["charge_nano"]))


def test_a_raw_answer_tells_request_id_limits_and_price(customer: Customer) -> None:
    raw = openai_client(customer).chat.completions.with_raw_response.create(model=SLUG, messages=HELLO)

    row = customer.row
    assert raw.request_id == f"req_{row['id'].hex}"
    assert raw.headers["x-request-cost"] == format_nano(row["charge_nano"])
    assert raw.headers["x-credits-remaining"] == format_nano(customer.books.settled_nano)
    assert int(raw.headers["x-ratelimit-remaining-requests"]) == int(raw.headers["x-ratelimit-limit-requests"]) - 1


def test_a_stream_without_usage_never_has_empty_choices(customer: Customer) -> None:
    chunks = list(openai_client(customer).chat.completions.create(model=SLUG, messages=HELLO, stream=True))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).startswith("The quick brown fox")
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0


def test_a_stream_with_usage_ends_with_one_chunk_that_holds_it(customer: Customer) -> None:
    options: Any = {"include_usage": True}

    chunks = list(openai_client(customer).chat.completions.create(model=SLUG, messages=HELLO, stream=True, stream_options=options))

    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == customer.row["completion_tokens"]
    assert Decimal(str(chunks[-1].usage.model_extra["cost"])) == Decimal(format_nano(customer.row["charge_nano"]))


def test_two_choices_are_two_choices(customer: Customer) -> None:
    answer = openai_client(customer).chat.completions.create(model=SLUG, messages=HELLO, n=2, max_tokens=3)

    assert [choice.index for choice in answer.choices] == [0, 1]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}


def test_the_customers_cap_reaches_the_model_under_either_name(customer: Customer) -> None:
    client = openai_client(customer)

    older = client.chat.completions.create(model=SLUG, messages=HELLO, max_tokens=3)
    newer = client.chat.completions.create(model=SLUG, messages=HELLO, max_completion_tokens=4)

    assert older.usage.completion_tokens == 3
    assert newer.usage.completion_tokens == 4


def test_tools_are_called(customer: Customer) -> None:
    answer = openai_client(customer).chat.completions.create(model="fake/tool-call", messages=HELLO, tools=WEATHER)

    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Brno"}')


def test_tools_are_called_in_a_stream(customer: Customer) -> None:
    client = openai_client(customer)

    with client.chat.completions.stream(model="fake/tool-call", messages=HELLO, tools=WEATHER, max_tokens=1) as stream:
        final = stream.get_final_completion()

    call = final.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Brno"}')
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0


def test_completions_are_answered_whole_and_streamed(customer: Customer) -> None:
    client = openai_client(customer)

    whole = client.completions.create(model=SLUG, prompt="hello")
    streamed = list(client.completions.create(model=SLUG, prompt="hello", stream=True))

    assert whole.choices[0].text.startswith("The quick brown fox")
    assert "".join(chunk.choices[0].text for chunk in streamed) == whole.choices[0].text
    assert [row["endpoint"] for row in customer.rows] == ["/completions", "/completions"]
    assert all(row["charge_nano"] > 0 for row in customer.rows)


def test_embeddings_are_answered_for_one_and_for_many(customer: Customer) -> None:
    client = openai_client(customer)

    one = client.embeddings.create(model="openai/text-embedding-3-small", input="hello")
    many = client.embeddings.create(model="openai/text-embedding-3-small", input=["a", "b", "c"])

    assert one.data[0].embedding == [0.25, -0.5, 0.125]
    assert [row.index for row in many.data] == [0, 1, 2]
    assert customer.books.settled_nano == 10 * 10**9 - sum(row["charge_nano"] for row in customer.rows)
    assert all(row["charge_nano"] == charge_for(row["cost_usd"]) > 0 for row in customer.rows)


def test_models_are_listed_and_found_by_ids_with_slashes_colons_and_tildes(customer: Customer) -> None:
    client = openai_client(customer)

    listed = {model.id: model for model in client.models.list()}
    found = [client.models.retrieve(slug) for slug in (SLUG, "meta-llama/llama-3.1-8b-instruct:free")]

    assert SLUG in listed
    assert listed[SLUG].object == "model"
    assert [model.id for model in found] == [SLUG, "meta-llama/llama-3.1-8b-instruct:free"]
    assert listed[SLUG].model_extra["pricing"]["prompt"] == "0.0000001875"


def test_a_test_key_is_answered_by_the_sandbox_at_no_charge(shop: Shop) -> None:
    customer = shop.customer(usd="0", is_test=True)

    answer = openai_client(customer).chat.completions.create(model="sandbox/echo", messages=HELLO)

    assert "hello" in answer.choices[0].message.content
    assert (customer.row["charge_nano"], customer.row["is_test"]) == (0, True)

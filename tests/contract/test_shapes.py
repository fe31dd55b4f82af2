"""The public JSON, field by field: whoever renames or retypes one breaks a customer's program, and this test first."""

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.shop import SLUG, Customer, Shop

MONEY = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?")
PRICE = re.compile(r"[0-9]+(\.[0-9]+)?")
OPTIONAL_TEXT = (str, type(None))
OPTIONAL_COUNT = (int, type(None))


class Money:
    """A decimal string of dollars."""


Shape = dict[str, Any]

ERROR: Shape = {"message": str, "type": str, "param": OPTIONAL_TEXT, "code": str}
CREDITS: Shape = {"balance": Money, "held": Money, "available": Money, "currency": str}
WINDOW: Shape = {"limit": int, "remaining": int}
RATE_LIMITS: Shape = {
    "minute": WINDOW,
    "hour": WINDOW,
    "day": WINDOW,
    "max_tokens_per_request": OPTIONAL_COUNT,
    "concurrent_requests": OPTIONAL_COUNT,
}
KEY: Shape = {
    "label": str,
    "prefix": str,
    "is_test": bool,
    "limit": (Money, type(None)),
    "limit_remaining": (Money, type(None)),
    "limit_period": OPTIONAL_TEXT,
    "usage": Money,
    "models": (list, type(None)),
    "expires_at": OPTIONAL_TEXT,
    "created_at": str,
    "rate_limits": RATE_LIMITS,
}
ARCHITECTURE: Shape = {
    "modality": str,
    "input_modalities": list,
    "output_modalities": list,
    "tokenizer": str,
    "instruct_type": OPTIONAL_TEXT,
}
TOP_PROVIDER: Shape = {"context_length": OPTIONAL_COUNT, "max_completion_tokens": OPTIONAL_COUNT, "is_moderated": bool}
MODEL: Shape = {
    "id": str,
    "object": str,
    "created": int,
    "owned_by": str,
    "name": str,
    "canonical_slug": str,
    "description": str,
    "context_length": OPTIONAL_COUNT,
    "architecture": ARCHITECTURE,
    "pricing": dict,
    "top_provider": TOP_PROVIDER,
    "per_request_limits": type(None),
    "supported_parameters": list,
    "default_parameters": type(None),
    "supported_voices": type(None),
    "links": {"details": str},
}
USAGE_SUMS: Shape = {
    "calls": int,
    "refused": int,
    "errors": int,
    "prompt_tokens": int,
    "completion_tokens": int,
    "total_tokens": int,
    "charge": Money,
}
GENERATION: Shape = {
    "id": str,
    "request_id": str,
    "created_at": str,
    "status": str,
    "error_code": OPTIONAL_TEXT,
    "model": str,
    "endpoint": str,
    "streamed": bool,
    "is_test": bool,
    "tokens_prompt": int,
    "tokens_completion": int,
    "tokens_cached": int,
    "tokens_reasoning": int,
    "charge": Money,
    "held": Money,
    "is_estimate": bool,
    "parameters": dict,
    "finish_reason": OPTIONAL_TEXT,
    "latency_ms": (Decimal, int, type(None)),
    "explanation": {"rule_id": str, "price_version": int, "lines": list},
}
CHAT: Shape = {"id": str, "object": str, "created": int, "model": str, "choices": list, "usage": dict, "system_fingerprint": OPTIONAL_TEXT}
CHOICE: Shape = {"index": int, "message": dict, "finish_reason": str, "logprobs": (dict, type(None))}
CHUNK: Shape = {"id": str, "object": str, "created": int, "model": str, "choices": list}
CHUNK_CHOICE: Shape = {"index": int, "delta": dict, "finish_reason": OPTIONAL_TEXT, "logprobs": (dict, type(None))}
USAGE: Shape = {
    "prompt_tokens": int,
    "completion_tokens": int,
    "total_tokens": int,
    "prompt_tokens_details": dict,
    "completion_tokens_details": dict,
    "cost": Decimal,
}


def assert_shape(value: Any, shape: Shape, where: str = "$") -> None:
    """Exactly these fields, each of its type; a wrong one is named."""
    assert isinstance(value, dict), where
    assert set(value) == set(shape), f"{where}: {sorted(set(value) ^ set(shape))}"
    for name, wanted in shape.items():
        if isinstance(wanted, dict):
            assert_shape(value[name], wanted, f"{where}.{name}")
        else:
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            assert any(is_a(value[name], kind) for kind in kinds), f"{where}.{name} is {value[name]!r}"


def is_a(value: Any, kind: type) -> bool:
    """`bool` is no int here, and money is a plain decimal string."""
    if kind is Money:
        return isinstance(value, str) and MONEY.fullmatch(value) is not None
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


@pytest.fixture(scope="module")
def buyer(shop: Shop) -> Customer:
    """A customer with one call behind them."""
    customer = shop.customer()
    assert customer.chat().status == 200
    return customer


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "nobody/nothing", "messages": [{"role": "user", "content": "x"}]}, 404),
        ("/v1/chat/completions", {"model": SLUG}, 400),
        ("/v1/chat/completions", {"model": "fake/status-500", "messages": [{"role": "user", "content": "x"}]}, 502),
        ("/v1/models/nobody/nothing", None, 404),
        ("/v1/nowhere", None, 404),
        ("/v1/generation?id=nonsense", None, 404),
        ("/v1/usage?group_by=nonsense", None, 400),
        ("/v1/usage?from=nonsense", None, 400),
        ("/v1/usage?from=2020-01-01&to=2026-01-01", None, 400),
    ],
)
def test_an_error(buyer: Customer, path: str, body: object, status: int) -> None:
    answer = buyer.call(path, body)

    assert answer.status == status
    assert_shape(answer.json, {"error": ERROR})


def test_a_whole_chat(buyer: Customer) -> None:
    answer = buyer.chat().json

    assert_shape(answer, CHAT)
    assert_shape(answer["choices"][0], CHOICE)
    assert_shape(answer["usage"], USAGE)
    assert answer["object"] == "chat.completion"


def test_a_streamed_chat(buyer: Customer) -> None:
    *chunks, last, done = buyer.chat(stream=True, stream_options={"include_usage": True}).frames

    for chunk in chunks:
        assert_shape(chunk, CHUNK)
        assert_shape(chunk["choices"][0], CHUNK_CHOICE)
    assert_shape(last, {**CHUNK, "usage": dict})
    assert_shape(last["usage"], USAGE)
    assert (last["choices"], last["object"], done) == ([], "chat.completion.chunk", "[DONE]")


def test_the_list_of_models_and_one_model(buyer: Customer) -> None:
    listed = buyer.call("/v1/models").json
    one = buyer.call(f"/v1/models/{SLUG}").json

    assert_shape(listed, {"object": str, "data": list, "total_count": int, "links": {"next": type(None)}})
    assert (listed["object"], listed["total_count"]) == ("list", len(listed["data"]))
    for model in (*listed["data"], one):
        assert_shape(model, MODEL, model["id"])
        assert {"prompt", "completion"} <= set(model["pricing"])
        assert all(PRICE.fullmatch(price) for price in model["pricing"].values()), model["id"]


def test_credits(buyer: Customer) -> None:
    answer = buyer.call("/v1/credits").json

    assert_shape(answer, {"data": CREDITS})
    assert answer["data"]["currency"] == "USD"


@pytest.mark.parametrize("path", ["/v1/key", "/v1/auth/key"])
def test_a_key(buyer: Customer, path: str) -> None:
    answer = buyer.call(path).json

    assert_shape(answer, {"data": KEY})
    assert answer["data"]["prefix"] == f"{buyer.key[:12]}…"
    assert buyer.key not in str(answer)


@pytest.mark.parametrize("grouping", ["day", "model", "key"])
def test_usage(buyer: Customer, grouping: str) -> None:
    answer = buyer.call(f"/v1/usage?group_by={grouping}").json

    assert_shape(answer, {"object": str, "from": str, "to": str, "group_by": str, "data": list})
    assert answer["data"]
    for row in answer["data"]:
        assert_shape(row, {**USAGE_SUMS, grouping: str})


def test_a_generation(buyer: Customer) -> None:
    call_id = buyer.chat().json["id"]

    answer = buyer.call(f"/v1/generation?id={call_id}").json

    assert_shape(answer, {"data": GENERATION})
    assert answer["data"]["id"] == call_id

"""Usage as claimed by an upstream (promise R8) and the bound of a prompt not yet sent (promise R6)."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.metering import (
    FILE_TOKENS,
    TOKENS_PER_MESSAGE,
    PromptSize,
    Usage,
    estimate_usage,
    prompt_token_bound,
    read_usage,
)

CONTEXT = 1000


def read(usage: object, **settings: Any) -> Usage | None:
    return read_usage(usage, context_length=CONTEXT, **settings)


def test_a_chat_usage_object_is_read_whole() -> None:
    text = """{"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "cost": 0.00001250, "is_byok": false,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 20, "image_tokens": 7, "audio_tokens": 2},
        "server_tool_use_details": {"web_search_requests": 1}}"""

    usage = read(json.loads(text, parse_float=Decimal))

    assert usage == Usage(
        prompt_tokens=100,
        completion_tokens=50,
        cached_tokens=60,
        cache_write_tokens=5,
        reasoning_tokens=20,
        prompt_audio_tokens=3,
        completion_audio_tokens=2,
        image_tokens=7,
        web_searches=1,
        cost_usd=Decimal("0.0000125"),
    )
    assert usage.total_tokens == 150
    assert usage.rarer_kinds() == {"prompt_audio_tokens": 3, "completion_audio_tokens": 2, "image_tokens": 7, "web_searches": 1}


def test_the_names_of_responses_are_understood() -> None:
    usage = read(
        {
            "input_tokens": 10,
            "output_tokens": 4,
            "input_tokens_details": {"cached_tokens": 8},
            "output_tokens_details": {"reasoning_tokens": 3},
            "server_tool_use": {"web_search_requests": 2},
        }
    )

    assert usage == Usage(prompt_tokens=10, completion_tokens=4, cached_tokens=8, reasoning_tokens=3, web_searches=2)


def test_cached_tokens_of_messages_are_counted_inside_the_prompt() -> None:
    usage = read({"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 5})

    assert usage == Usage(prompt_tokens=95, completion_tokens=4, cached_tokens=80, cache_write_tokens=5)


def test_zero_is_a_value_and_a_missing_cost_is_no_zero() -> None:
    without = read({"prompt_tokens": 0, "completion_tokens": 0, "cost": None})
    free = read({"prompt_tokens": 0, "completion_tokens": 0, "cost": 0})

    assert without == Usage(cost_usd=None)
    assert free == Usage(cost_usd=Decimal(0))


@pytest.mark.parametrize("bad", [True, False, -1, 1.0, Decimal("1.0"), "1", "١", float("nan"), 2 * CONTEXT + 1, 10**400, [], {}])
@pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens"])
def test_a_token_count_that_cannot_be_makes_the_whole_object_missing(field: str, bad: object) -> None:
    """R8: integers, not booleans, 0 to twice the context."""
    assert read({"prompt_tokens": 1, "completion_tokens": 1, "cost": Decimal("0.1")} | {field: bad}) is None


@pytest.mark.parametrize("details", ["prompt_tokens_details", "completion_tokens_details"])
@pytest.mark.parametrize("bad", [{"audio_tokens": -1}, {"audio_tokens": True}, "text", [1], 5])
def test_a_broken_detail_makes_the_whole_object_missing(details: str, bad: object) -> None:
    assert read({"prompt_tokens": 1, "completion_tokens": 1, details: bad}) is None


@pytest.mark.parametrize(
    "bad",
    [True, "0.1", 0.1, -1, Decimal("-0.001"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e99"), Decimal("1e-99")],
)
def test_a_cost_that_cannot_be_makes_the_whole_object_missing(bad: object) -> None:
    """R8: finite and not negative; a cost of absurd size or length is neither."""
    assert read({"prompt_tokens": 1, "completion_tokens": 1, "cost": bad}) is None


@pytest.mark.parametrize("nothing", [None, [], "usage", 5, {}, {"completion_tokens": 5}, {"prompt_tokens": None, "completion_tokens": 5}])
def test_what_is_no_usage_object_is_missing(nothing: object) -> None:
    assert read(nothing) is None


def test_an_absent_completion_is_zero_for_embeddings_alone() -> None:
    embedding = {"prompt_tokens": 5, "cost": 0}

    assert read(embedding) is None
    assert read(embedding, completion_absent_is_zero=True) == Usage(prompt_tokens=5, cost_usd=Decimal(0))


def test_several_choices_may_use_more() -> None:
    usage = {"prompt_tokens": 2 * CONTEXT, "completion_tokens": 6 * CONTEXT}

    assert read(usage) is None
    assert read(usage, n=3) == Usage(prompt_tokens=2 * CONTEXT, completion_tokens=6 * CONTEXT)


def test_a_minus_zero_cost_is_zero() -> None:
    usage = read({"prompt_tokens": 1, "completion_tokens": 1, "cost": Decimal("-0.0")})

    assert usage is not None
    assert str(usage.cost_usd) == "0.0"


def test_an_estimate_rounds_up_and_says_what_it_is() -> None:
    usage = estimate_usage(prompt_bytes=4, delivered_bytes=0)

    assert usage == Usage(prompt_tokens=2, completion_tokens=0, is_estimate=True)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "hello"}]}, 5 + TOKENS_PER_MESSAGE),
        ({"messages": [{"role": "user", "content": "größe"}]}, 7 + TOKENS_PER_MESSAGE),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, 3 + TOKENS_PER_MESSAGE),
        ({"messages": [{"role": "user", "content": None, "name": "bob"}]}, 3 + TOKENS_PER_MESSAGE),
        ({"messages": [{"role": "user", "content": "a"}] * 3}, 3 + 3 * TOKENS_PER_MESSAGE),
        ({"prompt": "hello"}, 5 + TOKENS_PER_MESSAGE),
        ({"prompt": ["a", "bc"]}, 3 + 2 * TOKENS_PER_MESSAGE),
        ({"input": "hello"}, 5 + TOKENS_PER_MESSAGE),
        ({"input": [1, 2, 300]}, 3 + TOKENS_PER_MESSAGE),
        ({"input": [[1, 2], [3]]}, 3 + 4 * TOKENS_PER_MESSAGE),
        ({"model": "m", "user": "u", "max_tokens": 5, "stream": True}, 0),
    ],
)
def test_text_counts_its_bytes_and_each_message_eight(body: dict[str, Any], tokens: int) -> None:
    assert prompt_token_bound(body) == PromptSize(tokens=tokens)


def test_images_and_files_are_counted_and_not_measured() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    paper = {"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * 100_000}}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, picture, picture, paper]}]}

    size = prompt_token_bound(body)

    assert (size.images, size.files) == (2, 1)
    assert size.tokens < 100


def test_sound_is_measured_by_its_length() -> None:
    short, long = (
        prompt_token_bound(
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A" * size, "format": "mp3"}}]}]}
        )
        for size in (1_000, 100_000)
    )

    assert (short.audio, long.audio) == (1, 1)
    assert long.tokens - short.tokens >= 99_000 // 8


def test_text_that_claims_to_be_an_attachment_is_counted() -> None:
    """A document of Messages may carry its text in `source`."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 5_000}}
    disguised = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "text": "y" * 5_000}

    size = prompt_token_bound({"messages": [{"role": "user", "content": [document, disguised]}]})

    assert size.tokens >= 10_000


def test_a_file_counts_as_a_whole_large_context() -> None:
    assert FILE_TOKENS >= 1_000_000


TEXT = st.text(max_size=40)
SCHEMA = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
PART = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT),
    st.builds(lambda text: {"type": "tool_result", "content": [{"type": "text", "text": text}]}, TEXT),
    st.builds(lambda kind, text, more: {"type": kind, "text": text, "more": more}, TEXT, TEXT, SCHEMA),
    TEXT,
)
TOOL_CALLS = st.lists(
    st.builds(lambda name, arguments: {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}, TEXT, TEXT),
    max_size=2,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system"]) | TEXT, "content": st.none() | TEXT | st.lists(PART, max_size=3)},
    optional={"name": TEXT, "tool_calls": TOOL_CALLS, "reasoning": TEXT, "unheard_of": SCHEMA},
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGE, max_size=3),
        "input": TEXT | st.lists(TEXT, max_size=3) | st.lists(MESSAGE | PART, max_size=3),
        "prompt": TEXT | st.lists(TEXT, max_size=3),
        "system": TEXT | st.lists(PART, max_size=2),
        "instructions": TEXT,
        "tools": st.lists(SCHEMA, max_size=3),
        "response_format": SCHEMA,
        "unheard_of": SCHEMA,
    },
)


def strings_in(value: object) -> int:
    """UTF-8 bytes of every string in the value, except the words of our own protocol."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return sum(strings_in(item) for item in value)
    if isinstance(value, dict):
        return sum(strings_in(item) for name, item in value.items() if name not in ("role", "type"))
    return 0


@given(BODY)
def test_no_string_that_reaches_the_model_is_undercounted(body: dict[str, Any]) -> None:
    """R6: a byte-level tokenizer never makes more tokens than bytes."""
    size = prompt_token_bound(body)

    assert size.tokens >= strings_in(body)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.decimals() | TEXT, lambda v: st.lists(v) | st.dictionaries(TEXT, v)))
def test_any_json_is_usage_within_bounds_or_missing(value: object) -> None:
    """R8: whatever bytes an upstream sends, nothing raises and nothing leaves the bounds."""
    names = ("prompt_tokens", "completion_tokens", "cost", "prompt_tokens_details")
    for name in names:
        usage = read({"prompt_tokens": 1, "completion_tokens": 1} | {name: value})
        assert usage is None or 0 <= usage.total_tokens <= 4 * CONTEXT
        assert usage is None or usage.cost_usd is None or usage.cost_usd >= 0

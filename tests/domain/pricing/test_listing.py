"""An upstream's list is untrusted text: what of it becomes facts, and what a stated problem (promise R7)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.domain.pricing.listing import MAX_DESCRIPTION_CHARACTERS, MAX_NAME_CHARACTERS, exact_number, read_listing
from reseller.domain.pricing.rates import PRICE_FIELDS, Override
from reseller.domain.pricing.tables import ModelKind
from tests.domain.pricing.samples import make_entry, make_rates


def test_an_entry_becomes_facts() -> None:
    entry = make_entry("~acme/one:free", input_cache_read="1e-7") | {"expiration_date": "2027-01-31", "unheard_of": 1}

    listing = read_listing(entry)

    assert (listing.slug, listing.name, listing.kind) == ("~acme/one:free", "Acme One", ModelKind.CHAT)
    assert (listing.context_length, listing.max_completion_tokens) == (8192, 4096)
    assert listing.expires_on == date(2027, 1, 31)
    assert listing.rates == make_rates(input_cache_read="0.0000001")
    assert listing.problem is None


@pytest.mark.parametrize(
    "entry", [None, [], "acme/one", {}, {"id": None}, {"id": 5}, {"id": ""}, {"id": "a b"}, {"id": "a" * 201}, {"id": "a\n"}, {"id": "ä"}]
)
def test_an_entry_without_a_usable_id_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match="no usable model id"):
        read_listing(entry)


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        ("-1", "prompt price is negative"),
        ("-0.0000001", "prompt price is negative"),
        (None, "prompt price is missing"),
        ("NaN", "prompt price is not a finite decimal number"),
        ("Infinity", "prompt price is not a finite decimal number"),
        (Decimal("NaN"), "prompt price is not a finite decimal number"),
        (0.1, "prompt price is not a finite decimal number"),
        (True, "prompt price is not a finite decimal number"),
        ("", "prompt price is not a finite decimal number"),
        ("1,5", "prompt price is not a finite decimal number"),
        ("1_000", "prompt price is not a finite decimal number"),
        ("٣", "prompt price is not a finite decimal number"),
        (" 1", "prompt price is not a finite decimal number"),
        ("1e-99", "prompt price is not a finite decimal number"),
        ("1e9", "prompt price is too large to be true"),
        ({}, "prompt price is not a finite decimal number"),
    ],
)
def test_a_price_that_cannot_be_is_a_problem_and_no_price(price: Any, problem: str) -> None:
    """R7: negative, non-finite or absent is never sold."""
    listing = read_listing(make_entry(prompt=price))

    assert listing.problem == problem
    assert listing.rates.prompt is None


@pytest.mark.parametrize("pricing", [None, [], "free", {}])
def test_an_entry_without_prices_has_a_problem(pricing: object) -> None:
    assert read_listing(make_entry() | {"pricing": pricing}).problem is not None


def test_a_price_of_zero_is_a_price() -> None:
    listing = read_listing(make_entry(prompt="0", completion="0"))

    assert listing.problem is None
    assert listing.rates.completion == Decimal(0)


def test_an_embedding_model_needs_no_completion_price() -> None:
    entry = make_entry(completion=None) | {"architecture": {"output_modalities": ["embeddings"]}}

    listing = read_listing(entry)

    assert (listing.kind, listing.problem) == (ModelKind.EMBEDDING, None)


def test_overrides_are_read_with_their_conditions() -> None:
    """Numbers as OpenRouter's OpenAPI `PricingOverride` has them, 2026-08."""
    overrides = [
        {"min_prompt_tokens": 200000, "prompt": "0.000002"},
        {"utc_start": 1630, "utc_end": "0030", "utc_days": ["saturday", "sunday"], "completion": "0.000001", "unheard_of": "x"},
    ]

    listing = read_listing(make_entry(overrides=overrides, discount=Decimal("0.25")))

    assert listing.problem is None
    assert listing.rates.discount == Decimal("0.25")
    assert listing.rates.overrides == (
        Override(prices=(("prompt", Decimal("0.000002")),), min_prompt_tokens=200_000),
        Override(prices=(("completion", Decimal("0.000001")),), utc_start=1630, utc_end=30, utc_days=(5, 6)),
    )


@pytest.mark.parametrize(
    "overrides",
    [
        "none",
        [5],
        [{}] * 51,
        [{"prompt": "-1"}],
        [{"prompt": "1", "min_prompt_tokens": -1}],
        [{"prompt": "1", "min_prompt_tokens": 1.5}],
        [{"prompt": "1", "utc_start": 2500}],
        [{"prompt": "1", "utc_start": 1299}],
        [{"prompt": "1", "utc_days": ["someday"]}],
        [{"prompt": "1", "utc_days": "sunday"}],
    ],
)
def test_an_override_that_cannot_be_read_is_a_problem(overrides: Any) -> None:
    assert read_listing(make_entry(overrides=overrides)).problem is not None


@pytest.mark.parametrize("discount", ["-0.1", "1.1", "NaN", 0.25])
def test_a_discount_that_cannot_be_is_a_problem(discount: Any) -> None:
    assert read_listing(make_entry(discount=discount)).problem is not None


def test_texts_are_bounded_and_fit_the_database() -> None:
    entry = make_entry() | {"name": "n" * 500, "description": "a\x00b\ud800" + "d" * 10_000, "supported_parameters": ["x" * 100, 5] * 500}

    listing = read_listing(entry)

    assert len(listing.name) == MAX_NAME_CHARACTERS
    assert len(listing.description) <= MAX_DESCRIPTION_CHARACTERS
    assert "\x00" not in listing.description
    assert listing.description.encode()
    assert len(listing.supported_parameters) == 50
    assert {len(word) for word in listing.supported_parameters} == {64}


@pytest.mark.parametrize("length", [0, -5, True, "8192", 1.5, Decimal("1.5"), 10**12, None])
def test_a_context_length_that_cannot_be_is_unknown(length: Any) -> None:
    entry = make_entry() | {"context_length": length, "top_provider": {"max_completion_tokens": length}}

    listing = read_listing(entry)

    assert (listing.context_length, listing.max_completion_tokens) == (None, None)


@given(st.decimals(min_value=0, max_value=999, places=20))
def test_a_decimal_string_is_read_exactly(number: Decimal) -> None:
    assert exact_number(format(number, "f")) == number
    assert exact_number(number) == number


PRICING_KEYS = st.sampled_from([*PRICE_FIELDS, "overrides", "discount"])
FACTS = st.sampled_from(["name", "architecture", "top_provider", "pricing", "context_length", "expiration_date", "supported_parameters"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRICING_KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(FACTS, JSON))
def test_no_entry_makes_the_reader_fail_or_lets_a_bad_price_through(facts: dict[str, Any]) -> None:
    listing = read_listing({"id": "acme/one"} | facts)

    prices = [getattr(listing.rates, name) for name in PRICE_FIELDS]
    assert all(price is None or (price.is_finite() and price >= 0) for price in prices)
    assert listing.problem or listing.rates.prompt is not None

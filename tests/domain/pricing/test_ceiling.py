"""The hold is an upper bound of the charge (promise R6)."""

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.domain.pricing.arithmetic import charge_nano, cost_of
from reseller.domain.pricing.ceiling import UNBOUNDED_CAP, HoldTerms, Tariff, compile_tariff
from reseller.domain.pricing.rates import PRICE_FIELDS, Override, Rates
from reseller.metering import Usage
from tests.domain.pricing.samples import make_rates


def make_tariff(rates: Rates, markup: str = "0", min_cost_nano: int = 0) -> Tariff:
    return compile_tariff(rates, markup_percent=Decimal(markup), min_cost_nano=min_cost_nano)


def make_terms(tariff: Tariff, **bounds: Any) -> HoldTerms:
    defaults = {"prompt_tokens": 0, "media_tokens": 0, "images": 0, "n": 1, "wants_image_output": False, "wants_audio": False}
    return tariff.terms(**(defaults | bounds))


@pytest.mark.parametrize(
    ("rates", "markup", "bounds", "cap", "nano"),
    [
        (make_rates(), "0", {"prompt_tokens": 10}, 0, 10_000),
        (make_rates(), "0", {"prompt_tokens": 10}, 5, 20_000),
        (make_rates(), "12.5", {"prompt_tokens": 10}, 5, 22_500),
        (make_rates(), "0", {"prompt_tokens": 10, "n": 3}, 5, 60_000),
        (make_rates(request="0.01"), "0", {"n": 2}, 0, 20_000_000),
        (make_rates(image="0.001"), "10", {"images": 2, "media_tokens": 100}, 0, 2_310_000),
        (make_rates(input_cache_write="0.00000125"), "0", {"prompt_tokens": 10}, 0, 12_500),
        (make_rates(internal_reasoning="0.000003"), "0", {}, 10, 30_000),
        (make_rates(audio="0.00001", audio_output="0.00002"), "0", {"prompt_tokens": 1}, 1, 3_000),
        (make_rates(audio="0.00001", audio_output="0.00002"), "0", {"prompt_tokens": 1, "wants_audio": True}, 1, 30_000),
        (make_rates(image_output="0.00003"), "0", {"wants_image_output": True}, 1, 30_000),
        (make_rates(prompt="0.0000000001", completion="0"), "0", {"prompt_tokens": 1}, 0, 1),
        (make_rates(prompt="0", completion="0"), "25", {"prompt_tokens": 1000}, 1000, 0),
    ],
)
def test_a_hold_is_the_dearest_reading_of_the_request(rates: Rates, markup: str, bounds: dict[str, Any], cap: int, nano: int) -> None:
    assert make_terms(make_tariff(rates, markup), **bounds).hold_nano(cap) == nano


def test_a_hold_is_never_below_the_minimum() -> None:
    terms = make_terms(make_tariff(make_rates(), min_cost_nano=1_000_000), prompt_tokens=1)

    assert terms.hold_nano(0) == 1_000_000


def test_the_tier_follows_the_length_of_the_prompt_times_the_choices() -> None:
    long = Override(prices=(("prompt", Decimal("0.000002")),), min_prompt_tokens=100)
    tariff = make_tariff(make_rates(overrides=(long,)))

    assert make_terms(tariff, prompt_tokens=100).hold_nano(0) == 100_000
    assert make_terms(tariff, prompt_tokens=101).hold_nano(0) == 202_000
    assert make_terms(tariff, prompt_tokens=60, n=2).hold_nano(0) == 240_000
    assert [dict(band.cap)["prompt"] for band in tariff.bands] == ["1", "2"]


def test_the_upstreams_price_cap_is_exact_and_per_million() -> None:
    tariff = make_tariff(make_rates(prompt="0.00000015", completion="0.0000006", request="0.005", internal_reasoning="0.01"), markup="25")

    assert dict(tariff.bands[0].cap) == {"prompt": "0.15", "completion": "0.6", "request": "0.005", "image": "0"}


@pytest.mark.parametrize(
    ("available", "cap"),
    [(0, -1), (9_999, -1), (10_000, 0), (11_999, 0), (12_000, 1), (1_000_000, 495)],
)
def test_the_affordable_cap_is_the_largest_that_fits(available: int, cap: int) -> None:
    assert make_terms(make_tariff(make_rates()), prompt_tokens=10).affordable_cap(available) == cap


def test_free_output_has_no_cap_and_the_minimum_must_be_there() -> None:
    terms = make_terms(make_tariff(make_rates(completion="0"), min_cost_nano=50_000), prompt_tokens=10)

    assert terms.affordable_cap(50_000) == UNBOUNDED_CAP
    assert terms.affordable_cap(49_999) == -1


PRICE = st.decimals(min_value=0, max_value=1, places=12)
OVERRIDE = st.builds(
    Override,
    prices=st.dictionaries(st.sampled_from(PRICE_FIELDS), PRICE, max_size=4).map(lambda prices: tuple(prices.items())),
    min_prompt_tokens=st.none() | st.integers(0, 3000),
    utc_start=st.none() | st.sampled_from([0, 130, 1200, 2359]),
    utc_end=st.none() | st.sampled_from([0, 130, 1200, 2400]),
    utc_days=st.none() | st.sets(st.integers(0, 6), min_size=1).map(tuple),
)
RATES = st.builds(
    lambda prices, discount, overrides: Rates(**prices, discount=discount, overrides=tuple(overrides)),
    st.dictionaries(st.sampled_from(PRICE_FIELDS), PRICE),
    st.none() | st.decimals(min_value=0, max_value=1, places=3),
    st.lists(OVERRIDE, max_size=3),
)
MARKUP = st.decimals(min_value=0, max_value=500, places=4)


@given(data=st.data(), rates=RATES, markup=MARKUP, minimum=st.integers(0, 10**7), when=st.datetimes(timezones=st.just(UTC)))
def test_no_usage_within_the_bounds_costs_more_than_its_hold(data: Any, rates: Rates, markup: Decimal, minimum: int, when: Any) -> None:
    """R6: for any prices, tiers, hours, choices and attachments."""
    n, images, cap = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3)), data.draw(st.integers(0, 2000))
    prompt, media = data.draw(st.integers(0, 2000)), images * 500
    wants_image, wants_audio = data.draw(st.booleans()), data.draw(st.booleans())
    part = st.integers(0, 2000)
    usage = Usage(
        prompt_tokens=data.draw(st.integers(0, (prompt + media) * n)),
        completion_tokens=data.draw(st.integers(0, cap * n)),
        cached_tokens=data.draw(part),
        cache_write_tokens=data.draw(part),
        reasoning_tokens=data.draw(part),
        prompt_audio_tokens=data.draw(part) if wants_audio else 0,
        completion_audio_tokens=data.draw(part) if wants_audio else 0,
        image_tokens=data.draw(part) if wants_image else 0,
    )
    terms = make_terms(
        compile_tariff(rates, markup_percent=markup, min_cost_nano=minimum),
        prompt_tokens=prompt,
        media_tokens=media,
        images=images,
        n=n,
        wants_image_output=wants_image,
        wants_audio=wants_audio,
    )

    charge = charge_nano(cost_of(usage, rates.at(usage.prompt_tokens, when), images=images), markup, min_cost_nano=minimum)

    assert charge <= terms.hold_nano(cap)


@given(rates=RATES, markup=MARKUP, minimum=st.integers(0, 10**7), available=st.integers(0, 10**10), prompt=st.integers(0, 5000))
def test_the_affordable_cap_fits_and_the_next_one_does_not(
    rates: Rates, markup: Decimal, minimum: int, available: int, prompt: int
) -> None:
    terms = make_terms(compile_tariff(rates, markup_percent=markup, min_cost_nano=minimum), prompt_tokens=prompt)

    cap = terms.affordable_cap(available)

    assert (cap == -1) == (terms.hold_nano(0) > available)
    assert cap == -1 or terms.hold_nano(cap) <= available
    assert cap in (-1, UNBOUNDED_CAP) or terms.hold_nano(cap + 1) > available

"""From usage to cost to charge, and the bill that explains it (promise R7)."""

import math
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.domain.pricing.arithmetic import charge_nano, cost_lines, cost_of
from reseller.domain.pricing.explaining import customer_lines, explain
from reseller.domain.pricing.rates import PRICE_FIELDS, Rates
from reseller.metering import Usage
from reseller.money import EXACT
from tests.domain.pricing.samples import NOON, make_rates

FULL = make_rates(
    prompt="0.000003",
    completion="0.000015",
    input_cache_read="0.0000003",
    input_cache_write="0.00000375",
    internal_reasoning="0.00002",
    audio="0.00001",
    audio_output="0.00004",
    image_output="0.00003",
    request="0.001",
    image="0.002",
    web_search="0.01",
)


def test_parts_are_inside_their_whole_and_never_counted_twice() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=100, cached_tokens=600, cache_write_tokens=100, reasoning_tokens=40)

    lines = {line.kind: (line.quantity, line.cost_usd) for line in cost_lines(usage, FULL)}

    assert lines == {
        "prompt": (300, Decimal("0.0009")),
        "cached_prompt": (600, Decimal("0.00018")),
        "cache_write": (100, Decimal("0.000375")),
        "completion": (60, Decimal("0.0009")),
        "reasoning": (40, Decimal("0.0008")),
        "request": (1, Decimal("0.001")),
    }


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(), "0.001"),
        (Usage(prompt_tokens=10, prompt_audio_tokens=10), "0.0011"),
        (Usage(completion_tokens=10, completion_audio_tokens=10), "0.0014"),
        (Usage(completion_tokens=10, image_tokens=10), "0.0013"),
        (Usage(web_searches=2), "0.021"),
        (Usage(prompt_tokens=10, cached_tokens=500), "0.001003"),
    ],
)
def test_each_kind_has_its_own_price(usage: Usage, cost: str) -> None:
    assert cost_of(usage, FULL) == Decimal(cost)


def test_a_kind_without_a_price_of_its_own_costs_what_its_whole_costs() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=5, completion_tokens=10, reasoning_tokens=5)

    assert cost_of(usage, make_rates(prompt="1", completion="2")) == Decimal(30)
    assert cost_of(usage, make_rates(prompt="1", completion="2", internal_reasoning="0")) == Decimal(30)
    assert cost_of(usage, make_rates(prompt="1", completion="2", input_cache_read="0")) == Decimal(25)


def test_images_of_the_prompt_have_a_fee_each() -> None:
    assert cost_of(Usage(), FULL, images=3) == Decimal("0.007")


@pytest.mark.parametrize(
    ("cost", "markup", "minimum", "nano"),
    [
        ("0.000001", "0", 0, 1_000),
        ("0.0000000001", "0", 0, 1),
        ("0.000001", "25", 0, 1_250),
        ("0.000000001", "25", 0, 2),
        ("0.000000008", "25", 0, 10),
        ("1", "33.333333", 0, 1_333_333_330),
        ("0", "25", 0, 0),
        ("0", "25", 500, 500),
        ("0.0000001", "25", 500, 500),
        ("0.000001", "25", 500, 1_250),
    ],
)
def test_a_charge_is_marked_up_and_rounded_up_once(cost: str, markup: str, minimum: int, nano: int) -> None:
    """R7: max(minimum, cost × (1 + markup)), a nano-dollar is the smallest step."""
    assert charge_nano(Decimal(cost), Decimal(markup), min_cost_nano=minimum) == nano


COUNT = st.integers(0, 5000) | st.integers(0, 2_000_000)
USAGE = st.builds(
    Usage,
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    cached_tokens=COUNT,
    cache_write_tokens=COUNT,
    reasoning_tokens=COUNT,
    prompt_audio_tokens=COUNT,
    completion_audio_tokens=COUNT,
    image_tokens=COUNT,
    web_searches=st.integers(0, 3),
)
RATE = st.none() | st.decimals(min_value=0, max_value=1, places=9) | st.decimals(min_value=0, max_value=Decimal("0.001"), places=30)
RATES = st.builds(Rates, **dict.fromkeys(PRICE_FIELDS, RATE))
COST = st.decimals(min_value=0, max_value=10, places=14) | st.decimals(min_value=0, max_value=1_000_000, places=60)
MARKUP = st.decimals(min_value=0, max_value=200, places=3) | st.decimals(min_value=0, max_value=10_000, places=6)
MINIMUM = st.just(0) | st.integers(0, 10**9)
NANO_OF_A_PERCENT = Fraction(10**9, 100)


@given(cost=COST, markup=MARKUP, minimum=MINIMUM)
def test_a_charge_is_the_smallest_nano_dollar_that_is_enough(cost: Decimal, markup: Decimal, minimum: int) -> None:
    """R7, against fractions, which cannot round: whatever the digits, up once and by less than one."""
    exact = Fraction(cost) * (100 + Fraction(markup)) * NANO_OF_A_PERCENT

    charge = charge_nano(cost, markup, min_cost_nano=minimum)

    assert charge == max(minimum, math.ceil(exact))


@given(cost=COST, more=COST, markup=MARKUP, minimum=MINIMUM)
def test_a_dearer_call_is_never_charged_less_and_two_in_one_never_more_than_apart(
    cost: Decimal, more: Decimal, markup: Decimal, minimum: int
) -> None:
    apart = charge_nano(cost, markup, min_cost_nano=minimum) + charge_nano(more, markup, min_cost_nano=minimum)
    together = charge_nano(EXACT.add(cost, more), markup, min_cost_nano=minimum)

    assert charge_nano(cost, markup, min_cost_nano=minimum) <= together <= apart


@given(usage=USAGE, rates=RATES, images=st.integers(0, 9))
def test_a_cost_is_every_token_once_at_its_own_rate(usage: Usage, rates: Rates, images: int) -> None:
    """R7, worked out here token by token of each kind, with fractions."""

    def rate(name: str, *others: str) -> Fraction:
        found = next((price for price in (getattr(rates, each) for each in (name, *others)) if price is not None), Decimal(0))
        return Fraction(found)

    def shared(whole: int, parts: list[tuple[int, Fraction]], own: Fraction) -> Fraction:
        total = Fraction(0)
        for count, price in parts:
            taken = min(count, whole)
            total, whole = total + taken * price, whole - taken
        return total + whole * own

    reasoning = rates.internal_reasoning or rates.completion or Decimal(0)
    read = [
        (usage.cached_tokens, "input_cache_read"),
        (usage.cache_write_tokens, "input_cache_write"),
        (usage.prompt_audio_tokens, "audio"),
    ]
    written = [
        (usage.reasoning_tokens, Fraction(reasoning)),
        (usage.image_tokens, rate("image_output", "image_token", "completion")),
        (usage.completion_audio_tokens, rate("audio_output", "completion")),
    ]
    expected = shared(usage.prompt_tokens, [(count, rate(name, "prompt")) for count, name in read], rate("prompt"))
    expected += shared(usage.completion_tokens, written, rate("completion"))
    expected += rate("request") + images * rate("image") + usage.web_searches * rate("web_search")

    assert Fraction(cost_of(usage, rates, images=images)) == expected


@given(usage=USAGE, rates=RATES, cost=st.none() | COST, markup=MARKUP, minimum=MINIMUM)
def test_the_lines_of_a_bill_add_up_to_the_charge_exactly(
    usage: Usage, rates: Rates, cost: Decimal | None, markup: Decimal, minimum: int
) -> None:
    bill = explain(usage, rates, cost_usd=cost, markup_percent=markup, min_cost_nano=minimum)

    assert sum((Fraction(line.amount_usd) for line in bill.lines), Fraction(0)) == Fraction(bill.charge_nano, 10**9)
    assert bill.cost_usd == (cost_of(usage, rates) if cost is None else cost)
    assert bill.charge_nano == charge_nano(bill.cost_usd, markup, min_cost_nano=minimum)


def test_a_bill_says_where_the_upstream_differs_from_its_list() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=100)

    bill = explain(usage, FULL, cost_usd=Decimal("0.006"), markup_percent=Decimal(10), min_cost_nano=10_000_000)

    assert [(line.kind, line.amount_usd) for line in bill.lines] == [
        ("prompt", Decimal("0.003")),
        ("completion", Decimal("0.0015")),
        ("request", Decimal("0.001")),
        ("difference", Decimal("0.0005")),
        ("markup", Decimal("0.0006")),
        ("minimum", Decimal("0.0034")),
    ]


def make_call(**facts: Any) -> Any:
    defaults = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage_details": None,
        "created_at": NOON,
        "cost_usd": Decimal("0.0055"),
        "markup_percent": Decimal(10),
        "min_cost_usd": Decimal(0),
        "charge_usd": Decimal("0.00605"),
        "is_test": False,
        "overage_loss_usd": Decimal(0),
    }
    return SimpleNamespace(**(defaults | facts))


def test_a_customer_sees_sell_prices_that_add_up() -> None:
    assert customer_lines(make_call(), FULL) == [
        {"kind": "prompt", "label": "prompt tokens", "quantity": 1000, "price": "0.0000033", "amount": "0.0033"},
        {"kind": "completion", "label": "completion tokens", "quantity": 100, "price": "0.0000165", "amount": "0.00165"},
        {"kind": "request", "label": "request fee", "quantity": 1, "price": "0.0011", "amount": "0.0011"},
    ]


@pytest.mark.parametrize(
    ("facts", "last", "amount"),
    [
        ({"cost_usd": Decimal("0.005"), "charge_usd": Decimal("0.0055")}, "difference", "-0.00055"),
        ({"min_cost_usd": Decimal("0.01"), "charge_usd": Decimal("0.01")}, "minimum", "0.00395"),
        ({"charge_usd": Decimal("0.005")}, "limited", "-0.00105"),
        ({"usage_details": {"web_searches": 1}, "cost_usd": None, "charge_usd": Decimal("0.01705")}, "web_search", "0.011"),
    ],
)
def test_a_customer_sees_what_else_made_the_charge(facts: dict[str, Any], last: str, amount: str) -> None:
    call = make_call(**facts)

    lines = customer_lines(call, FULL)

    assert (lines[-1]["kind"], lines[-1]["amount"]) == (last, amount)
    assert sum((Decimal(line["amount"]) for line in lines), Decimal(0)) == call.charge_usd

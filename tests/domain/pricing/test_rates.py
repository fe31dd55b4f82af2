"""Upstream prices: overrides by length and hour, discount, the dearest reachable, and doubtful changes (promise R7)."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from reseller.domain.pricing.rates import PRICE_FIELDS, Override, Rates, dearest, list_prices, suspicious_change
from reseller.domain.pricing.tables import ModelPrice
from tests.domain.pricing.samples import NOON, make_rates


def make_override(prompt: str = "5", **conditions: Any) -> Override:
    return Override(prices=(("prompt", Decimal(prompt)),), **conditions)


def at_hour(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 22, hour, minute, tzinfo=UTC)


def test_every_price_field_has_its_column_and_its_rate() -> None:
    assert tuple(field.name for field in fields(Rates))[: len(PRICE_FIELDS)] == PRICE_FIELDS
    assert set(PRICE_FIELDS) <= set(ModelPrice.__table__.columns.keys())


def test_a_long_prompt_price_begins_strictly_above_its_threshold() -> None:
    rates = make_rates(prompt="1", overrides=(make_override(min_prompt_tokens=200_000),))

    assert rates.at(200_000, NOON).prompt == Decimal(1)
    assert rates.at(200_001, NOON).prompt == Decimal(5)


@pytest.mark.parametrize(
    ("start", "end", "when", "applies"),
    [
        (100, 400, at_hour(1), True),
        (100, 400, at_hour(3, 59), True),
        (100, 400, at_hour(4), False),
        (100, 400, at_hour(0, 59), False),
        (1630, 30, at_hour(16, 30), True),
        (1630, 30, at_hour(0, 29), True),
        (1630, 30, at_hour(0, 30), False),
        (1630, 30, at_hour(12), False),
        (2200, 2400, at_hour(23, 59), True),
        (500, 500, at_hour(12), True),
        (None, 400, at_hour(3), True),
        (2000, None, at_hour(19), False),
    ],
)
def test_a_window_includes_its_start_excludes_its_end_and_may_wrap(
    start: int | None, end: int | None, when: datetime, applies: bool
) -> None:
    rates = make_rates(prompt="1", overrides=(make_override(utc_start=start, utc_end=end),))

    assert rates.at(10, when).prompt == Decimal(5 if applies else 1)


def test_a_window_may_be_for_some_days_only() -> None:
    sunday, monday = make_override(utc_days=(6,)), make_override(utc_days=(0,))

    assert sunday.applies(1, NOON)
    assert not monday.applies(1, NOON)


def test_the_later_override_wins_price_by_price_and_missing_ones_inherit() -> None:
    first = Override(prices=(("prompt", Decimal(5)), ("completion", Decimal(6))))
    second = Override(prices=(("prompt", Decimal(7)),))
    rates = make_rates(prompt="1", completion="2", request="3", overrides=(first, second))

    resolved = rates.at(1, NOON)

    assert resolved == make_rates(prompt="7", completion="6", request="3")


def test_the_discount_is_taken_off_every_price() -> None:
    rates = make_rates(prompt="0.000003", completion="0.00001", discount="0.25")

    assert rates.at(1, NOON) == make_rates(prompt="0.00000225", completion="0.0000075")


def test_the_dearest_looks_at_every_reachable_override_and_kind_of_token() -> None:
    rates = make_rates(
        prompt="1",
        completion="2",
        input_cache_write="1.25",
        internal_reasoning="3",
        discount="0.5",
        overrides=(make_override("9", min_prompt_tokens=100), make_override("4", utc_start=100, utc_end=200)),
    )

    assert dearest(rates, 100).prompt == Decimal(4)
    assert dearest(rates, 101).prompt == Decimal(9)
    assert dearest(rates, 1).completion == Decimal(3)
    assert dearest(make_rates(prompt="1", input_cache_write="1.25"), 1).prompt == Decimal("1.25")


def test_list_prices_leave_caches_and_reasoning_out() -> None:
    rates = make_rates(prompt="1", completion="2", input_cache_write="1.25", internal_reasoning="3", overrides=(make_override("1.1"),))

    listed = list_prices(rates, 1)

    assert (listed.prompt, listed.completion) == (Decimal("1.1"), Decimal(2))


def test_an_override_survives_the_database_form() -> None:
    override = Override(
        prices=(("prompt", Decimal("0.0000000001")), ("completion", Decimal("1E-7"))),
        min_prompt_tokens=5,
        utc_start=0,
        utc_end=630,
        utc_days=(0, 6),
    )

    assert Override.from_json(override.to_json()) == override
    assert override.to_json()["completion"] == "0.0000001"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({}, {"prompt": "0.000003"}, None),
        ({}, {"prompt": "0.0000030001"}, "prompt price goes from 0.000001 to 0.0000030001: more than 3 times different"),
        ({}, {"completion": "0.0000006"}, "more than 3 times different"),
        ({}, {"completion": "0.000000666666666666666666667"}, None),
        ({}, {"prompt": "0"}, "free from paid"),
        ({"prompt": "0"}, {}, "more than 3 times different"),
        ({"prompt": "0"}, {"prompt": "0"}, None),
        ({"input_cache_read": "0.1"}, {}, "input_cache_read price is gone"),
        ({"input_cache_read": "0"}, {}, None),
        ({}, {"input_cache_read": "0.1"}, None),
        ({}, {"request": "0.01"}, "request price goes from 0 to 0.01"),
        ({}, {"request": "0"}, None),
        ({}, {"discount": "1"}, "free from paid"),
        ({}, {"discount": "0.5"}, None),
        ({}, {"overrides": (make_override("0.000002"),)}, None),
        ({}, {"overrides": (make_override("1"),)}, "more than 3 times different"),
    ],
)
def test_a_price_that_jumps_must_be_looked_at(old: dict[str, Any], new: dict[str, Any], words: str | None) -> None:
    """R7: absent, free from paid, or more than three times different, either way."""
    reason = suspicious_change(make_rates(**old), make_rates(**new))

    assert reason is None if words is None else words in (reason or "")


def test_a_price_that_follows_its_own_timetable_is_no_change() -> None:
    night = (make_override("0.25", utc_start=1630, utc_end=30), make_override("1", utc_start=30, utc_end=1630))

    assert suspicious_change(make_rates(prompt="1", overrides=night), make_rates(prompt="0.25", overrides=night)) is None

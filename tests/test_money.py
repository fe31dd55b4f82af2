"""Money is exact decimals and integers of nano-dollars; one rounding, upwards (promises R7, R16)."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from reseller.money import (
    EXACT,
    MAX_NANO,
    Usd,
    UsdRate,
    display_usd,
    fixed_usd,
    format_decimal,
    format_nano,
    parse_usd,
    places_of,
    round_up_charge,
    to_nano,
    to_usd,
)

DIALECT = postgresql.dialect()
nanos = st.integers(min_value=-MAX_NANO, max_value=MAX_NANO)


@given(nanos)
def test_nano_dollars_survive_the_way_to_dollars_and_back(nano: int) -> None:
    """R16."""
    assert to_nano(to_usd(nano)) == nano


@given(nanos)
def test_the_text_of_an_amount_reads_back_as_the_same_amount(nano: int) -> None:
    """R16: decimal strings carry every digit and no exponent."""
    text = format_nano(nano)

    assert "E" not in text
    assert to_nano(Decimal(text)) == nano


@pytest.mark.parametrize("amount", [0.1, 1, True, "1", None, Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN")])
def test_what_is_no_finite_decimal_is_no_amount(amount: Any) -> None:
    """R16: floats least of all."""
    with pytest.raises(ValueError, match="not an amount"):
        to_nano(amount)


def test_an_amount_finer_than_a_nano_dollar_is_refused_not_rounded() -> None:
    """R16."""
    with pytest.raises(ValueError, match="finer"):
        to_nano(Decimal("0.0000000001"))


def test_an_amount_beyond_64_bits_is_refused() -> None:
    assert to_nano(Decimal("9223372036.854775807")) == MAX_NANO
    with pytest.raises(ValueError, match="too large"):
        to_nano(Decimal("9223372036.854775808"))


@pytest.mark.parametrize(
    ("usd", "nano"),
    [
        ("0", 0),
        ("0.000000001", 1),
        ("0.0000000001", 1),
        ("0.0000000010000000000000000000000000001", 2),
        ("1.0000000000", 1_000_000_000),
        ("0.0000000005", 1),
    ],
)
def test_a_charge_is_rounded_up_to_a_nano_dollar(usd: str, nano: int) -> None:
    """R7."""
    assert round_up_charge(Decimal(usd)) == nano


@given(st.decimals(min_value=0, max_value=10**6, places=40, allow_nan=False))
def test_a_rounded_charge_is_less_than_a_nano_dollar_too_much_and_never_too_little(amount: Decimal) -> None:
    """R7."""
    excess = EXACT.subtract(to_usd(round_up_charge(amount)), amount)

    assert 0 <= excess < Decimal("1e-9")


@pytest.mark.parametrize("text", ["12.50", "0", "0.000000001", "-3", "999999999", "1.500000000000"])
def test_plain_decimal_text_is_an_amount(text: str) -> None:
    assert parse_usd(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1e3",
        "1E3",
        "+1",
        "1,000",
        "1_000",
        ".5",
        "5.",
        "٣",
        "１",
        "NaN",
        "Infinity",
        "0x1",
        "--1",
        "1\n",
        "0.0000000001",
        "9999999999999",
    ],
)
def test_anything_else_is_no_amount(text: str) -> None:
    """R16: what `int()` or `Decimal()` would accept is not enough."""
    with pytest.raises(ValueError, match="decimal amount|finer|too large"):
        parse_usd(text)


def test_a_number_is_not_the_text_of_an_amount() -> None:
    with pytest.raises(ValueError, match="not a decimal amount"):
        parse_usd(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E-7", "0.0000001"),
        ("12.500", "12.5"),
        ("100", "100"),
        ("1E+2", "100"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("0", "0"),
        ("-1.50", "-1.5"),
    ],
)
def test_decimals_are_written_plainly(value: str, text: str) -> None:
    assert format_decimal(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "$0.00"),
        ("1234567.5", "$1,234,567.50"),
        ("0.0000004", "$0.00"),
        ("0.000004", "$0.000004"),
        ("-2.5", "-$2.50"),
        ("0.0002", "$0.000200"),
        ("-0.0000001", "$0.00"),
    ],
)
def test_people_see_cents_or_six_places(value: str, text: str) -> None:
    assert display_usd(Decimal(value)) == text


@pytest.mark.parametrize(
    ("amounts", "texts"),
    [
        ([], []),
        ([0], ["$0.00"]),
        ([12_340_000_000, -5_000_000_000], ["$12.34", "-$5.00"]),
        ([1_234_567_000_001_000, -20_000_000], ["$1,234,567.000001", "-$0.020000"]),
        ([10**9, -1], ["$1.000000000", "-$0.000000001"]),
    ],
)
def test_a_column_has_the_places_that_show_every_digit_of_it(amounts: list[int], texts: list[str]) -> None:
    places = places_of(iter(amounts))

    assert [fixed_usd(nano, places) for nano in amounts] == texts


def test_an_inexact_sum_raises_instead_of_rounding() -> None:
    """R16: 120 digits are enough for every price; if they are not, nobody is charged a rounded one."""
    with pytest.raises(ArithmeticError):
        EXACT.divide(Decimal(1), Decimal(3))


def test_a_money_column_writes_integers_and_reads_dollars() -> None:
    column = Usd()

    assert column.process_bind_param(Decimal("1.25"), DIALECT) == 1_250_000_000
    assert column.process_result_value(1_250_000_000, DIALECT) == Decimal("1.25")
    assert column.process_bind_param(None, DIALECT) is None
    assert column.process_result_value(None, DIALECT) is None


@pytest.mark.parametrize("column", [Usd(), UsdRate()])
def test_a_money_column_refuses_floats_and_what_is_not_finite(column: Any) -> None:
    """R16."""
    for value in (1.5, Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(ValueError):
            column.process_bind_param(value, DIALECT)


def test_a_price_column_keeps_every_place() -> None:
    rate = Decimal("0.000000000000000000123")

    assert UsdRate().process_bind_param(rate, DIALECT) == rate


def test_ten_thousand_calls_at_four_ten_millionths_cost_exactly_four_thousandths() -> None:
    """R16: what floats would get wrong."""
    price = json.loads("0.0000004", parse_float=Decimal)

    assert format_nano(sum(round_up_charge(price) for _ in range(10_000))) == "0.004"

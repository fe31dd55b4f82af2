"""What fees leave of a charge. The break-even table is worked out by hand in the comment of each row."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.domain.pricing.margin import Fees, is_below_break_even, margin_of


def fees(top_up_usd: str = "20", card: str = "2.9", fixed: str = "0.30", upstream: str = "5.5") -> Fees:
    return Fees(Decimal(card), Decimal(fixed), Decimal(upstream), Decimal(top_up_usd))


@pytest.mark.parametrize(
    ("pack", "percent"),
    [
        ("5", "15.8"),  # 5.275 / 4.555
        ("10", "12.1"),  # 10.55 / 9.41
        ("20", "10.4"),  # 21.1 / 19.12
        ("100", "9.0"),  # 105.5 / 96.8
    ],
)
def test_break_even_by_pack(pack: str, percent: str) -> None:
    assert round(fees(pack).break_even_percent, 1) == Decimal(percent)


@pytest.mark.parametrize(
    ("markup", "pack", "loses"),
    [
        ("10", "10", True),
        ("12.11", "10", True),
        ("12.12", "10", False),
        ("10", "20", True),
        ("10", "100", False),
        ("0", "100", True),
        ("25", "5", False),
    ],
)
def test_ten_percent_on_ten_dollar_packs_loses_money(markup: str, pack: str, loses: bool) -> None:
    assert is_below_break_even(Decimal(markup), fees(pack)) is loses
    assert (margin_of(Decimal(1), Decimal(markup), fees(pack)).kept_usd < 0) is loses


def test_one_unit_line_by_line() -> None:
    """$3.00 a million at 25 %: $3.75; the card keeps 4.4 % of a $20 pack, buying costs 5.5 %."""
    margin = margin_of(Decimal("3"), Decimal(25), fees("20"))

    assert (margin.charge_usd, margin.card_fee_usd, margin.upstream_fee_usd) == (Decimal("3.75"), Decimal("0.165"), Decimal("0.165"))
    assert margin.kept_usd == Decimal("0.42")
    assert margin.kept_percent == Decimal("11.2")


def test_without_fees_the_markup_is_the_margin() -> None:
    free = fees(card="0", fixed="0", upstream="0")

    assert free.break_even_percent == 0
    assert margin_of(Decimal(4), Decimal(25), free).kept_usd == 1
    assert not is_below_break_even(Decimal(0), free)


def test_what_costs_nothing_has_no_share_to_keep() -> None:
    margin = margin_of(Decimal(0), Decimal(25), fees())

    assert (margin.charge_usd, margin.kept_usd, margin.kept_percent) == (0, 0, None)


@given(markup=st.decimals(0, 500, places=4), pack=st.decimals(1, 1000, places=2))
def test_nothing_is_lost_at_or_above_break_even(markup: Decimal, pack: Decimal) -> None:
    """The comparison and the percentage agree, as far as the percentage tells (six places)."""
    told = fees(str(pack))

    if abs(markup - told.break_even_percent) > Decimal("0.000001"):
        assert is_below_break_even(markup, told) is (markup < told.break_even_percent)

"""How amounts and lengths of time look on pages."""

from datetime import timedelta
from decimal import Decimal

import pytest

from reseller.clock import now
from reseller.web.formats import counted, duration, exact_usd, next_try, usd


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "–"),
        (Decimal("0.0000000001"), "$0.0000000001"),
        (Decimal("-0.0000036225"), "-$0.0000036225"),
        (1_500_000_000, "$1.50"),
        (-1, "-$0.000000001"),
    ],
)
def test_every_digit_is_shown_and_the_sign_stands_before_the_dollar(amount: Decimal | int | None, shown: str) -> None:
    assert exact_usd(amount) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (1, "<$0.000001"),
        (-500, ">-$0.000001"),
        (501, "$0.000001"),
        (1500, "$0.000002"),
        (Decimal("0.00000005"), "<$0.000001"),
        (Decimal("-0.25"), "-$0.25"),
    ],
)
def test_too_little_for_six_places_is_not_shown_as_nothing(amount: Decimal | int, shown: str) -> None:
    assert usd(amount) == shown


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (None, "–"),
        (0.44, "0.4 ms"),
        (157.2, "157 ms"),
        (1250.0, "1.25 s"),
        (timedelta(seconds=200), "3 min 20 s"),
        (timedelta(hours=23, minutes=59), "23 h 59 min"),
    ],
)
def test_a_length_of_time_has_the_unit_that_suits_it(span: timedelta | float | None, shown: str) -> None:
    assert duration(span) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 calls"), (1, "1 call"), (2, "2 calls"), (1200, "1,200 calls")])
def test_one_thing_is_not_many(count: int, shown: str) -> None:
    assert counted(count, "call") == shown


def test_what_is_due_waits_for_its_turn() -> None:
    """Deliveries go one after the other: the time at which one was due first says nothing about when it is tried."""
    assert [next_try(at) for at in (now() - timedelta(seconds=1), None)] == ["in its turn", "–"]

"""The credit that is left with the upstream, how long it lasts, and one alarm for each time that it becomes low."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from reseller.clock import now
from reseller.domain import supplier
from reseller.domain.supplier import Balance, Threshold, credit

pytestmark = pytest.mark.usefixtures("app")
START = now()
LOW = Threshold(Decimal(20), 3)


def note(used: str, *, bought: str = "100", hours: float = 0, threshold: Threshold = LOW) -> Balance:
    at: datetime = START + timedelta(hours=hours)
    with patch.object(credit, "now", return_value=at):
        return supplier.note("openrouter", bought_usd=Decimal(bought), used_usd=Decimal(used), threshold=threshold)


def alarms(logged: list[Any]) -> int:
    return sum(event.get("alarm") == "upstream_balance_low" for event in logged)


def test_what_is_left_what_a_day_takes_and_how_long_it_lasts() -> None:
    first = note("10")
    soon = note("11", hours=1)
    later = note("22", hours=24)

    assert (first.remaining_usd, first.burn_usd, first.days_left) == (90, None, None)
    assert soon.burn_usd is None
    assert (later.remaining_usd, later.burn_usd, later.days_left) == (78, 12, Decimal("6.5"))
    assert supplier.balance_of("openrouter") == later
    assert supplier.balance_of("another") is None


def test_the_pace_is_that_of_the_last_week() -> None:
    note("0")
    note("70", hours=24)

    assert note("77", hours=24 * 8).burn_usd == 1


def test_low_alarms_once_until_it_has_clearly_risen(logged: list[Any]) -> None:
    steps = [note(used, hours=0.1 * n).is_low for n, used in enumerate(("79", "80.01", "79", "81", "77", "81"))]

    assert steps == [False, True, True, True, False, True]
    assert alarms(logged) == 2


def test_days_left_count_as_well_as_dollars(logged: list[Any]) -> None:
    note("0", bought="1000")

    assert not note("200", bought="1000", hours=24).is_low
    assert note("700", bought="1000", hours=48).is_low  # 300 left, 350 a day
    assert alarms(logged) == 1


def test_an_account_that_is_empty_is_low_whatever_the_threshold(logged: list[Any]) -> None:
    assert note("100.5", threshold=Threshold(Decimal(0), 0)).is_low
    assert not note("99", hours=1, threshold=Threshold(Decimal(0), 0)).is_low


def test_nothing_used_lasts_for_ever() -> None:
    note("10")

    found = note("10", hours=48)

    assert (found.burn_usd, found.days_left, found.is_low) == (0, None, False)

"""How long money lasts, honestly."""

from decimal import Decimal

import pytest

from reseller.domain.usage.pace import Pace
from reseller.portal.outlook import in_words

USD = 10**9
CASES = (
    (10 * USD, "7", 7, "10 days", False),
    (10 * USD, "70", 7, "24 hours", True),
    (25 * USD, "70", 7, "2 days", True),
    (30 * USD, "70", 7, "3 days", False),
    (USD, "70", 7, "2 hours", True),
    (USD // 100, "70", 7, "under an hour", True),
    (10_000 * USD, "7", 7, "over a year", False),
    (10 * USD, "2", 2, "10 days", False),
    (10 * USD, "5", 1, "–", False),
    (10 * USD, "0", 7, "–", False),
    (0, "7", 7, "0 days", True),
    (-USD, "7", 7, "0 days", True),
)


@pytest.mark.parametrize(("available", "charged", "days", "lasts", "is_low"), CASES)
def test_lasts(available: int, charged: str, days: int, lasts: str, is_low: bool) -> None:
    found = in_words(available, Pace(Decimal(charged), days))

    assert (found.lasts, found.is_low) == (lasts, is_low)

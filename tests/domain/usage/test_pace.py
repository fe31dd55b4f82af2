"""An account's day so far and its pace: exact while sums are old, being made, or not there at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask

from reseller.domain.usage import rollup
from reseller.domain.usage.pace import Pace, pace_of, today_of
from tests.domain import scenes
from tests.domain.usage import calls

MINE, THEIRS = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 18, 12, 7, tzinfo=UTC)
NANO = Decimal("0.000000001")


@pytest.fixture(autouse=True)
def noon() -> object:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.mark.parametrize("is_summed", [True, False])
def test_today_is_since_midnight_of_the_zone(app: Flask, is_summed: bool) -> None:
    """Kolkata's day began at half past six in the evening of UTC's yesterday."""
    at = datetime(2026, 3, 17, 18, 29, 59, tzinfo=UTC)
    calls.write(
        [
            calls.row(at, MINE),
            calls.row(at + timedelta(seconds=1), MINE, charge_nano=7),
            calls.row(NOON - timedelta(minutes=3), MINE, status="failed", charge_nano=0),
            calls.row(NOON - timedelta(minutes=2), MINE, status="refused", charge_nano=0),
            calls.row(NOON - timedelta(minutes=2), THEIRS),
        ]
    )
    if is_summed:
        rollup.run()

    kolkata, new_york = today_of(MINE, ZoneInfo("Asia/Kolkata")), today_of(MINE, ZoneInfo("America/New_York"))

    assert (kolkata.calls, kolkata.errors, kolkata.refused, kolkata.charge_usd) == (2, 1, 1, 7 * NANO)
    assert (new_york.calls, new_york.charge_usd) == (1, 0)


def test_a_call_counts_at_once_and_not_again_once_it_is_summed(app: Flask) -> None:
    calls.write([calls.row(NOON - timedelta(minutes=5), MINE, charge_nano=1)])
    rollup.run()
    [settled] = scenes.rows("SELECT clock_timestamp() AS at")
    calls.write([calls.row(NOON - timedelta(minutes=4), MINE, charge_nano=20, settled_at=settled["at"])])

    before = today_of(MINE, ZoneInfo("UTC"))
    rollup.run()
    after = today_of(MINE, ZoneInfo("UTC"))

    assert before == after
    assert (before.calls, before.charge_usd) == (2, 21 * NANO)


def test_pace_is_the_charge_of_a_day_over_seven(app: Flask) -> None:
    calls.write([calls.row(NOON - timedelta(days=number, hours=1), MINE, charge_nano=700 * number) for number in range(10)])
    rollup.run()

    pace = pace_of(MINE)

    assert pace.days == 7
    assert pace.charge_usd == 700 * sum(range(7)) * NANO


@pytest.mark.parametrize("is_summed", [True, False])
def test_pace_of_an_account_that_began_yesterday_is_not_spread_over_a_week(app: Flask, is_summed: bool) -> None:
    calls.write([calls.row(NOON - timedelta(hours=30), MINE, charge_nano=500), calls.row(NOON, MINE, charge_nano=300)])
    if is_summed:
        rollup.run()

    assert pace_of(MINE) == Pace(800 * NANO, days=2)


def test_an_account_without_calls_has_no_pace(app: Flask) -> None:
    who = scenes.customer()

    assert (today_of(who.account_id, ZoneInfo("UTC")).calls, pace_of(who.account_id).charge_usd) == (0, 0)

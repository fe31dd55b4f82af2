"""Sums of usage are those of the raw rows: whatever settles late, however often they are made, whoever is killed at it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import acting_as_operator, db
from reseller.domain.calls import facts_of
from reseller.domain.usage import histogram, rollup
from reseller.errors import NotForSale
from reseller.wiring import wiring_of
from tests.domain import scenes
from tests.domain.usage import calls

ACCOUNTS = [UUID(int=number) for number in range(1, 8)]
START = calls.day("2026-03-25")  # over a change of clocks in Europe
TABLES = ("usage_hours", "usage_latencies", "account_days", "account_months", "traffic_hours", "traffic_days", "traffic_totals")
SUMS = "sum(calls) AS calls, sum(refused) AS refused, sum(errors) AS errors, sum(charge_nano) AS charge, sum(cost_usd) AS cost"
RAW = """count(*) FILTER (WHERE status <> 'refused') AS calls, count(*) FILTER (WHERE status = 'refused') AS refused,
         count(*) FILTER (WHERE status IN ('failed', 'partial', 'voided')) AS errors, sum(charge_nano) AS charge,
         coalesce(sum(cost_usd), 0) AS cost"""


def everything() -> dict[str, list[Any]]:
    """Every sum there is, in a fixed order."""
    return {table: sorted(scenes.rows(f"SELECT * FROM {table}"), key=str) for table in TABLES}


def fill(seed: int, count: int = 400) -> None:
    calls.write(calls.random_rows(Random(seed), ACCOUNTS, count, start=START, days=9))


def test_sums_are_those_of_the_rows_and_again_changes_nothing(app: Flask) -> None:
    fill(1)

    first = rollup.run()
    sums = everything()
    second = rollup.run()

    assert first > 100
    assert second == 0, "nothing was settled since"
    assert everything() == sums
    assert rollup.differences() == []


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu", "Europe/London"])
def test_days_of_every_zone_are_exact(app: Flask, zone: str) -> None:
    """Days differ from zone to zone; each is the sum of its own raw rows, and all of them together are the same."""
    fill(2)
    rollup.run()
    days = "SELECT (created_at AT TIME ZONE :zone)::date AS day, {} FROM usage_logs GROUP BY 1 ORDER BY 1"

    raw = scenes.rows(days.format(RAW), zone=zone)
    for table in ("usage_hours", "traffic_hours", "traffic_totals"):
        summed = scenes.rows(f"SELECT (starts_at AT TIME ZONE :zone)::date AS day, {SUMS} FROM {table} GROUP BY 1 ORDER BY 1", zone=zone)
        assert summed == raw

    total = scenes.rows(f"SELECT {SUMS} FROM traffic_days")[0]
    assert {name: sum(row[name] for row in raw) for name in total} == total


def test_zones_divide_the_same_calls_into_different_days(app: Flask) -> None:
    """Otherwise the test above would prove nothing."""
    fill(3)
    by_zone = "SELECT (created_at AT TIME ZONE :zone)::date AS day, count(*) AS n FROM usage_logs GROUP BY 1 ORDER BY 1"

    days = [tuple(row["n"] for row in scenes.rows(by_zone, zone=zone)) for zone in ("UTC", "Asia/Kolkata", "America/New_York")]

    assert len(set(days)) == 3


def test_a_call_that_settles_late_is_in_the_quarter_hour_it_began_in(app: Flask) -> None:
    began = rollup.quarter_of(now() - timedelta(days=3))
    calls.write([calls.row(began, ACCOUNTS[0]), calls.row(now() - timedelta(minutes=2), ACCOUNTS[1])])
    rollup.run()

    calls.write([calls.row(began + timedelta(seconds=1), ACCOUNTS[0], settled_at=now(), charge_nano=900)])
    touched = rollup.run()

    assert touched == 1, "only the quarter-hour of the late call is made anew"
    sums = scenes.rows("SELECT starts_at, calls, charge_nano FROM traffic_totals ORDER BY starts_at LIMIT 1")
    assert sums == [{"starts_at": began, "calls": 2, "charge_nano": 1_000}]
    assert rollup.differences() == []


def test_a_commit_that_takes_its_time_is_found_by_a_later_run(app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row was settled before rows that are in the sums already, and could not be seen then."""
    monkeypatch.setattr(rollup, "LATE", timedelta(0))  # the running transaction alone must hold the mark back
    copy = """INSERT INTO usage_logs SELECT (copied).* FROM (SELECT jsonb_populate_record(u, jsonb_build_object(
              'id', gen_random_uuid(), 'created_at', %s::timestamptz, 'settled_at', clock_timestamp())) AS copied FROM usage_logs u) rows"""
    calls.write([calls.row(now() - timedelta(days=1), ACCOUNTS[0])])
    rollup.run()

    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as slow:
        slow.execute("SET reseller.acting_for = 'operator'")
        slow.execute(copy.encode(), (now() - timedelta(hours=30),))
        calls.write([calls.row(now(), ACCOUNTS[0], settled_at=now())])
        rollup.run()
        seen = scenes.rows("SELECT sum(calls) AS n FROM traffic_totals")
        slow.commit()
    rollup.run()

    assert seen == [{"n": 2}]
    assert scenes.rows("SELECT sum(calls) AS n FROM traffic_totals") == [{"n": 3}]
    assert rollup.differences() == []


def test_a_clock_that_was_set_back_loses_nothing(app: Flask) -> None:
    calls.write([calls.row(now() - timedelta(hours=2), ACCOUNTS[0])])
    rollup.run()
    scenes.execute("UPDATE rollup_marks SET settled_until = now() + interval '50 minutes'")

    calls.write([calls.row(now() - timedelta(minutes=9), ACCOUNTS[0], settled_at=now() - timedelta(minutes=8))])
    rollup.run()

    assert rollup.differences() == []


def test_two_workers_at_once_sum_nothing_twice(app: Flask, make_app: Callable[..., Flask]) -> None:
    fill(4, 600)

    def work(other: Flask) -> int:
        with other.app_context(), acting_as_operator():
            return rollup.run()

    with ThreadPoolExecutor(max_workers=2) as pool:
        done = list(pool.map(work, [make_app(), make_app()]))

    assert all(done)
    assert rollup.differences() == []


def test_a_worker_killed_in_the_middle_leaves_whole_quarter_hours(app: Flask, superuser_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9: its connection ends between two statements of a quarter-hour's transaction."""
    fill(5)
    rollup.run()
    before = everything()
    calls.write(calls.random_rows(Random(6), ACCOUNTS, 200, start=START, days=2))
    scenes.execute("UPDATE rollup_marks SET settled_until = '2000-01-01'")
    replace_day, calls_made = rollup._replace_day, []

    def die(session: Session, day: date) -> None:
        calls_made.append(day)
        if len(calls_made) == 2:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            with psycopg.connect(superuser_url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", (pid,))
        replace_day(session, day)

    monkeypatch.setattr(rollup, "_replace_day", die)
    with pytest.raises(OperationalError):
        rollup.run()
    monkeypatch.undo()
    db.session.remove()
    halfway = everything()
    rollup.run()

    second_day = str((START + timedelta(days=1)).date())
    assert [row for row in halfway["account_days"] if str(row["day"]) == second_day] == [
        row for row in before["account_days"] if str(row["day"]) == second_day
    ]
    assert rollup.differences() == []


def test_a_refusal_before_admission_knows_when_it_was_settled(app: Flask) -> None:
    """Nobody reads a clock for it; the write does, so that the rollup finds it."""
    till, who = wiring_of(app).till, scenes.customer()
    before = scenes.rows("SELECT clock_timestamp() AS at")[0]["at"]

    till.record(facts_of(scenes.admission(who)), NotForSale("no such model"))
    rollup.run()

    [row] = scenes.usage(who)
    assert before <= row["settled_at"] <= scenes.rows("SELECT clock_timestamp() AS at")[0]["at"]
    assert scenes.rows("SELECT refused, error_code FROM traffic_hours") == [{"refused": 1, "error_code": "model_not_found"}]


def test_what_is_wrong_is_named_and_mended(app: Flask) -> None:
    fill(7, 60)
    rollup.run()
    [first] = scenes.rows("SELECT min(starts_at) AS at FROM traffic_hours")
    scenes.execute("UPDATE traffic_hours SET calls = calls + 1 WHERE starts_at = :at", at=first["at"])
    scenes.execute("UPDATE account_days SET charge_nano = charge_nano + 1 WHERE day = '2026-03-27'")
    [last] = scenes.rows("DELETE FROM usage_latencies WHERE starts_at = (SELECT max(starts_at) FROM usage_latencies) RETURNING starts_at")

    wrong = rollup.differences()
    rollup.mend(wrong)

    month = calls.day("2026-03-01")  # is not the sum of its days any more
    assert wrong == sorted([month, first["at"].astimezone(UTC), calls.day("2026-03-27"), last["starts_at"].astimezone(UTC)])
    assert rollup.differences() == []


def test_a_month_that_is_over_is_summed_once_and_again_when_a_call_settles_late(app: Flask) -> None:
    calls.write([calls.row(START + timedelta(days=n), who, charge_nano=10) for n in (0, 1, 8) for who in ACCOUNTS[:2]])
    rollup.run()
    first = {
        (str(row["month"]), row["account_id"]): (row["calls"], row["charge_nano"]) for row in scenes.rows("SELECT * FROM account_months")
    }

    late = calls.row(START + timedelta(days=2), ACCOUNTS[0], charge_nano=5, settled_at=now())
    calls.write([late, calls.row(now(), ACCOUNTS[0], charge_nano=7)])
    rollup.run()

    assert first == {(month, who): (count, 10 * count) for who in ACCOUNTS[:2] for month, count in (("2026-03-01", 2), ("2026-04-01", 1))}
    months = scenes.rows("SELECT month, account_id, calls, charge_nano FROM account_months WHERE month < '2026-04-01'")
    assert {row["account_id"]: (row["calls"], row["charge_nano"]) for row in months} == {ACCOUNTS[0]: (3, 25), ACCOUNTS[1]: (2, 20)}
    assert scenes.rows("SELECT FROM account_months WHERE month >= date_trunc('month', now())") == [], "a month that runs has no sum"


def test_a_wrong_month_is_named_and_mended(app: Flask) -> None:
    """Of one account more and of another less: the sum of all is right."""
    fill(10, 60)
    rollup.run()
    scenes.execute(
        "UPDATE account_months SET charge_nano = charge_nano + 1 WHERE month = '2026-03-01' AND account_id = :id", id=ACCOUNTS[0]
    )
    scenes.execute(
        "UPDATE account_months SET charge_nano = charge_nano - 1 WHERE month = '2026-03-01' AND account_id = :id", id=ACCOUNTS[1]
    )

    wrong = rollup.differences()
    rollup.mend(wrong)

    assert wrong == [calls.day("2026-03-01")]
    assert rollup.differences() == []


def test_totals_outlive_the_raw_rows(app: Flask) -> None:
    """R36: usage details are dropped by months; nobody takes their absence for calls that never were."""
    fill(8, 80)
    rollup.run()
    sums = everything()

    scenes.execute("DROP TABLE usage_logs_2026_03")
    scenes.execute("DROP TABLE usage_logs_2026_04")
    calls.write([calls.row(now(), ACCOUNTS[0])])
    rollup.run()

    assert [row for row in everything()["traffic_totals"] if row["starts_at"].year == 2026 and row["starts_at"].month < 5] == sums[
        "traffic_totals"
    ]


def test_active_quarter_hours_are_those_with_a_live_call_that_was_not_refused(app: Flask) -> None:
    midnight = calls.day("2026-03-26")
    calls.write(
        [
            calls.row(midnight, ACCOUNTS[0]),
            calls.row(midnight + timedelta(hours=23, minutes=59), ACCOUNTS[0]),
            calls.row(midnight + timedelta(hours=1), ACCOUNTS[0], status="refused"),
            calls.row(midnight + timedelta(hours=2), ACCOUNTS[0], is_test=True),
        ]
    )

    rollup.run()

    assert scenes.rows("SELECT quarters, calls, refused FROM account_days") == [
        {"quarters": "1" + "0" * 94 + "1", "calls": 2, "refused": 1}
    ]


def test_times_that_are_no_numbers_do_not_stop_the_sums(app: Flask) -> None:
    """One odd row would otherwise stop them for ever."""
    odd = ({"ended_ms": "soon"}, {"ended_ms": None, "sent_ms": 1}, {}, {"ended_ms": [1]})
    calls.write([calls.row(START, ACCOUNTS[0], response_metadata=metadata) for metadata in odd])

    rollup.run()

    assert scenes.rows("SELECT calls, total_ms, first_byte_ms FROM traffic_totals") == [
        {"calls": 4, "total_ms": None, "first_byte_ms": None}
    ]


def test_durations_are_counted_in_the_buckets_of_the_histogram(app: Flask) -> None:
    chance = Random(9)
    durations = [0.0, *histogram.BOUNDS_MS, *(chance.lognormvariate(6, 3) for _ in range(100)), 10.0**9]
    calls.write([calls.row(START, ACCOUNTS[0], response_metadata={"ended_ms": ms}) for ms in durations])

    rollup.run()

    [row] = scenes.rows("SELECT total_ms FROM traffic_days")
    assert row["total_ms"] == [sum(histogram.bucket_of(ms) == bucket for ms in durations) for bucket in range(histogram.BUCKETS)]


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_right_to_a_fifth(percent: int) -> None:
    chance = Random(10)
    durations = sorted(chance.lognormvariate(6.5, 1) for _ in range(5_000))
    counts = [0] * histogram.BUCKETS
    for ms in durations:
        counts[histogram.bucket_of(ms)] += 1

    found = histogram.percentile_ms(counts, percent)

    true = durations[len(durations) * percent // 100]
    assert found is not None
    assert abs(found / true - 1) < 0.2
    assert histogram.percentile_ms([0] * histogram.BUCKETS, percent) is None


def test_quarter_hours_divide_the_days_of_every_zone() -> None:
    """What exactness in any zone rests on: no zone of today begins its day inside a quarter-hour."""
    for zone in ("Asia/Kathmandu", "Asia/Kolkata", "Australia/Eucla", "Pacific/Chatham", "America/St_Johns"):
        midnight = datetime(2026, 7, 1, tzinfo=ZoneInfo(zone))
        assert rollup.quarter_of(midnight) == midnight

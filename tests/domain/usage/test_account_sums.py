"""What customers are shown adds up, to the nano-dollar, at any moment: sums of days, of models, of keys and of hours are the calls.

However far the rollup has come, whatever settles late, in whatever zone the days are, over changes of clocks.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reseller.clock import new_id
from reseller.database import acting_for
from reseller.domain import usage
from reseller.domain.usage import histogram, points, rollup
from reseller.domain.usage.account_sums import Slice
from reseller.domain.usage.breakdown import Breakdown, Figures, breakdown
from reseller.domain.usage.period import Period
from tests.domain import scenes
from tests.domain.usage import calls

MINE, THEIRS = UUID(int=1), UUID(int=2)
KEYS = (UUID(int=11), UUID(int=12))
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu", "Europe/London", "Australia/Lord_Howe", "Pacific/Chatham")
START, DAYS = calls.day("2026-03-05"), 32  # over the changes of clocks in America and Europe
FIRST, LAST = date(2026, 3, 1), date(2026, 4, 10)
AFTER = calls.day("2026-04-20")


def some(seed: int, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Calls of two accounts; some lie on the very edges of quarter-hours and days."""
    chance = Random(seed)
    rows = calls.random_rows(chance, [MINE, THEIRS], count, start=START, days=DAYS)
    for row in rows:
        at = row["created_at"]
        if chance.random() < 0.3:
            edge = at.replace(minute=chance.choice((0, 15, 30, 45)), second=0, microsecond=0)
            row["created_at"] = edge - timedelta(milliseconds=chance.choice((0, 1)))
        row["api_key_id"] = chance.choice(KEYS)
        row.update(changes)
    return rows


def late(seed: int, count: int) -> list[dict[str, Any]]:
    """Calls of weeks ago that are settled now."""
    [settled] = scenes.rows("SELECT clock_timestamp() AS at")
    return some(seed, count, settled_at=settled["at"])


def figures_of(rows: Iterable[dict[str, Any]]) -> tuple[int, ...]:
    """What these rows add up to, by hand."""
    given = list(rows)
    sent = [row for row in given if row["status"] != "refused"]
    return (
        len(sent),
        len(given) - len(sent),
        sum(row["status"] in ("failed", "partial", "voided") for row in sent),
        *(sum(row[name] for row in given) for name in ("prompt_tokens", "completion_tokens", "charge_nano")),
    )


def shown(figures: Figures) -> tuple[int, ...]:
    return (
        figures.calls, figures.refused, figures.errors, figures.prompt_tokens, figures.completion_tokens, figures.charge_nano,
    )  # fmt: skip


def broken_down(zone: str, first: date = FIRST, last: date = LAST, **more: Any) -> Breakdown:
    period = Period(first, last, ZoneInfo(zone), AFTER)
    filters = {name: more.pop(name) for name in ("model", "api_key_id", "is_test") if name in more}
    return breakdown(Slice(MINE, period.start, period.whole_end, **filters), period, **({"hourly": False} | more))


def assert_adds_up(rows: list[dict[str, Any]], zone: str) -> None:
    """Every way to divide the account's calls comes to what they are by hand, point by point."""
    tz = ZoneInfo(zone)
    mine = [row for row in rows if row["account_id"] == MINE]
    by_day: dict[str, list[dict[str, Any]]] = {}
    for row in mine:
        by_day.setdefault(row["created_at"].astimezone(tz).date().isoformat(), []).append(row)

    found = broken_down(zone, by="model")

    whole = figures_of(mine)
    assert shown(found.total) == whole
    assert {f"{p.at:%Y-%m-%d}": shown(p.figures) for p in found.curve if any(shown(p.figures))} == {
        day: figures_of(of_day) for day, of_day in by_day.items()
    }
    for groups in (found.models, found.keys, found.curve):
        assert shown(sum((group.figures for group in groups), Figures())) == whole
    assert shown(sum((figures for p in found.curve for figures in p.groups.values()), Figures())) == whole
    assert sum(map(sum, found.week)) == whole[0]
    for grouping in ("day", "model", "key"):
        sums = usage.sums(MINE, FIRST, LAST, grouping, tz)  # type: ignore[arg-type]
        assert sum(row.charge_nano for row in sums) == whole[-1]
        assert sum(row.calls for row in sums) == whole[0]
    assert {row.grouped: row.charge_nano for row in usage.sums(MINE, FIRST, LAST, "day", tz)} == {
        day: figures_of(of_day)[-1] for day, of_day in by_day.items()
    }


@pytest.mark.parametrize("zone", ZONES)
def test_days_models_keys_and_hours_add_up_in_every_zone(app: Flask, zone: str) -> None:
    first, second = some(1, 150), late(2, 60)
    calls.write(first)
    rollup.run()
    calls.write(second)

    assert_adds_up(first + second, zone)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["write", "roll up", "look"]), min_size=2, max_size=6), seed=st.integers(0, 10**6))
def test_it_is_exact_however_far_the_rollup_has_come(app: Flask, steps: list[str], seed: int) -> None:
    chance, rows = Random(seed), list[dict[str, Any]]()
    for table in ("usage_logs", "usage_hours", "usage_latencies", "rollup_marks"):
        scenes.execute(f"DELETE FROM {table}")

    for step in [*steps, "write", "look"]:
        if step == "roll up":
            rollup.run()
        elif step == "look":
            assert_adds_up(rows, chance.choice(ZONES))
        else:
            new = late(chance.randrange(10**6), chance.randrange(1, 25))
            calls.write(new)
            rows += new


def test_days_of_kolkata_and_new_york_differ_and_their_month_agrees(app: Flask) -> None:
    """Clocks change in New York within the month; calls lie at its edges."""
    edges = [
        calls.row(at - timedelta(milliseconds=ms), MINE, charge_nano=nano)
        for nano, at in enumerate((calls.day("2026-03-08"), calls.day("2026-03-08") + timedelta(hours=7), calls.day("2026-03-20")), 3)
        for ms in (0, 1)
    ]
    calls.write(some(5, 200) + edges)
    rollup.run()
    wide = (date(2026, 3, 2), date(2026, 4, 9))  # a month and a bit, none of whose calls lies near its ends

    days = {zone: {row.grouped: row.charge_nano for row in usage.sums(MINE, *wide, "day", ZoneInfo(zone))} for zone in ZONES[:3]}

    assert days["Asia/Kolkata"] != days["America/New_York"] != days["UTC"]
    assert len({sum(found.values()) for found in days.values()}) == 1
    assert len({shown(broken_down(zone, *wide).total) for zone in ZONES}) == 1


def test_a_day_on_which_clocks_change_is_as_long_as_it_is(app: Flask) -> None:
    """23 hours in March, 25 in November: a call in each, and none twice."""
    new_york = ZoneInfo("America/New_York")
    hours = {date(2026, 3, 8): 23, date(2026, 11, 1): 25}
    for day, length in hours.items():
        calls.write([calls.row(points.start_of(day, new_york) + timedelta(hours=n), MINE) for n in range(-1, length + 1)])
    rollup.run()

    found = {day: [row.calls for row in usage.sums(MINE, day, day, "day", new_york)] for day in hours}

    assert found == {day: [length] for day, length in hours.items()}


def test_an_hour_that_comes_twice_is_one_point_and_one_that_is_missing_none(app: Flask) -> None:
    new_york = ZoneInfo("America/New_York")

    twice, missing = (
        points.hours(date(2026, 11, 1), date(2026, 11, 1), new_york),
        points.hours(date(2026, 3, 8), date(2026, 3, 8), new_york),
    )

    assert [local.hour for local in twice.local] == list(range(24))
    assert twice.starts[2] - twice.starts[1] == timedelta(hours=2)
    assert [local.hour for local in missing.local] == [hour for hour in range(24) if hour != 2]
    assert list(missing.starts) == sorted(set(missing.starts))


def test_filters_take_their_part_and_no_more(app: Flask) -> None:
    summed, fresh = some(6, 100), late(16, 50)
    calls.write(summed)
    rollup.run()
    calls.write(fresh)
    rows = summed + fresh
    mine = [row for row in rows if row["account_id"] == MINE]

    by_model = broken_down("UTC", model="acme/two")
    by_key = broken_down("UTC", api_key_id=KEYS[0], is_test=True)

    assert shown(by_model.total) == figures_of(row for row in mine if row["model"] == "acme/two")
    assert [group.id for group in by_model.models] == ["acme/two"]
    assert shown(by_key.total) == figures_of(row for row in mine if row["api_key_id"] == KEYS[0] and row["is_test"])


@pytest.mark.parametrize("is_summed", [True, False])
def test_percentiles_are_those_of_completed_calls(app: Flask, is_summed: bool) -> None:
    rows = some(7, 120)
    calls.write(rows)
    if is_summed:
        rollup.run()
    wanted = [0] * histogram.BUCKETS
    for row in rows:
        if row["account_id"] == MINE and row["status"] == "completed":
            wanted[histogram.bucket_of(row["response_metadata"]["ended_ms"])] += 1

    found = broken_down("Asia/Kolkata", by="key", timed=True)

    assert list(found.total.durations) == wanted
    for groups in (found.models, found.keys, found.curve):
        assert list(sum((group.figures for group in groups), Figures()).durations) == wanted
    assert found.total.percentile_ms(95) == histogram.percentile_ms(wanted, 95)


def test_the_range_before_is_as_long_and_ends_where_this_one_begins(app: Flask) -> None:
    rows = some(8, 150)
    calls.write(rows)
    rollup.run()
    first = date(2026, 3, 20)

    found = broken_down("Asia/Kolkata", first, first + timedelta(days=6))

    edges = [points.start_of(first + timedelta(days=7 * n), ZoneInfo("Asia/Kolkata")) for n in (-1, 0, 1)]
    for figures, begins, ends in ((found.before, *edges[:2]), (found.total, *edges[1:])):
        assert shown(figures) == figures_of(row for row in rows if row["account_id"] == MINE and begins <= row["created_at"] < ends)


def test_no_account_sees_the_usage_of_another(app: Flask) -> None:
    """R23: not even by naming it."""
    calls.write(some(9, 80))
    rollup.run()
    calls.write(late(10, 20))
    period = Period(FIRST, LAST, ZoneInfo("UTC"), AFTER)

    with acting_for(new_id()):
        found = breakdown(Slice(THEIRS, period.start, period.whole_end), period, hourly=False)

    assert shown(found.total) == (0,) * 6
    assert (found.models, found.keys) == ((), ())


def test_points_without_calls_are_there_and_points_to_come_are_not(app: Flask) -> None:
    at = datetime.fromisoformat("2026-03-10T12:00:00+00:00")
    calls.write([calls.row(at, MINE)])
    period = Period.latest(3, ZoneInfo("UTC"))

    past = broken_down("UTC", date(2026, 3, 9), date(2026, 3, 11))
    running = breakdown(Slice(MINE, period.start, period.whole_end), period, hourly=True)

    assert [(p.at.day, p.figures.calls) for p in past.curve] == [(9, 0), (10, 1), (11, 0)]
    assert 48 < len(running.curve) <= 72

"""Figures against sets that are counted by hand, in the viewer's zone, compared with the range before."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from reseller.clock import now
from reseller.database import db
from reseller.domain.desk import figures
from reseller.domain.desk.figures import Period, business, health, patterns, performance
from reseller.domain.desk.figures.business import active_by_day
from reseller.domain.ledger import EntryKind
from reseller.domain.usage import rollup
from tests import factories
from tests.domain import scenes
from tests.domain.usage import calls

UTC_ZONE, KOLKATA, NEW_YORK, KATHMANDU = (ZoneInfo(name) for name in ("UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu"))
ZONES = (UTC_ZONE, KOLKATA, NEW_YORK, KATHMANDU, ZoneInfo("Europe/London"))
AFTER = calls.day("2026-05-01")
FIRST, LAST = date(2026, 3, 24), date(2026, 4, 6)  # clocks change in Europe inside


def over(first: date, last: date, zone: ZoneInfo = UTC_ZONE) -> Period:
    """A range that is over."""
    return Period(first, last, zone, AFTER)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}+00:00")


@pytest.fixture
def accounts(app: Flask) -> list[UUID]:
    return [factories.make_person().account_id for _ in range(3)]


def written(*rows: dict[str, Any]) -> None:
    calls.write(rows)
    rollup.run()


def test_success_errors_and_refusals_are_counted_apart(accounts: list[UUID]) -> None:
    me = accounts[0]
    written(
        calls.row(at("10T10:00"), me),
        calls.row(at("10T11:00"), me),
        calls.row(at("10T12:00"), me, status="abandoned"),
        calls.row(at("10T12:00"), me, status="failed", error_code="upstream_timeout", charge_nano=0, cost_usd=None, response_metadata={}),
        calls.row(at("10T13:00"), me, status="refused", error_code="rate_limit_exceeded", charge_nano=0, response_metadata={}),
        calls.row(at("10T13:00"), me, is_test=True),
        calls.row(at("09T13:00"), me, status="failed", error_code="upstream_timeout", charge_nano=0, response_metadata={}),
    )

    found = performance(over(date(2026, 3, 10), date(2026, 3, 10)))

    assert (found.now.calls, found.now.errors, found.now.refused, found.now.test_calls) == (4, 1, 1, 1)
    assert found.now.success_percent == 75
    assert (found.before.calls, found.before.errors) == (1, 1)
    assert [(row.status, row.error_code, row.calls, row.before) for row in found.errors] == [
        ("failed", "upstream_timeout", 1, 1),
        ("refused", "rate_limit_exceeded", 1, 0),
    ]
    assert [(point.point, point.calls) for point in found.curve] == [
        ("2026-03-10 10:00", 1), ("2026-03-10 11:00", 1), ("2026-03-10 12:00", 2), ("2026-03-10 13:00", 0)
    ]  # fmt: skip


def test_latencies_are_of_completed_calls_by_model_and_upstream(accounts: list[UUID]) -> None:
    slow = {"admitted_ms": 1, "sent_ms": 10, "first_byte_ms": 410, "ended_ms": 8_000}
    written(
        *(calls.row(at("10T10:00"), accounts[0]) for _ in range(98)),
        *(calls.row(at("10T10:00"), accounts[0], model="acme/two", upstream="sandbox", response_metadata=slow) for _ in range(2)),
        calls.row(at("10T10:00"), accounts[0], status="failed", response_metadata={"ended_ms": 60_000}),
    )

    found = performance(over(date(2026, 3, 10), date(2026, 3, 10)))

    assert [(route.model, route.upstream, route.calls, route.errors) for route in found.routes] == [
        ("acme/one", "openrouter", 99, 1),
        ("acme/two", "sandbox", 2, 0),
    ]
    p50, p95, p99 = found.now.total_ms
    assert p50 == pytest.approx(1003, rel=0.2)
    assert p95 == pytest.approx(1003, rel=0.3)
    assert p99 == pytest.approx(8_000, rel=0.2)
    assert found.now.first_byte_ms[0] == pytest.approx(200, rel=0.2)
    assert found.routes[1].first_byte_ms[0] == pytest.approx(400, rel=0.2)
    assert found.now.added_ms[0] == pytest.approx(2, rel=0.3)


def test_paid_in_is_what_came_in_and_margin_what_is_left_of_charges(app: Flask, accounts: list[UUID]) -> None:
    who = scenes.customer(nano=0)
    scenes.put_in(who, 5_000, kind=EntryKind.TOP_UP)
    scenes.put_in(who, -1_000, kind=EntryKind.REFUND)
    scenes.put_in(who, 700, kind=EntryKind.ADJUSTMENT)
    today = now()
    written(
        calls.row(today, who.account_id, charge_nano=100, cost_usd="0.0000000605"),
        calls.row(today, who.account_id, charge_nano=50, cost_usd="0.00000005"),
    )

    found = business(Period.latest(1, UTC_ZONE))

    assert found.money.paid_in_usd == Decimal("0.000004"), "nobody paid for an adjustment"
    assert found.money.charge_usd == Decimal("0.00000015")
    assert found.money.cost_usd == Decimal("0.0000001105")
    assert found.money.margin_usd == Decimal("0.0000000395")


def test_churn_is_who_was_active_before_and_is_not_now(accounts: list[UUID]) -> None:
    stays, leaves, comes = accounts
    written(
        calls.row(at("03T10:00"), stays),
        calls.row(at("10T10:00"), stays),
        calls.row(at("04T10:00"), leaves, charge_nano=900),
        calls.row(at("10T10:00"), leaves, status="refused", charge_nano=0),
        calls.row(at("10T10:00"), leaves, is_test=True),
        calls.row(at("12T10:00"), comes),
    )

    found = business(over(date(2026, 3, 8), date(2026, 3, 14)))

    assert (found.activity.active, found.activity.active_before, found.activity.left, found.activity.new) == (2, 2, 1, 1)
    assert found.activity.churn_percent == 50
    assert [(left.account_id, left.charge_before_usd) for left in found.left] == [(leaves, Decimal("0.0000009"))]
    assert [day.active for day in found.days] == [0, 0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_figure_is_exact_in_every_zone(accounts: list[UUID], zone: ZoneInfo) -> None:
    """Against the raw rows, over a change of clocks: days, ranges, accounts, models."""
    calls.write(calls.random_rows(Random(11), accounts, 500, start=calls.day("2026-03-22"), days=17))
    rollup.run()
    period = over(FIRST, LAST, zone)
    start, end = datetime(2026, 3, 24, tzinfo=zone), datetime(2026, 4, 7, tzinfo=zone)
    live = "FROM usage_logs WHERE NOT is_test AND created_at >= :start AND created_at < :end"
    span: dict[str, Any] = {"start": start, "end": end}

    sold, used, speed = business(period), patterns(period), performance(period)
    active = active_by_day(db.session(), period)

    [raw] = scenes.rows(
        f"""SELECT count(*) FILTER (WHERE status <> 'refused') AS calls, sum(charge_nano) AS charge, sum(cost_usd) AS cost,
                   sum(total_tokens) AS tokens, count(DISTINCT account_id) FILTER (WHERE status <> 'refused') AS active {live}""",
        **span,
    )
    assert (used.now.calls, speed.now.calls, used.now.tokens) == (raw["calls"], raw["calls"], raw["tokens"])
    assert used.now.charge_usd == sold.money.charge_usd == Decimal(raw["charge"]).scaleb(-9)
    assert used.now.cost_usd == sold.money.cost_usd == raw["cost"]
    assert sum(use.volume.cost_usd for use in used.accounts) == raw["cost"]
    assert sold.activity.active == raw["active"]
    days = scenes.rows(
        f"""SELECT (created_at AT TIME ZONE :zone)::date AS day, sum(charge_nano) AS charge,
                   count(DISTINCT account_id) FILTER (WHERE status <> 'refused') AS active {live} GROUP BY 1 ORDER BY 1""",
        zone=zone.key,
        **span,
    )
    assert [(day.day, day.money.charge_usd, day.active) for day in sold.days] == [
        (row["day"], Decimal(row["charge"]).scaleb(-9), row["active"]) for row in days
    ]
    assert {day: count for day, count in active.items() if count} == {row["day"]: row["active"] for row in days if row["active"]}
    hours = scenes.rows(
        f"""SELECT extract(isodow FROM created_at AT TIME ZONE :zone)::int - 1 AS day,
                   extract(hour FROM created_at AT TIME ZONE :zone)::int AS hour, count(*) AS n
              {live} AND status <> 'refused' GROUP BY 1, 2""",
        zone=zone.key,
        **span,
    )
    assert {(d, h): n for d, row in enumerate(used.hours) for h, n in enumerate(row) if n} == {(r["day"], r["hour"]): r["n"] for r in hours}


def test_a_range_that_runs_is_compared_with_the_same_time_of_day_before() -> None:
    running = Period(date(2026, 3, 10), date(2026, 3, 10), KOLKATA, at("10T04:37"))

    assert (running.start, running.end) == (at("09T18:30"), at("10T04:45"))
    assert (running.before.start, running.before.end) == (at("08T18:30"), at("09T04:45"))


def test_active_accounts_of_a_day_that_is_cut_off_are_those_until_then(accounts: list[UUID]) -> None:
    written(calls.row(at("09T03:00"), accounts[0]), calls.row(at("09T23:00"), accounts[1]), calls.row(at("10T01:00"), accounts[2]))

    found = business(Period(date(2026, 3, 10), date(2026, 3, 10), UTC_ZONE, at("10T04:37")))

    assert (found.daily_active, found.daily_active_before) == (1, 1)
    assert (found.activity.active, found.activity.active_before) == (1, 1)


def test_a_range_that_is_over_is_compared_with_whole_days() -> None:
    """Across the change of clocks the days before are as long as they were."""
    london = over(date(2026, 3, 29), date(2026, 3, 29), ZoneInfo("Europe/London"))

    assert london.end - london.start == timedelta(hours=23)
    assert london.before.end - london.before.start == timedelta(hours=24)
    assert london.before.end == london.start


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("days", [1, 2, 3, 30])
def test_pieces_divide_a_range_without_gap_or_overlap(zone: ZoneInfo, days: int) -> None:
    period = over(date(2026, 3, 28), date(2026, 3, 28) + timedelta(days=days - 1), zone)
    bounds = period.bounds()

    midnights = [calls.day(bounds[name].isoformat()) for name in ("day_from", "day_to")]
    spans = [(bounds["head_from"], bounds["head_to"]), tuple(midnights), (bounds["tail_from"], bounds["tail_to"])]
    real = [span for span in spans if span[0] < span[1]]

    assert real[0][0] == period.start
    assert real[-1][1] == period.end
    assert all(earlier[1] == later[0] for earlier, later in zip(real, real[1:], strict=False))


def test_health_tells_refusals_for_speed_and_for_money(accounts: list[UUID]) -> None:
    def refused(code: str, **changes: Any) -> dict[str, Any]:
        return calls.row(at("10T10:00"), accounts[0], status="refused", error_code=code, charge_nano=0, **changes)

    written(
        refused("rate_limit_exceeded"), refused("too_many_concurrent_requests"), refused("insufficient_credits"),
        refused("model_not_found"), refused("rate_limit_exceeded", is_test=True),
    )  # fmt: skip

    found = health(over(date(2026, 3, 10), date(2026, 3, 10)))

    assert (found.rate_limited, found.without_money, found.rate_limited_before) == (2, 1, 0)
    assert [(each.point, each.rate_limited, each.without_money) for each in found.refusals] == [("2026-03-10 10:00", 2, 1)]
    assert found.database.connections >= 1
    assert found.rolled_at is not None


def test_what_waits_for_somebody_is_counted(app: Flask, accounts: list[UUID]) -> None:
    scenes.execute("UPDATE accounts SET halted_at = now(), halted_reason = 'x' WHERE id = :id", id=accounts[0])
    scenes.execute("INSERT INTO job_runs (name, last_error) VALUES ('tidy', 'no')")

    found = figures.waiting()

    assert (found.adjustments, found.quarantined, found.halted, found.failing, found.proved_at) == (0, 0, 1, ("tidy",), None)


def test_an_empty_shop_has_figures_too(app: Flask) -> None:
    period = Period.latest(30, KATHMANDU)

    assert performance(period).now.success_percent is None
    assert business(period).activity.churn_percent is None
    assert patterns(period).now.tokens_per_call is None
    assert health(period).holds.open == 0

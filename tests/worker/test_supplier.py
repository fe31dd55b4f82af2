"""The clock asks the upstream what it billed and what credit is left; staff find both in the back office (R20)."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import Settings
from reseller.clock import new_id, now
from reseller.domain import supplier
from reseller.domain.supplier import days
from reseller.domain.usage import rollup
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import supplier as jobs
from reseller.worker.context import Context
from tests.deployment import UPSTREAM_KEY, settings_over
from tests.domain.usage.calls import row, write
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_account import MANAGEMENT_KEY, hash_of

DAY = now().date() - timedelta(days=3)
NOON = datetime.combine(DAY, time(12), UTC)


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as running:
        running.account.keys.add(hash_of(UPSTREAM_KEY))
        yield running


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeOpenRouter) -> Settings:
    keys = {"OPENROUTER_API_KEY": UPSTREAM_KEY, "OPENROUTER_MANAGEMENT_KEY": MANAGEMENT_KEY}
    return settings_over(database_url, tmp_path, OPENROUTER_BASE_URL=fake.base_url, **keys)


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days after that day, at noon: yesterday is due as well."""
    monkeypatch.setattr(days, "now", lambda: NOON + timedelta(days=3))


@pytest.fixture
def context(app: Flask) -> Context:
    return Context(wiring_of(app), Heart(app, "worker"), is_once=True)


def sold(usd: str, **changes: Any) -> None:
    """A call of that day is in our books, and the clock has summed it."""
    write([row(NOON, new_id(), **({"cost_usd": usd} | changes))])
    rollup.run()


def test_a_bill_that_is_ours_to_the_last_digit_leaves_nothing_to_do(app: Flask, context: Context, fake: FakeOpenRouter) -> None:
    sold("0.123456789012")
    fake.account.bill(DAY, "acme/one", "0.123456789012", key=UPSTREAM_KEY)
    fake.account.bill(DAY, "acme/one", "7", key="sk-or-v1-of-another-shop-of-the-same-owner")

    assert jobs.reconcile(context) == "3 days compared, 0 to look at"
    assert jobs.reconcile(context) == "no day is due"
    [day] = [each for each in supplier.compared_days() if each.told_usd]
    assert (day.day, day.is_of_key, day.drift_usd) == (DAY, True, 0)


def test_without_our_key_in_that_account_all_of_it_is_compared(app: Flask, context: Context, fake: FakeOpenRouter) -> None:
    sold("1")
    fake.account.keys.clear()
    fake.account.bill(DAY, "acme/one", "1")

    jobs.reconcile(context)

    assert [each.is_of_key for each in supplier.compared_days() if each.told_usd] == [False]


def test_a_bill_that_differs_is_found_by_the_clock_and_seen_at_the_command_line(
    app: Flask, context: Context, fake: FakeOpenRouter, logged: list[Any]
) -> None:
    sold("1")
    sold("0.5", status="voided", cost_usd=None, charge_nano=0)
    fake.account.bill(DAY, "acme/one", "1.5", key=UPSTREAM_KEY)

    said = jobs.reconcile(context)
    shown = app.test_cli_runner().invoke(args=["upstreams", "reconcile", "--days", "5"])

    assert said == "3 days compared, 1 to look at"
    assert "supplier_drift" in [event.get("alarm") for event in logged]
    assert shown.exit_code == 0
    assert f"{DAY}  told 1.5  booked 1  drift 0.5  LOOK" in shown.output.splitlines()


def test_a_day_that_cannot_be_read_keeps_no_other_from_it_and_is_tried_again(app: Flask, context: Context, fake: FakeOpenRouter) -> None:
    sold("1")
    for ago in (3, 2, 1):
        fake.account.bill(now().date() - timedelta(days=ago), "acme/one", "0", key=UPSTREAM_KEY)
    fake.account.bill(DAY, "acme/one", "-1", key=UPSTREAM_KEY)

    with pytest.raises(RuntimeError, match=f"2 days compared, 0 to look at; 1 could not be read, first: {DAY}: a row"):
        jobs.reconcile(context)
    by_hand = app.test_cli_runner().invoke(args=["upstreams", "reconcile"])
    fake.account.activity.pop()
    fake.account.bill(DAY, "acme/one", "1", key=UPSTREAM_KEY)

    assert by_hand.exit_code == 1
    assert jobs.reconcile(context) == "1 days compared, 0 to look at"


def test_a_key_that_is_refused_fails_the_job_and_shows_nothing_of_it(app: Flask, context: Context, fake: FakeOpenRouter) -> None:
    sold("1")
    fake.script("/credits", {"status": 403})
    fake.script(f"/keys/{hash_of(UPSTREAM_KEY)}", {"status": 401}, {"status": 401})

    with pytest.raises(RuntimeError, match="does not accept the management key") as refused:
        jobs.watch_credit(context)
    with pytest.raises(RuntimeError, match="does not accept the management key"):
        jobs.reconcile(context)
    said = app.test_cli_runner().invoke(args=["upstreams", "reconcile"])

    assert (said.exit_code, "does not accept the management key" in said.output) == (1, True)
    assert MANAGEMENT_KEY not in f"{refused.value!r} {said.output}"


def test_an_account_that_does_not_answer_is_not_asked_for_every_day(app: Flask, context: Context, fake: FakeOpenRouter) -> None:
    sold("1")
    fake.script("/activity", {"status": 503})

    with pytest.raises(
        RuntimeError, match=f"0 days compared, 0 to look at; 1 could not be read, first: {DAY} and later: the account there"
    ):
        jobs.reconcile(context)

    assert [seen["path"] for seen in fake.requests].count("/activity") == 1
    assert jobs.reconcile(context) == "3 days compared, 1 to look at"


def test_credit_is_watched_and_told(context: Context, fake: FakeOpenRouter, logged: list[Any]) -> None:
    fine = jobs.watch_credit(context)
    fake.account.used = "81"
    low = jobs.watch_credit(context)

    assert (fine, low) == ("$100.00 left", "$19.00 left; low")
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == ["upstream_balance_low"]


def test_nothing_is_asked_without_a_management_key(app: Flask, context: Context, make_app: Any, fake: FakeOpenRouter) -> None:
    off = Context(wiring_of(make_app()), context.heart, is_once=True)

    assert jobs.reconcile(off) == jobs.watch_credit(off) == "OPENROUTER_MANAGEMENT_KEY is not set"
    assert fake.requests == []


def test_the_command_says_what_is_missing(make_app: Any) -> None:
    said = make_app().test_cli_runner().invoke(args=["upstreams", "reconcile"])

    assert said.exit_code == 1
    assert "set OPENROUTER_MANAGEMENT_KEY" in said.output

"""kill -9 of a worker in the middle of dropping a month or of comparing a bill: the next one does it, once (R20, R36).

The kills are real; where they strike is said by something that the worker waits for.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.domain import retention, supplier
from reseller.domain.ledger import verify
from reseller.domain.usage import dropping, partitions, rollup
from tests.deployment import UPSTREAM_KEY
from tests.domain import scenes
from tests.domain.retention.test_months import KEEP, OLD, at, book, sold, sums
from tests.domain.usage.calls import row, write
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_account import MANAGEMENT_KEY, hash_of
from tests.servers import FLASK, ServerProcess, environment, run_flask
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as running:
        running.account.keys.add(hash_of(UPSTREAM_KEY))
        yield running


@pytest.fixture
def env(database_url: str, tmp_path: Path, fake: FakeOpenRouter) -> dict[str, str]:
    keys = {"OPENROUTER_API_KEY": UPSTREAM_KEY, "OPENROUTER_MANAGEMENT_KEY": MANAGEMENT_KEY, "CALL_DETAILS_MONTHS": str(KEEP)}
    return environment(database_url, tmp_path, OPENROUTER_BASE_URL=fake.base_url, **keys)


def killed_at(env: dict[str, str], folder: Path, reached: Callable[[], object]) -> None:
    """A worker has come so far with its round, and was killed there; whatever lease it had is over."""
    victim = ServerProcess([*FLASK, "worker", "--once"], env=env, log=folder / "victim.log")
    try:
        wait_until(lambda: reached() or victim.exit_code is not None)
        assert victim.exit_code is None, victim.log
    finally:
        victim.kill()
    scenes.execute("UPDATE job_runs SET leased_until = now(), started_at = now() - interval '1 day'")


def test_a_worker_killed_while_it_drops_a_month_is_replaced(env: dict[str, str], tmp_path: Path, database_url: str) -> None:
    who = scenes.customer(nano=10_000)
    book([sold(who, at(OLD)), sold(who, now() - timedelta(days=1))])
    before = sums()

    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as reader:
        reader.execute("SELECT count(*) FROM usage_logs").fetchone()
        killed_at(env, tmp_path, dropping.begun)
        between = dropping.begun(), scenes.rows("SELECT month FROM dropped_months")
    said = run_flask("worker", "--once", env=env)

    assert between == ([OLD], [{"month": OLD}])
    assert f"drop old months: dropped {OLD:%Y-%m}" in said.stdout, said
    assert partitions.partition_of(OLD) not in partitions.existing()
    assert scenes.rows("SELECT to_regclass(:name) IS NULL AS gone", name=partitions.partition_of(OLD)) == [{"gone": True}]
    assert retention.drop_due(KEEP).gone == []
    assert sums() == before
    assert verify().mismatches == ()


def test_a_worker_killed_while_it_asks_for_a_bill_is_replaced(
    env: dict[str, str], tmp_path: Path, fake: FakeOpenRouter, app: Flask
) -> None:
    day = now().date() - timedelta(days=3)
    write([row(datetime.combine(day, time(12), UTC), new_id(), cost_usd="1")])
    rollup.run()
    fake.account.bill(day, "acme/one", "2", key=UPSTREAM_KEY)
    fake.script("/activity", {"before": "hang"})

    killed_at(env, tmp_path, lambda: questions(fake))
    between = [scenes.rows(f"SELECT 1 FROM {table}") for table in ("supplier_days", "supplier_models", "supplier_items")]
    for _ in range(2):
        run_flask("worker", "--once", env=env)
        scenes.execute("UPDATE job_runs SET started_at = now() - interval '1 day'")

    assert between == [[], [], []]
    assert [item.day for item in supplier.open_items()] == [day]


def questions(fake: FakeOpenRouter) -> list[Any]:
    """How often a day's bill was asked for."""
    with fake.lock:
        return [seen for seen in fake.requests if seen["path"] == "/activity"]

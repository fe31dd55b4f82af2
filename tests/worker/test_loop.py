"""The loop runs what is due, records how it went, and outlives every job."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain import jobs
from reseller.domain.calls import processes
from reseller.worker import loop
from reseller.worker.context import Context
from reseller.worker.schedule import JOBS, Job
from tests.domain import scenes


def run(context: Context) -> str:
    return "3 tidied"


def broken(context: Context) -> str:
    raise RuntimeError("disk on fire")


def breaks_the_transaction(context: Context) -> str:
    scenes.execute("SELECT 1 / 0")
    return "never"


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The clockwork has these jobs and no others."""
    return lambda **work: monkeypatch.setattr(loop, "JOBS", tuple(Job(name, 60, function) for name, function in work.items()))


def runs() -> dict[str, tuple[Any, Any]]:
    return {row["name"]: (row["result"], row["last_error"]) for row in scenes.rows("SELECT * FROM job_runs")}


def test_one_round_runs_every_job_that_is_due(app: Flask, schedule: Callable[..., None]) -> None:
    schedule(tidy=run, sweep=run)

    failed = loop.run_once(app)

    assert failed == []
    assert runs() == {"tidy": ("3 tidied", None), "sweep": ("3 tidied", None)}


def test_a_job_that_fails_is_named_and_recorded_and_keeps_no_other_from_running(app: Flask, schedule: Callable[..., None]) -> None:
    schedule(first=broken, second=breaks_the_transaction, third=run)

    failed = loop.run_once(app)

    assert failed == ["first", "second"]
    recorded = runs()
    assert recorded["first"] == (None, "RuntimeError: disk on fire")
    assert recorded["second"][1].startswith("DataError")
    assert recorded["third"] == ("3 tidied", None)
    assert [row["leased_by"] for row in scenes.rows("SELECT leased_by FROM job_runs")] == [None, None, None]


def test_a_job_that_is_not_due_is_not_run_and_has_not_failed(app: Flask, schedule: Callable[..., None]) -> None:
    schedule(tidy=run)
    loop.run_once(app)
    started = scenes.rows("SELECT started_at FROM job_runs")

    failed = loop.run_once(app)

    assert failed == []
    assert scenes.rows("SELECT started_at FROM job_runs") == started


def test_a_job_that_another_worker_runs_is_left_to_it(app: Flask, schedule: Callable[..., None]) -> None:
    schedule(tidy=broken)
    other = new_id()
    processes.beat(other, "worker")
    jobs.lease("tidy", 60, other)

    failed = loop.run_once(app)

    assert failed == []
    assert scenes.rows("SELECT leased_by FROM job_runs") == [{"leased_by": other}]


def test_a_round_leaves_no_heartbeat_behind(app: Flask, schedule: Callable[..., None]) -> None:
    schedule(tidy=run)

    loop.run_once(app)

    assert scenes.rows("SELECT id FROM processes") == []


def test_jobs_have_one_name_each_and_run_again_and_again() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.every > 0 for job in JOBS)

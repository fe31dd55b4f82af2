"""Leases of the clock's jobs: due, taken once, given up by time or with their holder."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain import jobs
from reseller.domain.calls import processes
from reseller.domain.desk import conditions
from reseller.domain.jobs import LEASE_SECONDS
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
EVERY = 60.0


def row(name: str = "tidy") -> dict[str, Any]:
    return dict(scenes.rows("SELECT * FROM job_runs WHERE name = :name", name=name)[0])


def earlier(seconds: float) -> None:
    """Everything that happened to the jobs happened that much earlier."""
    for column in ("started_at", "finished_at", "succeeded_at", "leased_until"):
        scenes.execute(f"UPDATE job_runs SET {column} = {column} - make_interval(secs => :seconds)", seconds=seconds)


def living_worker() -> UUID:
    """A worker with a heartbeat."""
    worker = new_id()
    processes.beat(worker, "worker")
    return worker


def test_a_job_that_never_ran_is_due_at_once() -> None:
    worker = new_id()

    assert jobs.lease("tidy", EVERY, worker) is True
    assert row()["leased_by"] == worker


def test_a_job_that_is_running_is_not_given_to_anybody_else() -> None:
    jobs.lease("tidy", EVERY, living_worker())
    earlier(EVERY * 2)

    assert jobs.lease("tidy", EVERY, new_id()) is False


def test_a_worker_whose_run_could_not_be_recorded_takes_its_own_job_again_when_it_is_due() -> None:
    """The database was away when the run ended: the job must not wait for the lease to run out."""
    worker = living_worker()
    jobs.lease("tidy", EVERY, worker)

    at_once = jobs.lease("tidy", EVERY, worker)
    earlier(EVERY * 2)

    assert at_once is False
    assert jobs.lease("tidy", EVERY, worker) is True


def test_the_lease_of_a_worker_that_was_killed_ends_with_its_heartbeat() -> None:
    """R10, R11: what a dead worker was recovering is recovered by the next."""
    killed, next_one = living_worker(), living_worker()
    jobs.lease("tidy", EVERY, killed)
    earlier(EVERY * 2)
    while_it_beats = jobs.lease("tidy", EVERY, next_one)
    scenes.execute("UPDATE processes SET beat_at = beat_at - make_interval(secs => 31) WHERE id = :id", id=killed)

    assert while_it_beats is False
    assert jobs.lease("tidy", EVERY, next_one) is True


def test_one_of_many_workers_gets_the_job(app: Flask) -> None:
    def take() -> bool:
        with app.app_context(), acting_as_operator():
            return jobs.lease("tidy", EVERY, new_id())

    assert sorted(scenes.in_threads(6, take)) == [False] * 5 + [True]


def test_a_finished_job_is_due_again_after_its_interval() -> None:
    worker = new_id()
    jobs.lease("tidy", EVERY, worker)
    jobs.finish("tidy", worker, result="done")

    at_once = jobs.lease("tidy", EVERY, worker)
    earlier(EVERY * 0.8)
    too_early = jobs.lease("tidy", EVERY, worker)
    earlier(EVERY * 0.2)

    assert (at_once, too_early) == (False, False)
    assert jobs.lease("tidy", EVERY, worker) is True


def test_the_job_of_a_worker_that_hangs_is_free_when_its_lease_has_run_out() -> None:
    jobs.lease("tidy", EVERY, living_worker())
    earlier(LEASE_SECONDS - 1)
    before = jobs.lease("tidy", EVERY, new_id())

    earlier(2)

    assert before is False
    assert jobs.lease("tidy", EVERY, new_id()) is True


def test_jobs_do_not_wait_for_each_other() -> None:
    worker = new_id()

    assert [jobs.lease(name, EVERY, worker) for name in ("tidy", "sweep")] == [True, True]


def test_a_success_is_recorded_and_takes_the_last_error_away() -> None:
    worker = new_id()
    for error in ("broken", None):
        jobs.lease("tidy", 0, worker)
        jobs.finish("tidy", worker, error=error, result=None if error else "3 tidied")

    after = row()
    assert (after["last_error"], after["result"], after["leased_by"], after["leased_until"]) == (None, "3 tidied", None, None)
    assert after["succeeded_at"] == after["finished_at"]


def test_a_failure_keeps_the_last_success_and_result() -> None:
    worker = new_id()
    jobs.lease("tidy", 0, worker)
    jobs.finish("tidy", worker, result="3 tidied")
    succeeded = row()["succeeded_at"]
    jobs.lease("tidy", 0, worker)

    jobs.finish("tidy", worker, error="broken")

    after = row()
    assert (after["last_error"], after["result"], after["succeeded_at"]) == ("broken", "3 tidied", succeeded)


def test_a_worker_that_lost_its_lease_does_not_end_the_run_of_the_next_one() -> None:
    slow, next_one = living_worker(), living_worker()
    jobs.lease("tidy", EVERY, slow)
    earlier(LEASE_SECONDS + EVERY)
    jobs.lease("tidy", EVERY, next_one)

    jobs.finish("tidy", slow, result="late")

    assert (row()["leased_by"], row()["result"]) == (next_one, None)


def requested(name: str = "tidy") -> list[dict[str, Any]]:
    return scenes.rows("SELECT action, subject_id, actor, reason FROM staff_actions WHERE subject_id = :name", name=name)


def run_and_finish(worker: UUID, every: float = EVERY) -> bool:
    if not jobs.lease("tidy", every, worker):
        return False
    jobs.finish("tidy", worker, result="done")
    return True


def test_a_job_that_was_asked_for_runs_though_it_is_not_due_and_once() -> None:
    worker = new_id()
    run_and_finish(worker)

    jobs.request_run("tidy", actor="test", reason="the figures look old")

    assert [run_and_finish(worker) for _ in range(2)] == [True, False]
    assert requested() == [{"action": "job.request", "subject_id": "tidy", "actor": "test", "reason": "the figures look old"}]


def test_a_second_request_while_the_first_waits_is_told_so_and_leaves_no_trace() -> None:
    run_and_finish(new_id())
    jobs.request_run("tidy", actor="test", reason="now")

    with pytest.raises(Conflict, match="already"):
        jobs.request_run("tidy", actor="test", reason="now!")

    assert len(requested()) == 1


def test_a_job_asked_for_while_it_runs_runs_again_afterwards() -> None:
    worker = living_worker()
    jobs.lease("tidy", EVERY, worker)

    jobs.request_run("tidy", actor="test", reason="once more")
    elsewhere = jobs.lease("tidy", EVERY, living_worker())
    jobs.finish("tidy", worker, result="first")

    assert elsewhere is False
    assert jobs.lease("tidy", EVERY, worker) is True


def test_only_jobs_that_a_worker_knows_are_asked_for_and_not_without_a_reason() -> None:
    run_and_finish(new_id())

    with pytest.raises(NotFound):
        jobs.request_run("no such job", actor="test", reason="now")
    with pytest.raises(InvalidRequest):
        jobs.request_run("tidy", actor="test", reason=" ")

    assert requested() == []


def test_the_list_says_how_long_the_last_run_took_and_when_the_next_is_due() -> None:
    worker = living_worker()
    run_and_finish(worker)
    scenes.execute("UPDATE job_runs SET started_at = finished_at - make_interval(secs => 7)")

    (state,) = jobs.all_jobs()

    assert (state.name, state.every_seconds, state.result, state.holder) == ("tidy", 60, "done", None)
    assert state.duration is not None
    assert state.duration.total_seconds() == 7
    assert state.due_at is not None
    assert state.started_at is not None
    assert (state.due_at - state.started_at).total_seconds() == 60


def test_the_list_names_the_living_worker_that_runs_a_job_and_no_dead_one() -> None:
    worker = living_worker()
    jobs.lease("tidy", EVERY, worker)
    while_it_lives = jobs.state_of("tidy")
    scenes.execute("UPDATE processes SET beat_at = beat_at - make_interval(secs => 31)")

    after = jobs.state_of("tidy")

    assert while_it_lives is not None
    assert while_it_lives.holder is not None
    assert "process" in while_it_lives.holder
    assert while_it_lives.duration is None
    assert after is not None
    assert after.holder is None


def test_a_run_that_outlasts_its_lease_is_still_its_worker_s() -> None:
    """And an alarm once it has gone on for hours, instead of one that nobody takes the job."""
    jobs.lease("tidy", EVERY, living_worker())
    scenes.execute("UPDATE job_runs SET started_at = now() - interval '2 hours', leased_until = now() - interval '115 minutes'")

    state = jobs.state_of("tidy")
    stuck = conditions.look()["job_stuck"]

    assert state is not None
    assert state.holder is not None
    assert stuck["tidy"].startswith("running since ")

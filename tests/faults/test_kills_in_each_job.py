"""kill -9 of a worker inside each job, then two workers at once: everything is done in the end, and once.

All kills come first, each of a worker that has been given this one job and stands still in the middle of its transaction. Then
the silence of the dead passes, two workers run every job side by side, and a third runs them all once more.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain.calls import processes
from reseller.wiring import wiring_of
from reseller.worker.schedule import JOBS
from tests import factories
from tests.deployment import UPSTREAM_KEY, Cluster, running_app, settings_over
from tests.domain import scenes
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_account import MANAGEMENT_KEY, hash_of
from tests.fakes.receiver import Receiver
from tests.fakes.stripe import FakeStripe
from tests.faults.works import WORKS, Effect, Place
from tests.servers import FLASK, ServerProcess, environment
from tests.waiting import wait_until

STAND = 0x7374616E  # the lock that a worker waits for
STAND_STILL = f"""
CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({STAND}); RETURN NULL; END $$
"""
NAMES = [job.name for job in JOBS]


@dataclass
class Clockwork:
    """What became of each job; `troubles` of those whose kill did not come off."""

    place: Place
    url: str  # as a superuser
    env: dict[str, str]
    folder: Path
    effects: dict[str, Effect] = field(default_factory=dict)
    at_kill: dict[str, Any] = field(default_factory=dict)
    in_the_end: dict[str, Any] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def held_up(self, table: str, *, reads: bool) -> Iterator[str]:
        """Inside, whoever changes the table waits with its transaction open, or with `reads` whoever looks at it; a query for waiting."""
        with psycopg.connect(self.url) as keeper, psycopg.connect(self.url, autocommit=True) as builder:
            if reads:
                keeper.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # type: ignore[call-overload]
                yield f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
                return
            keeper.execute("SELECT pg_advisory_lock(%s)", (STAND,))
            builder.execute(
                f"CREATE TRIGGER stand AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION stand_still()"  # type: ignore[call-overload]
            )
            try:
                yield "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            finally:
                keeper.execute("SELECT pg_advisory_unlock(%s)", (STAND,))
                builder.execute(f"DROP TRIGGER stand ON {table}")  # type: ignore[call-overload]

    def try_to_kill_in(self, name: str) -> None:
        """What goes wrong with one job is that job's trouble."""
        try:
            self.kill_in(name)
        except Exception as error:  # noqa: BLE001 - told by the test of that job
            self.troubles[name] = f"{type(error).__name__}: {error}"

    def kill_in(self, name: str) -> None:
        """A worker was killed in the middle of this job, and its transaction is over."""
        work = WORKS[name]
        self.effects[name] = work.give(self.place)
        _only_due(name)
        with self.held_up(work.at, reads=work.reads) as waiting, psycopg.connect(self.url, autocommit=True) as eye:
            victim = self.worker(f"victim-{NAMES.index(name)}")
            try:
                wait_until(lambda: eye.execute(waiting).fetchone() != (0,) or victim.exit_code is not None)  # type: ignore[call-overload]
                if victim.exit_code is not None:
                    [run] = scenes.rows("SELECT result, last_error FROM job_runs WHERE name = :name", name=name)
                    self.troubles[name] = f"the job never came to change {work.at}: {run}"
                self.at_kill[name] = self.effects[name].seen()
            finally:
                victim.kill()
        with psycopg.connect(self.url, autocommit=True) as eye:
            wait_until(lambda: eye.execute(OF_OTHERS).fetchone() == (0,))

    def worker(self, name: str) -> ServerProcess:
        return ServerProcess([*FLASK, "worker", "--once"], env=self.env, log=self.folder / f"{name}.log")

    def end(self) -> None:
        """Two workers at once have done everything that was due, and a third has done it all again."""
        scenes.execute("UPDATE processes SET beat_at = beat_at - interval '1 minute' WHERE kind = 'worker'")
        for heirs in (("heir-1", "heir-2"), ("late heir",)):
            scenes.execute("UPDATE job_runs SET started_at = NULL, requested_at = NULL")
            at_work = [self.worker(name) for name in heirs]
            try:
                for worker in at_work:
                    worker.wait(120)
            finally:
                for worker in at_work:
                    worker.kill()
        self.in_the_end = {name: effect.seen() for name, effect in self.effects.items()}


# Backends of workers: those of this process and its superusers have other names.
OF_OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'reseller' AND backend_type = 'client backend'
   AND state <> 'idle' AND pid <> pg_backend_pid()
"""


def _only_due(name: str) -> None:
    for job in NAMES:
        scenes.execute("INSERT INTO job_runs (name) VALUES (:name) ON CONFLICT DO NOTHING", name=job)
    scenes.execute(
        "UPDATE job_runs SET started_at = now() + interval '1 hour', requested_at = NULL, succeeded_at = NULL, leased_until = NULL"
    )
    scenes.execute("UPDATE job_runs SET requested_at = now() WHERE name = :name", name=name)


@pytest.fixture(scope="module")
def clockwork(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clockwork]:
    folder = tmp_path_factory.mktemp("clockwork")
    with contextlib.ExitStack() as stack:
        database_url = cluster.create_database()
        stack.callback(cluster.drop_database, database_url)
        upstream = stack.enter_context(FakeOpenRouter(api_key=UPSTREAM_KEY))
        upstream.account.keys.add(hash_of(UPSTREAM_KEY))
        stripe = stack.enter_context(FakeStripe())
        receiver = stack.enter_context(Receiver())
        ours = {
            "OPENROUTER_API_KEY": UPSTREAM_KEY,
            "OPENROUTER_BASE_URL": upstream.base_url,
            "OPENROUTER_MANAGEMENT_KEY": MANAGEMENT_KEY,
            "OPERATOR_ALERT_EMAILS": "ops@example.com",
            "SECRET_KEY": "s" * 40,
            "WEBHOOKS_ALLOW_LOOPBACK": "true",
            "CALL_DETAILS_MONTHS": "1",
            "BACKUP_JOURNAL": str(folder / "journal"),
            **stripe.settings(),
        }
        app = stack.enter_context(running_app(settings_over(database_url, folder, **ours)))
        stack.enter_context(app.app_context())
        stack.enter_context(acting_as_operator())
        url = cluster.admin_url_of(database_url)
        _prepare(app, url)
        made = Clockwork(Place(app, upstream, stripe, receiver), url, environment(database_url, folder, **ours), folder)
        for name in [name for name in WORKS if name in NAMES]:
            made.try_to_kill_in(name)
        made.end()
        yield made


def _prepare(app: Flask, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(STAND_STILL)  # type: ignore[call-overload]
    factories.make_upstream()
    processes.beat(wiring_of(app).process_id, "web")  # what this process holds is not the clock's to recover


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_a_job_whose_worker_is_killed_inside_it_is_done_once_in_the_end(clockwork: Clockwork, name: str) -> None:
    """R10; and two workers at once do it once."""
    assert name in WORKS, f"Give the job “{name}” a line in WORKS of tests/faults/works.py: how it gets work, and how its effect is seen"
    work = WORKS[name]

    assert clockwork.troubles.get(name) is None
    assert clockwork.at_kill[name] == work.before
    assert clockwork.in_the_end[name] == work.once


def test_every_work_is_a_jobs() -> None:
    assert set(WORKS) <= set(NAMES), "tests/faults/works.py has work for a job that there is not in worker/schedule.py"

"""A shop in the open: two web processes and the clock reach PostgreSQL through a proxy that can do its worst.

Tests look at the database past the proxy, so what they see is what is there.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from reseller.database import acting_as_operator
from reseller.domain.calls.processes import SILENT_SECONDS
from tests import factories
from tests.deployment import UPSTREAM_KEY, Cluster, running_app, settings_over
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_catalogue import MODELS, entry
from tests.faults.clocks import WallClock
from tests.faults.commits import PostgresProxy
from tests.servers import READY_SECONDS, WebServer, WorkerProcess, environment
from tests.shop import FAKE_PRICES, Customer, Shop, scripted_models, stock
from tests.waiting import wait_until

PROCESSES = 2
PASSED = SILENT_SECONDS + 1
PATIENT = {
    "UPSTREAM_CONNECT_SECONDS": "5",
    "UPSTREAM_FIRST_BYTE_SECONDS": "60",
    "UPSTREAM_IDLE_SECONDS": "60",
    "UPSTREAM_TOTAL_SECONDS": "120",
}


class Storm(Shop):
    """A shop whose processes may be killed and whose database may fail them."""

    proxy: PostgresProxy
    database_url: str  # past the proxy
    clock: WorkerProcess
    folder: Path
    web_clock: WallClock | None = None
    worker_clock: WallClock | None = None

    def kill_webs(self, *pids: int) -> None:
        """kill -9 of these web processes, else of all; the server starts others, which take calls when this returns."""
        doomed = pids or tuple(self.web.worker_pids)
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(self.web.worker_pids) - set(doomed)) == PROCESSES, READY_SECONDS)
        wait_until(lambda: self.web.status_of("/readyz") == 200, READY_SECONDS)

    def pid_of_call(self, customer: Customer) -> int:
        """The process that owes the end of the customer's only open call."""
        sql = "SELECT p.pid FROM holds h JOIN processes p ON p.id = h.process_id WHERE h.account_id = %s"
        [row] = self.query(sql, customer.person.account_id)
        return int(row["pid"])

    def kill_clock(self) -> None:
        """kill -9 of the worker; nobody replaces it."""
        self.clock.kill()

    def start_clock(self) -> None:
        """A new worker, at work."""
        env = {**self.web.environment, **(self.worker_clock.environment if self.worker_clock else {})}
        self.clock = WorkerProcess(env=env, log=self.folder / f"worker-{len(list(self.folder.glob('worker*')))}.log")

    def let_silence_pass(self) -> None:
        """As if half a minute had gone by: who lives beats again at once, the dead have been silent for long enough."""
        shift = "make_interval(secs => %s)"
        self.query(f"UPDATE processes SET beat_at = beat_at - {shift} WHERE NOT (pid = ANY(%s)) RETURNING id", PASSED, self._living())
        self.query(f"UPDATE holds SET chase_at = chase_at - {shift} WHERE chase_at IS NOT NULL RETURNING id", PASSED)
        self.query(f"UPDATE job_runs SET started_at = started_at - {shift} RETURNING name", PASSED)

    def _living(self) -> list[int]:
        return [*self.web.worker_pids, *([self.clock.pid] if self.clock.exit_code is None else [])]


@contextlib.contextmanager
def open_storm(cluster: Cluster, folder: Path, *, fake_seed: int = 1, faketime: str | None = None, **environ: str) -> Iterator[Storm]:
    """Two web processes and a worker behind a proxy; the fake upstream sells every scripted model under one rule of 25 %.

    With the library `faketime`, the web processes have a wall clock that can be stepped, and so has the worker.
    """
    with contextlib.ExitStack() as stack:
        database_url = cluster.create_database()
        stack.callback(drop, cluster, database_url)
        fake = stack.enter_context(FakeOpenRouter(api_key=UPSTREAM_KEY, seed=fake_seed))
        fake.models = [*MODELS, *(entry(slug, FAKE_PRICES) for slug in scripted_models())]
        proxy = stack.enter_context(PostgresProxy(port_of(database_url)))
        ours = {**PATIENT, "OPENROUTER_API_KEY": UPSTREAM_KEY, "OPENROUTER_BASE_URL": fake.base_url, **environ}
        app = stack.enter_context(running_app(settings_over(database_url, folder, **ours)))
        with app.app_context(), acting_as_operator():
            stock(app)
        env = environment(through(proxy, database_url), folder, **ours)
        clocks = [WallClock(faketime, folder / f"{name}.clock") for name in ("web", "worker")] if faketime else [None, None]
        of_web = clocks[0].environment if clocks[0] else {}
        web = WebServer(env={**env, **of_web}, log=folder / "web.log", processes=PROCESSES)
        stack.callback(web.kill)
        storm = Storm(app=app, admin_url=cluster.admin_url_of(database_url), fake=fake, web=web)
        storm.proxy, storm.database_url, storm.folder = proxy, database_url, folder
        storm.web_clock, storm.worker_clock = clocks
        storm.start_clock()
        stack.callback(lambda: storm.clock.kill())
        yield storm


def drop(cluster: Cluster, database_url: str) -> None:
    """The database is gone, unless its server is down: then it goes with the server."""
    with contextlib.suppress(psycopg.OperationalError):
        cluster.drop_database(database_url)


def rich_customer(storm: Storm, usd: str = "100") -> Customer:
    """A customer with money and without limits."""
    return storm.customer(usd=usd, limits=False)


def grant(storm: Storm, customer: Customer, usd: str) -> None:
    """The customer has this much more, or less."""
    with storm.at_work():
        factories.grant(customer.person, usd=usd)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def through(proxy: PostgresProxy, url: str) -> str:
    """The same database by way of the proxy."""
    return url.replace(f":{port_of(url)}/", f":{proxy.port}/")

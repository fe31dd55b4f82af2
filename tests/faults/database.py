"""A PostgreSQL of one's own that keeps its promises, and may be crashed, stopped and started again."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psycopg
from flask_migrate import upgrade

from config.postgres import Running, find_binaries, temporary
from config.postgres.server import Server
from tests.deployment import Cluster, running_app, settings_over
from tests.faults.storm import port_of
from tests.servers import ROOT
from tests.waiting import wait_until

HOW = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT, "kill": signal.SIGKILL}
"""As `pg_ctl stop -m immediate` (a crash), as `pg_ctl stop -m fast`, and kill -9 of the postmaster."""

STOP_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Database:
    """`cluster` makes databases on it; its port is the same after every start."""

    cluster: Cluster
    server: Server  # with fsync

    def stop(self, how: Literal["immediate", "fast", "kill"]) -> None:
        """It has ended, in order or not."""
        pid = self.server.pid()
        assert pid is not None, "it does not run"
        os.kill(pid, HOW[how])
        wait_until(lambda: self.server.pid() is None, STOP_SECONDS)

    def start(self) -> None:
        """It has recovered and accepts connections again, where it did before."""
        port = port_of(self.cluster.url)
        assert self.server.start(port, dies_with_us=True)[0] == port
        wait_until(self._answers, STOP_SECONDS)

    def stay_down(self, seconds: float) -> None:
        """Time goes by without a database."""
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 1)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.cluster.admin_url, connect_timeout=2):
            return True
        return False


@contextlib.contextmanager
def own_database(folder: Path) -> Iterator[Database]:
    """Fresh, migrated, with fsync; gone with its data when the block ends."""
    with temporary(find_binaries()[0]) as running:
        database = Database(Cluster(running.url, running.admin_url), _durable(running))
        database.stop("fast")
        database.start()
        with running_app(settings_over(running.url, folder)) as app, app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
        yield database


def _durable(running: Running) -> Server:
    return replace(running.server, is_durable=True)

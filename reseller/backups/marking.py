"""The mark of a database that is being restored: PostgreSQL itself refuses writes of everybody but whoever restores.

So a process that is pointed at it too early admits no call, signs nobody in and is not ready (`/readyz`), and a restore that
died half-way does not pass for one that is done.
"""

from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine, event

SETTING = sql.Identifier("default_transaction_read_only")
MAY_WRITE = "-c default_transaction_read_only=off"
"""For the connections of whoever restores."""


def close(connection: "psycopg.Connection[Any]") -> None:
    """Sessions that begin from now on may only read."""
    _set(connection, sql.SQL("SET {} = on").format(SETTING))


def open_(connection: "psycopg.Connection[Any]") -> None:
    """Sessions that begin from now on may write."""
    _set(connection, sql.SQL("RESET {}").format(SETTING))


def write_all_the_same(engine: Engine) -> None:
    """Connections that this engine opens from now on may write in spite of the mark."""

    @event.listens_for(engine, "connect")
    def _may_write(connection: Any, _: object) -> None:
        connection.execute("SET default_transaction_read_only = off")
        connection.commit()


def _set(connection: "psycopg.Connection[Any]", what: sql.Composed) -> None:
    """For the whole database if we own it, else for our own role in it, which the product's processes share."""
    database = sql.Identifier(connection.info.dbname)
    try:
        connection.execute(sql.SQL("ALTER DATABASE {} {}").format(database, what))
    except psycopg.errors.InsufficientPrivilege:
        connection.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} {}").format(database, what))

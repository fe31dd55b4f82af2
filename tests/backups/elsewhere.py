"""Empty databases to restore into, and `flask backup` / `flask restore` as an operator runs them."""

import contextlib
import contextvars
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from psycopg import sql
from psycopg.rows import dict_row

from tests.deployment import Cluster, named


@contextlib.contextmanager
def empty_database(cluster: Cluster) -> Iterator[str]:
    """The URL, as `reseller`, of a database without a single table."""
    name = f"restored_{secrets.token_hex(6)}"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER reseller").format(sql.Identifier(name)))
    url = named(cluster.url, name)
    yield url
    cluster.drop_database(url)


def command(app: Flask, *words: str) -> Any:
    """A command of this app, as in a process of its own: with nothing of the test's around it."""
    return contextvars.Context().run(app.test_cli_runner().invoke, args=list(words))


def backed_up(app: Flask, file: Path, *words: str) -> dict[str, Any]:
    """What `flask backup` says that it wrote."""
    return _told(command(app, "backup", str(file), "--json", *words))


def restored(app: Flask, file: Path, *words: str) -> dict[str, Any]:
    """What `flask restore` says that it did, into the database of this app."""
    return _told(command(app, "restore", str(file), "--json", *words))


def _told(done: Any) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def rows_at(url: str, query: str, *values: object) -> list[dict[str, Any]]:
    """Rows as the operator sees them, of a session that says nothing about writing."""
    with psycopg.connect(url, options="-c reseller.acting_for=operator", row_factory=dict_row, autocommit=True) as connection:
        return connection.execute(query.encode(), values).fetchall()

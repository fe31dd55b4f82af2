"""What a deployment under test is made of: a PostgreSQL with a migrated template, settings, an app. Starts no servers."""

import contextlib
import contextvars
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from unittest import mock

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from psycopg import sql
from werkzeug.routing import Rule

from config import Settings, settings_for
from reseller import create_app
from reseller.database import db
from reseller.wiring import wiring_of

UPSTREAM_KEY = "sk-or-v1-never-seen-by-customers"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL that holds one migrated database to copy."""

    url: str = field(repr=False)  # of the template, as `reseller`
    admin_url: str = field(repr=False)  # as the superuser

    def create_database(self) -> str:
        """The URL, as `reseller`, of a fresh migrated database."""
        return self._create("CREATE DATABASE {} TEMPLATE reseller OWNER reseller")

    def create_empty_database(self) -> str:
        """The URL, as `reseller`, of a database as a platform hands it out: nothing is in it."""
        return self._create("CREATE DATABASE {} TEMPLATE template0 OWNER reseller")

    def _create(self, statement: LiteralString) -> str:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(sql.Identifier(name)))
        return named(self.url, name)

    def drop_database(self, url: str) -> None:
        """The database is gone, whoever is still connected."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(url.rpartition("/")[2])))

    def admin_url_of(self, url: str) -> str:
        """The same database as a superuser, whom row-level security does not hold."""
        return named(self.admin_url, url.rpartition("/")[2])


def named(url: str, database: str) -> str:
    """The same server and role, another database."""
    return f"{url.rpartition('/')[0]}/{database}"


def settings_over(database_url: str, instance: Path, **environ: str) -> Settings:
    """Settings for tests on this database. Nobody listens at the upstream's address."""
    return settings_for(
        {
            "RESELLER_ENV": "testing",
            "DATABASE_URL": database_url,
            "RESELLER_INSTANCE": str(instance),
            "OPENROUTER_API_KEY": UPSTREAM_KEY,
            "OPENROUTER_BASE_URL": "http://127.0.0.1:9/api/v1",
            **environ,
        }
    )


class LoneClient(FlaskClient):
    """Each request begins with nothing, as on a server: no app context of the test, so no person left over, and nobody acting."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return contextvars.Context().run(super().open, *args, **kwargs)


_compile_builder = Rule._compile_builder
_builders: dict[tuple[Any, ...], Any] = {}


def _build_once(rule: Rule, append_unknown: bool = True) -> Any:
    """Werkzeug's function that writes a rule's URLs, compiled once for all apps of this process: else it is most of what one costs."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


# Templates are compiled once for all apps of this process, which have the same: else it is a third of what tests of pages cost.
_folder = tempfile.TemporaryDirectory(prefix="reseller-templates-")
_compiled = FileSystemBytecodeCache(_folder.name)


@contextlib.contextmanager
def running_app(settings: Settings) -> Iterator[Flask]:
    """The app; its connections are closed afterwards."""
    with mock.patch.object(Rule, "_compile_builder", _build_once):
        app = create_app(settings)
    app.test_client_class = LoneClient
    app.jinja_env.bytecode_cache = _compiled
    try:
        yield app
    finally:
        wiring_of(app).till.close()
        wiring_of(app).reader.close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()

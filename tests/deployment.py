"""What a deployment under test is made of: a PostgreSQL with a migrated template, settings, an app. Starts no servers."""

import contextlib
import contextvars
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql

from config import Settings, settings_for
from reseller.database import db
from reseller.wiring import wiring_of
from tests.compiled_once import compiled_once

UPSTREAM_KEY = "sk-or-v1-never-seen-by-customers"


@dataclass(slots=True)
class Cluster:
    """A running PostgreSQL that holds one migrated database to copy."""

    url: str = field(repr=False)  # of the template, as `reseller`
    admin_url: str = field(repr=False)  # as the superuser
    _admin: psycopg.Connection | None = field(default=None, init=False, repr=False)

    def create_database(self) -> str:
        """The URL, as `reseller`, of a fresh migrated database."""
        return self._create("CREATE DATABASE {} TEMPLATE reseller STRATEGY FILE_COPY OWNER reseller")

    def create_empty_database(self) -> str:
        """The URL, as `reseller`, of a database as a platform hands it out: nothing is in it."""
        return self._create("CREATE DATABASE {} TEMPLATE template0 OWNER reseller")

    def _create(self, statement: LiteralString, *names: str) -> str:
        name = f"test_{secrets.token_hex(6)}"
        self._tell(statement, name, *names)
        return named(self.url, name)

    def drop_database(self, url: str) -> None:
        """The database is gone, whoever is still connected."""
        self._tell("DROP DATABASE {} WITH (FORCE)", url.rpartition("/")[2])

    def _tell(self, statement: LiteralString, *names: str) -> None:
        """By a connection that is kept: two for each test were a tenth of what one costs. A server that restarted has ended it."""
        if self._admin is not None:
            with contextlib.suppress(psycopg.OperationalError):
                self._admin.execute("SELECT 1")
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(self.admin_url, autocommit=True)
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

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


@contextlib.contextmanager
def running_app(settings: Settings) -> Iterator[Flask]:
    """The app; its connections are closed afterwards."""
    app = compiled_once(settings)
    app.test_client_class = LoneClient
    try:
        yield app
    finally:
        wiring_of(app).till.close()
        wiring_of(app).reader.close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()

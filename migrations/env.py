"""How Alembic reaches the database: through the app, each migration its own transaction, and nobody waits behind it.

A migration that waits for a table makes everybody wait who comes after it, be it for a read. So it waits for WAIT_MS at most,
less than calls do (150 ms), gives up, and tries again while whoever holds the table gets done: for PATIENCE_SECONDS, or
`flask db upgrade -x patience=SECONDS`. What was migrated before stays; a later start goes on from there.

Months of `usage_logs` are made by a job and are no concern of the models.
"""

import re
import sys
import time

from alembic import context
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from reseller import schema
from reseller.database import Base

PARTITION = re.compile(r"usage_logs_\d{4}_\d{2}")
WAIT_MS = 100
GAP_SECONDS = 2.0
PATIENCE_SECONDS = 120
LOCK_NOT_AVAILABLE = "55P03"

HOLDERS = text(
    """SELECT DISTINCT a.pid, coalesce(a.application_name, '') AS program, a.state, now() - a.xact_start AS lasts
         FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND a.pid <> pg_backend_pid() AND a.datname = current_database()
          AND a.xact_start < now() - interval '1 second'
        ORDER BY lasts DESC LIMIT 5"""
)


def include_name(name, kind, parent_names):
    return not (kind == "table" and name and PARTITION.fullmatch(name))


def include_object(item, name, kind, reflected, compare_to):
    return not (kind == "table" and PARTITION.fullmatch(name or ""))


def render_item(kind, item, autogen_context):
    """Our column types are plain ones to the database."""
    if kind == "type" and type(item).__module__.startswith("reseller."):
        return (
            f"sa.{type(item.impl).__name__}(timezone=True)"
            if type(item.impl).__name__ == "DateTime"
            else f"sa.{type(item.impl).__name__}()"
        )
    return False


def attempt(connection) -> None:
    """Every migration that is due runs, unless one has to wait."""
    connection.execute(text(f"SET lock_timeout = '{WAIT_MS}ms'"))
    connection.execute(text("SET reseller.acting_for = 'operator'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        include_object=include_object,
        render_item=render_item,
        compare_type=True,
        transaction_per_migration=True,
    )
    if later := unknown_revisions():
        print(  # noqa: T201
            f"the database is at {', '.join(later)}, which a later release has made: nothing to migrate, this release runs on it",
            file=sys.stderr,
            flush=True,
        )
        return
    with context.begin_transaction():
        context.run_migrations()


def unknown_revisions() -> list[str]:
    """Of an upgrade to the newest: where the database stands, if this code has never heard of it. So going back to a release works."""
    options = getattr(context.config, "cmd_opts", None)
    function = context.get_context().opts.get("fn")
    if getattr(function, "__name__", "") != "upgrade" or str(getattr(options, "revision", "heads")) not in ("head", "heads"):
        return []
    return [revision for revision in context.get_context().get_current_heads() if not schema.knows(revision)]


def is_relative() -> bool:
    """Whether the destination is so many steps away: then a second attempt would go on from wherever the first one got to."""
    options = getattr(context.config, "cmd_opts", None)
    return str(getattr(options, "revision", "") or "").startswith(("+", "-"))


def holders(engine) -> str:
    """Who has had a table for longest, in words."""
    with engine.connect() as connection:
        rows = connection.execute(HOLDERS).all()
    return ", ".join(f"process {row.pid} ({row.program or 'no name'}, {row.state}, for {row.lasts})" for row in rows) or "nobody by now"


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    patience = float(context.get_x_argument(as_dictionary=True).get("patience", PATIENCE_SECONDS))
    deadline = time.monotonic() + (0 if is_relative() else patience)
    while True:
        try:
            with engine.connect() as connection:
                attempt(connection)
            return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            print(f"a migration waits for a table that others use: {holders(engine)}", file=sys.stderr, flush=True)  # noqa: T201
            if time.monotonic() > deadline:
                sys.exit(
                    "Nothing of that migration was done. Let those transactions end, or end them (pg_terminate_backend), and run it again."
                )
            time.sleep(GAP_SECONDS)


run()

"""How Alembic reaches the database: through the app, with short lock waits, each migration its own transaction.

Months of `usage_logs` are made by a job and are no concern of the models.
"""

import re

from alembic import context
from flask import current_app
from sqlalchemy import text

from reseller.database import Base

PARTITION = re.compile(r"usage_logs_\d{4}_\d{2}")
LOCK_TIMEOUT = "4s"


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


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
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
        with context.begin_transaction():
            context.run_migrations()


run()

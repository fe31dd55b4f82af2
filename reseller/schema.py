"""Is the database's schema the one this code was written for? Ground: Alembic's own answer, asked read-only."""

from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reseller.database import db

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def newest_revision() -> str | None:
    """The newest migration in this code."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def knows(revision: str) -> bool:
    """Whether this code has that migration: a database of newer code has one that it has not."""
    return any(script.revision == revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def is_current() -> bool:
    """Whether every migration has run. Raises SQLAlchemyError if the database does not answer."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest_revision()

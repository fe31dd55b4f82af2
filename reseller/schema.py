"""Is the database's schema one that this code can work with? Ground: Alembic's own answer, asked read-only."""

from functools import cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reseller.database import db

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def newest_revision() -> str:
    """The newest migration of this code."""
    return _ours()[0]


def knows(revision: str) -> bool:
    """Whether this code has that migration: a database of newer code has one that it has not."""
    return revision in _ours()


def is_current() -> bool:
    """Whether every migration of this code has run. Raises SQLAlchemyError if the database does not answer.

    So it is where newer code has migrated already: the boxes that are not replaced yet go on, since what they use is dropped a
    release later.
    """
    with db.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found is not None and (found == newest_revision() or not knows(found))


@cache
def _ours() -> tuple[str, ...]:
    """This code's migrations, the newest first. Read once: every file is compiled for it, and a process keeps the code it began with."""
    return tuple(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())

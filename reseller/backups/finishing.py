"""What was restored becomes a shop that may open: migrated, signed out, proved. Works through the app, which is on that database."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from flask_migrate import upgrade

from config.postgres.clients import libpq_url
from reseller import schema
from reseller.backups import marking
from reseller.database import db, transaction
from reseller.domain import accounts, books, letters, staff
from reseller.domain.identity import links, sessions
from reseller.domain.ledger import AuditReport

Tell = Callable[[str], None]
ACTOR = "system:restore"


@dataclass(frozen=True, slots=True)
class Ended:
    """What was open when the backup was taken and is not any more."""

    sessions: int
    links: int
    letters: int


def begin(tell: Tell) -> None:
    """The app may write in spite of the mark, and the schema is the newest."""
    marking.write_all_the_same(db.engine)
    if not schema.is_current():
        tell(f"migrating to {schema.newest_revision()}")
        upgrade(directory=str(schema.MIGRATIONS))


def end_what_was_open(taken_at: str) -> Ended:
    """Nobody is signed in, no link of a letter works, no old letter is sent: some of them were ended or used since."""
    with transaction():
        ended = Ended(sessions.end_everybodys(), links.void_everybodys(), letters.withdraw_waiting("restored from a backup"))
        changes = {"taken_at": [None, taken_at], "sessions": [ended.sessions, 0], "links": [ended.links, 0], "letters": [ended.letters, 0]}
        staff.record(ACTOR, "database.restore", "database", "", changes=changes)
        return ended


def prove() -> AuditReport:
    """The books as `flask ledger verify` sees them; accounts whose books do not add up are halted, as by the hourly proof (R1)."""
    report = books.verify()
    for mismatch in report.mismatches:
        accounts.halt(mismatch.account_id, reason=f"{mismatch.row}: {mismatch.problem}")
    return report


def open_for_all(database_url: str) -> None:
    """Whoever connects from now on may write."""
    with psycopg.connect(libpq_url(database_url), options=marking.MAY_WRITE, connect_timeout=10, autocommit=True) as connection:
        marking.open_(connection)

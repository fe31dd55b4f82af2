"""What was restored becomes a shop that may open: migrated, signed out, proved. Works through the app, which is on that database."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from flask_migrate import upgrade

from config.postgres.clients import libpq_url
from reseller import schema
from reseller.backups import Tell, marking
from reseller.backups.manifest import Manifest
from reseller.backups.remembering import Remembered
from reseller.database import db, transaction
from reseller.domain import books, letters, staff
from reseller.domain.identity import links, sessions
from reseller.domain.journal import Replay, replay, sums_now
from reseller.domain.journal import revoke_all_keys as revoke_all_keys_
from reseller.domain.ledger import AuditReport

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


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a restore did beyond the backup itself."""

    ended: Ended
    replay: Replay
    remembered_until: datetime | None  # None: nobody could tell what came after the backup
    lost_calls: int
    lost_nano: int  # charged for them
    revoked_keys: int


def catch_up(told: Manifest, remembered: Remembered, *, revoke_all_keys: bool) -> CaughtUp:
    """Nobody is signed in, and what was stopped after the backup is stopped again. The database is still closed to others."""
    with transaction() as session:
        here = sums_now(session)
    ended = _end_what_was_open(told.taken_at.isoformat())
    replayed = replay(remembered.lines)
    revoked = revoke_all_keys_(f"restored from a backup of {told.taken_at:%Y-%m-%d %H:%M} UTC") if revoke_all_keys else 0
    then = remembered.sums or here
    return CaughtUp(
        ended=ended,
        replay=replayed,
        remembered_until=remembered.until,
        lost_calls=max(then.calls - here.calls, 0),
        lost_nano=max(then.charged_nano - here.charged_nano, 0),
        revoked_keys=revoked,
    )


def _end_what_was_open(taken_at: str) -> Ended:
    """No session, no link of a letter, no old letter: some of them were ended, used or sent since."""
    with transaction():
        ended = Ended(sessions.end_everybodys(), links.void_everybodys(), letters.withdraw_waiting("restored from a backup"))
        changes = {"taken_at": [None, taken_at], "sessions": [ended.sessions, 0], "links": [ended.links, 0], "letters": [ended.letters, 0]}
        staff.record(ACTOR, "database.restore", "database", "", changes=changes)
        return ended


def prove() -> AuditReport:
    """The books as `flask ledger verify` sees them; accounts whose books do not add up are halted, as by the hourly proof (R1)."""
    report = books.verify()
    books.halt_mismatched(report)
    return report


def open_for_all(database_url: str) -> None:
    """Whoever connects from now on may write."""
    with psycopg.connect(libpq_url(database_url), options=marking.MAY_WRITE, connect_timeout=10, autocommit=True) as connection:
        marking.open_(connection)

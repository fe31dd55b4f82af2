"""What staff say about an alarm: that somebody looks after it, or that it is over. Both have a name, words and an audit row (R37)."""

from uuid import UUID

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.alarms.catalogue import meaning_of
from reseller.domain.alarms.tables import Alarm
from reseller.errors import Conflict, InvalidRequest, NotFound

MAX_NOTE_CHARACTERS = 500


def acknowledge(alarm_id: UUID, *, actor: str, note: str) -> None:
    """Everybody sees who looks after it, and nobody is reminded of it. Raises InvalidRequest, NotFound, Conflict."""
    words = _checked(note)
    with transaction():
        row = _open(alarm_id)
        if row.acknowledged_at is not None:
            raise Conflict("Somebody else looks after it already.")
        row.acknowledged_at, row.acknowledged_by, row.note = now(), actor, words
        staff.record(actor, "alarm.acknowledge", "alarm", alarm_id, reason=words, changes={"alarm": [None, row.alarm]})


def end(alarm_id: UUID, *, actor: str, note: str) -> None:
    """It is over, for what is over only when it stays away. Raises InvalidRequest, NotFound, Conflict for a condition that still is."""
    words = _checked(note)
    with transaction():
        row = _open(alarm_id)
        if meaning_of(row.alarm).quiet_after is None:
            raise Conflict("This one ends by itself as soon as it is no longer so.")
        row.cleared_at, row.cleared_by, row.note = now(), actor, words
        staff.record(actor, "alarm.end", "alarm", alarm_id, reason=words, changes={"alarm": [row.alarm, None]})


def _checked(note: str) -> str:
    words = note.strip()
    if not words or len(words) > MAX_NOTE_CHARACTERS:
        raise InvalidRequest(f"Say what you do about it, in at most {MAX_NOTE_CHARACTERS} characters.", param="reason")
    return words


def _open(alarm_id: UUID) -> Alarm:
    with transaction() as session:
        row = session.get(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such alarm.")
    if row.cleared_at is not None:
        raise Conflict("It is over already.")
    return row

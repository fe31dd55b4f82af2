"""From what was sounded or found to rows: one for each alarm and subject as long as it lasts.

What happens (`keep`) is over when it was not seen for a while, or when staff say so. A condition (`hold`) is looked at by a job,
which says each time for which subjects it is so, and is over where it is not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from reseller import metrics
from reseller.alarms import MAX_SUBJECT_CHARACTERS, MAX_WORDS_CHARACTERS, Sighting, plain
from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain.alarms.catalogue import ALARMS, UNKNOWN
from reseller.domain.alarms.tables import Alarm, AlarmMessage, MessageState

CLOCK = "system:clock"
KEPT = timedelta(days=365)
MESSAGES_KEPT = timedelta(days=30)

log = structlog.get_logger()

# A condition that goes on is not seen once more (`again` is 0): it is still so.
_SEEN = text(
    """INSERT INTO alarms (id, alarm, subject, words, times, first_seen_at, last_seen_at, note)
       VALUES (:id, :alarm, :subject, :words, :first, :first_at, :last_at, '')
       ON CONFLICT (alarm, subject) WHERE cleared_at IS NULL DO UPDATE
          SET times = alarms.times + :again, last_seen_at = greatest(alarms.last_seen_at, excluded.last_seen_at),
              words = CASE WHEN excluded.words = '' THEN alarms.words ELSE excluded.words END
       RETURNING xmax = 0 AS is_new"""
)


def keep(sightings: Iterable[Sighting]) -> None:
    """What was sounded is in the rows of its alarms."""
    with transaction() as session:
        for each in sorted(sightings, key=lambda seen: (seen.alarm, seen.subject)):  # one order: two processes never wait for each other
            facts = {"alarm": each.alarm, "subject": each.subject, "words": each.words, "first_at": each.first_at, "last_at": each.last_at}
            session.execute(_SEEN, {"id": new_id(), "first": each.count, "again": each.count, **facts})


def hold(alarm: str, found: Mapping[str, str]) -> list[str]:
    """The condition is so for these subjects (→ words) and no others; the subjects for which it was not before.

    New ones are in the log and counted, as if they had been sounded.
    """
    at = now()
    held = {plain(subject, MAX_SUBJECT_CHARACTERS): plain(words, MAX_WORDS_CHARACTERS) for subject, words in sorted(found.items())}
    new = []
    with transaction() as session:
        for subject, words in held.items():
            facts = {"alarm": alarm, "subject": subject, "words": words, "first_at": at, "last_at": at, "first": 1, "again": 0}
            if session.execute(_SEEN, {"id": new_id(), **facts}).one().is_new:
                new.append(subject)
        gone = update(Alarm).where(Alarm.alarm == alarm, Alarm.cleared_at.is_(None), Alarm.subject.not_in(list(held)))
        session.execute(gone.values(cleared_at=at, cleared_by=CLOCK))
    for subject in new:
        metrics.count(metrics.ALARMS, alarm)
        log.error("alarm", alarm=alarm, subject=subject, words=held[subject])
    return new


def clear_quiet() -> int:
    """What was not seen for its while is over; how many are."""
    at, names = now(), defaultdict(list)
    for name, meaning in ALARMS.items():
        if meaning.quiet_after is not None:
            names[meaning.quiet_after].append(name)
    with transaction() as session:
        unknown = select(Alarm.alarm).where(Alarm.cleared_at.is_(None), Alarm.alarm.not_in(list(ALARMS))).distinct()
        names[UNKNOWN.quiet_after or KEPT] += list(session.scalars(unknown))
        return sum(_clear(session, each, at - quiet_after, at) for quiet_after, each in names.items())


def _clear(session: Session, names: list[str], before: datetime, at: datetime) -> int:
    quiet = update(Alarm).where(Alarm.alarm.in_(names), Alarm.cleared_at.is_(None), Alarm.last_seen_at < before)
    return int(session.execute(quiet.values(cleared_at=at, cleared_by=CLOCK)).rowcount)  # type: ignore[attr-defined]


def forget_old() -> int:
    """Alarms that were over a year ago, and messages that were done with a month ago, have no row; how many had."""
    at = now()
    old = select(Alarm.id).where(Alarm.cleared_at < at - KEPT)
    done = (AlarmMessage.state != MessageState.WAITING) & (AlarmMessage.created_at < at - MESSAGES_KEPT)
    with transaction() as session:
        messages = session.execute(delete(AlarmMessage).where(done | AlarmMessage.alarm_id.in_(old)))
        alarms = session.execute(delete(Alarm).where(Alarm.cleared_at < at - KEPT))
        return int(messages.rowcount + alarms.rowcount)  # type: ignore[attr-defined]

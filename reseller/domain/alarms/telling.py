"""Who is told of alarms, and when: letters and messages are rows of the transaction that says so, so nothing is lost or told twice.

A new alarm is told of at once, unless the same one was told of within COOL_DOWN: then when that is over, if it still lasts. One
that lasts is told of again each REMIND, until somebody acknowledges it. That one is over is told of whenever its beginning was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import letters
from reseller.domain.alarms.catalogue import meaning_of
from reseller.domain.alarms.tables import Alarm, AlarmMessage, MessageState
from reseller.domain.letters import LetterKind

COOL_DOWN = timedelta(minutes=30)
REMIND = timedelta(hours=24)
AT_A_TIME = 50
IN_A_LETTER = 10
GAPS_SECONDS = (10, 30, 60, 300, 900, 3_600)
GIVEN_UP_AFTER = timedelta(hours=24)
AT_WORK = timedelta(minutes=2)
MAX_ERROR_CHARACTERS = 300
MOMENT = "%-d %B %Y, %H:%M UTC"


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of alarms: mailboxes, and whether there is a webhook."""

    emails: Sequence[str]
    has_webhook: bool

    @property
    def are_any(self) -> bool:
        return bool(self.emails) or self.has_webhook


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message in the hands of a worker."""

    id: UUID
    payload: dict[str, Any]
    created_at: datetime


_TO_TELL = text(
    """SELECT id FROM alarms a
        WHERE cleared_at IS NULL AND acknowledged_at IS NULL AND (told_at IS NULL OR told_at <= :remind)
          AND (told_at IS NOT NULL OR NOT EXISTS
               (SELECT FROM alarms b WHERE b.alarm = a.alarm AND b.subject = a.subject AND b.told_at > :cool))
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"""
)
_TO_CALL_OFF = text(
    """SELECT id FROM alarms WHERE cleared_at IS NOT NULL AND told_at IS NOT NULL AND told_over_at IS NULL
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"""
)


def tell(ears: Ears) -> int:
    """Whoever hears of alarms has letters and messages on their way about what is new, lasts or is over; about how many."""
    at = now()
    times = {"remind": at - REMIND, "cool": at - COOL_DOWN, "limit": AT_A_TIME}
    with transaction() as session:
        begun = [session.get_one(Alarm, found) for found in session.scalars(_TO_TELL, times)]
        over = [session.get_one(Alarm, found) for found in session.scalars(_TO_CALL_OFF, {"limit": AT_A_TIME})]
        _write(LetterKind.OPERATOR_ALARM, begun, ears)
        _write(LetterKind.OPERATOR_ALARM_OVER, over, ears)
        if ears.has_webhook:
            session.add_all([AlarmMessage(alarm_id=row.id, payload=_payload("alarm.raised", row, at)) for row in begun])
            session.add_all([AlarmMessage(alarm_id=row.id, payload=_payload("alarm.cleared", row, at)) for row in over])
        for row in begun:
            row.told_at = at
        for row in over:
            row.told_over_at = at
    return len(begun) + len(over)


def _write(kind: LetterKind, rows: Sequence[Alarm], ears: Ears) -> None:
    """One letter to each mailbox, however many alarms there are."""
    if not rows:
        return
    first = meaning_of(rows[0].alarm).title + (f" ({rows[0].subject})" if rows[0].subject else "")
    more = len(rows) - 1
    urgent = "Urgent: " if any(row.cleared_at is None and meaning_of(row.alarm).is_urgent for row in rows) else ""
    facts = {
        "what": f"{urgent}{first}{f' and {more} more' if more else ''}",
        "list": "\n\n".join(_paragraph(row) for row in rows[:IN_A_LETTER]),
        "more": f"{len(rows) - IN_A_LETTER} more are on the page." if len(rows) > IN_A_LETTER else "",
    }
    for email in ears.emails:
        letters.write(kind, email, facts=facts)


def _paragraph(row: Alarm) -> str:
    meaning = meaning_of(row.alarm)
    about = f"{meaning.title}{f' ({row.subject})' if row.subject else ''}: {' '.join(row.words.split()) or row.alarm}."
    if row.cleared_at is not None:
        return f"{about} From {row.first_seen_at:{MOMENT}} to {row.cleared_at:{MOMENT}}."
    return f"{about} Since {row.first_seen_at:{MOMENT}}. {meaning.means} {meaning.to_do}"


def _payload(kind: str, row: Alarm, at: datetime) -> dict[str, Any]:
    meaning = meaning_of(row.alarm)
    told = {
        "id": str(row.id), "alarm": row.alarm, "subject": row.subject, "title": meaning.title, "words": row.words,
        "means": meaning.means, "to_do": meaning.to_do, "is_urgent": meaning.is_urgent, "times": row.times,
        "first_seen_at": row.first_seen_at.isoformat(), "last_seen_at": row.last_seen_at.isoformat(),
        "cleared_at": row.cleared_at.isoformat() if row.cleared_at else None,
    }  # fmt: skip
    return {"type": kind, "timestamp": at.isoformat(), "data": told}


_CLAIM = text(
    """UPDATE alarm_messages SET attempts = attempts + 1, next_try_at = :until
        WHERE id IN (SELECT id FROM alarm_messages WHERE state = 'waiting' AND next_try_at <= :now
                      ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
       RETURNING id, payload, created_at"""
)


def claim_messages(limit: int) -> list[ClaimedMessage]:
    """Messages that are due, the oldest first: nobody else gets them for AT_WORK."""
    at = now()
    with transaction() as session:
        rows = session.execute(_CLAIM, {"until": at + AT_WORK, "now": at, "limit": limit}).mappings()
        return sorted((ClaimedMessage(**row) for row in rows), key=lambda message: message.id)


def record_told(message_id: UUID) -> None:
    """The operator's webhook has the message."""
    with transaction() as session:
        row = session.get_one(AlarmMessage, message_id, with_for_update=True, populate_existing=True)
        row.state, row.sent_at, row.error = MessageState.SENT, now(), None


def record_untold(message_id: UUID, error: str) -> None:
    """The message is tried again after a while that grows, and given up a day after it was written."""
    with transaction() as session:
        row = session.get_one(AlarmMessage, message_id, with_for_update=True, populate_existing=True)
        row.error = error[:MAX_ERROR_CHARACTERS]
        row.next_try_at = now() + timedelta(seconds=GAPS_SECONDS[min(row.attempts, len(GAPS_SECONDS)) - 1])
        if row.next_try_at > row.created_at + GIVEN_UP_AFTER:
            row.state = MessageState.GIVEN_UP

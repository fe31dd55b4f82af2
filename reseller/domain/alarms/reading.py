"""Alarms as staff look at them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from reseller.database import transaction
from reseller.domain.alarms.catalogue import ALARMS, Meaning, meaning_of
from reseller.domain.alarms.tables import Alarm, AlarmMessage, MessageState

MOST = 200


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """One that lasts, with what is known of its kind."""

    id: UUID
    alarm: str
    subject: str
    words: str
    times: int
    first_seen_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str
    meaning: Meaning


def open_alarms() -> list[OpenAlarm]:
    """Those that last: what nobody looks after first, then the urgent, then the newest. At most MOST."""
    with transaction() as session:
        rows = session.scalars(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id.desc()).limit(MOST))
        found = [
            OpenAlarm(
                row.id, row.alarm, row.subject, row.words, row.times, row.first_seen_at, row.last_seen_at,
                row.acknowledged_at, row.acknowledged_by, row.note, meaning_of(row.alarm),
            )
            for row in rows
        ]  # fmt: skip
    return sorted(found, key=lambda each: (each.acknowledged_at is not None, not each.meaning.is_urgent))


def unacknowledged() -> int:
    """How many last that nobody looks after."""
    return sum(unattended().values())


def unattended() -> dict[str, int]:
    """The same by alarm; 0 for all others."""
    with transaction() as session:
        query = select(Alarm.alarm, func.count()).where(Alarm.cleared_at.is_(None), Alarm.acknowledged_at.is_(None))
        return dict.fromkeys(ALARMS, 0) | {name: int(count) for name, count in session.execute(query.group_by(Alarm.alarm))}


def webhook_trouble() -> str | None:
    """What the operator's webhook answered the last time, if a message waits for it or was given up; None if all is well."""
    bad = select(AlarmMessage.error).where(AlarmMessage.state != MessageState.SENT, AlarmMessage.error.is_not(None))
    with transaction() as session:
        return session.scalar(bad.order_by(AlarmMessage.id.desc()).limit(1))

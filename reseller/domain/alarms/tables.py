"""Alarms that were sounded, and what the operator's webhook is told of them. Written by this folder's verbs alone."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified

OPEN = "cleared_at IS NULL"
"""The condition of alarms that are not over; word for word, so that its index is found."""


class Alarm(Identified, Base):
    """One thing wrong, from when it was first seen until it was over: however often it is seen meanwhile, it is one row."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index("uq_alarms_open", "alarm", "subject", unique=True, postgresql_where=OPEN),
        Index("ix_alarms_alarm_subject_told_at", "alarm", "subject", "told_at"),
    )

    alarm: Mapped[str] = mapped_column(Text)  # its name in `catalogue.ALARMS`
    subject: Mapped[str] = mapped_column(Text)  # what it is about; "" for the whole shop
    words: Mapped[str] = mapped_column(Text, default="")  # what was seen the last time
    times: Mapped[int] = mapped_column(BigInteger, default=1)  # how often it was seen; a condition that lasts counts once
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")  # of whoever acknowledged or ended it
    cleared_at: Mapped[datetime | None]
    cleared_by: Mapped[str | None] = mapped_column(Text)  # "system:clock", or who of staff
    told_at: Mapped[datetime | None]  # letters and message were last written
    told_over_at: Mapped[datetime | None]  # and that it is over


class MessageState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


class AlarmMessage(Identified, Created, Base):
    """What the operator's webhook is to be told. Its id is the message's, the same with every attempt."""

    __tablename__ = "alarm_messages"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state_known"),
        Index("ix_alarm_messages_due", "next_try_at", postgresql_where="state = 'waiting'"),
    )

    alarm_id: Mapped[UUID] = mapped_column(ForeignKey("alarms.id"), index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text, default=MessageState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(default=now)
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)  # of the last attempt

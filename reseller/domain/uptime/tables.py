"""Tables of the service's own state. Slots are written by hearts, snapshots by the clock, incidents by staff."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned


class ServiceSlot(Base):
    """What went well and what failed of one part of the service in five minutes, in all processes."""

    __tablename__ = "service_slots"

    part: Mapped[str] = mapped_column(Text, primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    good: Mapped[int] = mapped_column(BigInteger)
    bad: Mapped[int] = mapped_column(BigInteger)
    took_ms: Mapped[list[int]] = mapped_column(ARRAY(Integer))  # counts in the buckets of usage.histogram, of those that went well


class ServiceSnapshot(Base):
    """The figures of the status page, added up by the clock: whoever asks reads one row."""

    __tablename__ = "service_snapshots"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    made_at: Mapped[datetime]  # the database's clock
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Incident(Identified, Created, Versioned, Base):
    """Something that staff tell everybody: what is wrong, or will be."""

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint("impact IN ('minor', 'major', 'maintenance')", name="impact_known"),
        CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved_once"),
        Index("ix_incidents_open", "id", postgresql_where="resolved_at IS NULL"),
    )

    title: Mapped[str] = mapped_column(Text)
    impact: Mapped[str] = mapped_column(Text)
    parts: Mapped[list[str]] = mapped_column(ARRAY(Text))  # which parts of the service
    state: Mapped[str] = mapped_column(Text)
    resolved_at: Mapped[datetime | None]


class IncidentUpdate(Identified, Base):
    """What staff wrote about it, in order; never changed."""

    __tablename__ = "incident_updates"
    __table_args__ = (Index("ix_incident_updates_incident_id_id", "incident_id", "id"),)

    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incidents.id"))
    state: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))  # never shown outside
    created_at: Mapped[datetime] = mapped_column(default=now)

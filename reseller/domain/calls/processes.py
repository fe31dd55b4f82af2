"""Heartbeats: one row for each web or worker process. Holds name the process that owes their end (R11)."""

import os
import resource
import socket
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Identified, transaction

BEAT_SECONDS = 5
SILENT_SECONDS = 30


class Process(Identified, Base):
    __tablename__ = "processes"

    kind: Mapped[str] = mapped_column(Text)  # web, worker
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=now)
    beat_at: Mapped[datetime] = mapped_column(default=now)  # the database's clock
    cpu_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")  # since the process began
    cpu_percent: Mapped[float] = mapped_column(default=0.0, server_default="0")  # of one core, between the last two beats


_BEAT = text(
    """INSERT INTO processes AS p (id, kind, host, pid, started_at, beat_at, cpu_seconds)
       VALUES (:id, :kind, :host, :pid, now(), now(), :cpu)
       ON CONFLICT (id) DO UPDATE
          SET beat_at = now(), cpu_seconds = excluded.cpu_seconds,
              cpu_percent = 100 * (excluded.cpu_seconds - p.cpu_seconds) / greatest(extract(epoch FROM now() - p.beat_at), 0.1)"""
)

# A database that has just come back makes everybody look silent: give the living time to say so.
_FORGET = text(
    """DELETE FROM processes p
        WHERE p.beat_at < now() - make_interval(secs => :silent) AND pg_postmaster_start_time() < now() - interval '15 seconds'
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.process_id = p.id)"""
)


def beat(process_id: UUID, kind: str, on: Engine | None = None) -> None:
    """The database knows that this process lives; said over a connection of `on`, if given, else in the current transaction."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = spent.ru_utime + spent.ru_stime
    facts = {"id": process_id, "kind": kind, "host": socket.gethostname(), "pid": os.getpid(), "cpu": cpu_seconds}
    if on is not None:
        with on.begin() as connection:
            connection.execute(_BEAT, facts)
        return
    with transaction() as session:
        session.execute(_BEAT, facts)


def is_any_alive(kind: str) -> bool:
    """Whether a process of this kind has beaten lately."""
    alive = text("SELECT EXISTS (SELECT FROM processes WHERE kind = :kind AND beat_at >= now() - make_interval(secs => :silent))")
    with transaction() as session:
        return bool(session.scalar(alive, {"kind": kind, "silent": SILENT_SECONDS}))


def forget(process_id: UUID) -> None:
    """The process ended in order and owes nothing."""
    with transaction() as session:
        session.execute(
            text("DELETE FROM processes p WHERE id = :id AND NOT EXISTS (SELECT 1 FROM holds WHERE process_id = :id)"), {"id": process_id}
        )


def forget_silent() -> int:
    """Rows of dead processes whose calls are all resolved are gone; how many were."""
    with transaction() as session:
        return int(session.execute(_FORGET, {"silent": SILENT_SECONDS * 2}).rowcount)  # type: ignore[attr-defined]

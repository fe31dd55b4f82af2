"""The clock's memory: when each job last ran, who is running it, and what went wrong.

A job is leased with one UPDATE that repeats its condition, so two workers do not run the same job at once for
LEASE_SECONDS. A lease ends with its holder's heartbeat, and a worker may take its own again (it runs each job in one
greenlet, so the lease it finds is of a run whose end could not be recorded). Jobs are safe to run twice.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, transaction
from reseller.domain.calls import processes

LEASE_SECONDS = 300


class JobRun(Base):
    """One row a job: its last start, end, error and the current lease."""

    __tablename__ = "job_runs"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(Text)  # one line for people
    last_error: Mapped[str | None] = mapped_column(Text)  # None after a success
    leased_by: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    requested_at: Mapped[datetime | None]  # somebody wants it to run now, due or not


_ENSURE = text("INSERT INTO job_runs (name) VALUES (:name) ON CONFLICT DO NOTHING")
_LEASE = text(
    """UPDATE job_runs SET leased_by = :worker, leased_until = now() + make_interval(secs => :lease), started_at = now(),
              requested_at = NULL
        WHERE name = :name
          AND (leased_until IS NULL OR leased_until < now() OR leased_by = :worker
               OR NOT EXISTS (SELECT 1 FROM processes p
                               WHERE p.id = leased_by AND p.beat_at >= now() - make_interval(secs => :silent)))
          AND (requested_at IS NOT NULL OR started_at IS NULL OR started_at <= now() - make_interval(secs => :every))"""
)
_FINISH = text(
    """UPDATE job_runs SET leased_by = NULL, leased_until = NULL, finished_at = now(), last_error = :error,
              result = coalesce(:result, result),
              succeeded_at = CASE WHEN CAST(:error AS text) IS NULL THEN now() ELSE succeeded_at END
        WHERE name = :name AND leased_by = :worker"""
)


def lease(name: str, every_seconds: float, worker_id: UUID) -> bool:
    """True if the job is due and is now ours for LEASE_SECONDS. If we die here, the lease runs out."""
    with transaction() as session:
        session.execute(_ENSURE, {"name": name})
        # A tenth less than the interval, so that a clock tick does not turn "every 5 s" into "every 10 s".
        params = {
            "name": name,
            "worker": worker_id,
            "lease": LEASE_SECONDS,
            "every": every_seconds * 0.9,
            "silent": processes.SILENT_SECONDS,
        }
        return session.execute(_LEASE, params).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def finish(name: str, worker_id: UUID, *, result: str | None = None, error: str | None = None) -> None:
    """The run is recorded and the job can be leased again."""
    with transaction() as session:
        session.execute(_FINISH, {"name": name, "worker": worker_id, "result": result, "error": error})

"""The clock's memory: when each job last ran, who is running it, and what went wrong.

A job is leased with one UPDATE that repeats its condition, so two workers do not run the same job at once for
LEASE_SECONDS. A lease ends with its holder's heartbeat, and a worker may take its own again (it runs each job in one
greenlet, so the lease it finds is of a run whose end could not be recorded). Jobs are safe to run twice.

Which jobs there are is the schedule of the workers that run; each run leaves its interval here, so that pages tell
what is due without knowing a worker.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, Text, text, update
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, transaction
from reseller.domain import staff
from reseller.domain.calls import processes
from reseller.errors import Conflict, InvalidRequest, NotFound

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
    every_seconds: Mapped[int | None]  # the interval in the schedule of the worker that last ran it
    runs: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # that came to an end
    failures: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # among them


_ENSURE = text("INSERT INTO job_runs (name) VALUES (:name) ON CONFLICT DO NOTHING")
_LEASE = text(
    """UPDATE job_runs SET leased_by = :worker, leased_until = now() + make_interval(secs => :lease), started_at = now(),
              requested_at = NULL, every_seconds = :interval
        WHERE name = :name
          AND (leased_until IS NULL OR leased_until < now() OR leased_by = :worker
               OR NOT EXISTS (SELECT 1 FROM processes p
                               WHERE p.id = leased_by AND p.beat_at >= now() - make_interval(secs => :silent)))
          AND (requested_at IS NOT NULL OR started_at IS NULL OR started_at <= now() - make_interval(secs => :every))"""
)
_FINISH = text(
    """UPDATE job_runs SET leased_by = NULL, leased_until = NULL, finished_at = now(), last_error = :error,
              result = coalesce(:result, result), runs = runs + 1, failures = failures + (CAST(:error AS text) IS NOT NULL)::int,
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
            "interval": max(round(every_seconds), 1),
            "silent": processes.SILENT_SECONDS,
        }
        return session.execute(_LEASE, params).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def finish(name: str, worker_id: UUID, *, result: str | None = None, error: str | None = None) -> None:
    """The run is recorded and the job can be leased again."""
    with transaction() as session:
        session.execute(_FINISH, {"name": name, "worker": worker_id, "result": result, "error": error})


_LIST = text(
    """SELECT j.name, j.every_seconds, j.started_at, j.finished_at, j.succeeded_at, j.result, j.last_error, j.requested_at,
              j.runs, j.failures,
              CASE WHEN p.beat_at >= now() - make_interval(secs => :silent)
                   THEN p.host || ', process ' || p.pid END AS holder
         FROM job_runs j LEFT JOIN processes p ON p.id = j.leased_by
        WHERE CAST(:name AS text) IS NULL OR j.name = :name
        ORDER BY j.name"""
)


@dataclass(frozen=True, slots=True)
class JobState:
    """One job as its last run left it. `holder` is the living worker that is running it now, however long ago it began."""

    name: str
    every_seconds: int | None
    started_at: datetime | None
    finished_at: datetime | None
    succeeded_at: datetime | None
    result: str | None
    last_error: str | None
    requested_at: datetime | None
    runs: int
    failures: int
    holder: str | None

    @property
    def every(self) -> timedelta | None:
        """The interval; None if no worker has left it yet."""
        return None if self.every_seconds is None else timedelta(seconds=self.every_seconds)

    @property
    def duration(self) -> timedelta | None:
        """How long the last run took; None while one is running, or if its end was never recorded."""
        if self.started_at is None or self.finished_at is None or self.finished_at < self.started_at:
            return None
        return self.finished_at - self.started_at

    @property
    def due_at(self) -> datetime | None:
        """When it runs next; an instant that is over means that no worker has taken it."""
        if self.requested_at is not None:
            return self.requested_at
        return None if self.started_at is None or self.every is None else self.started_at + self.every


def all_jobs() -> list[JobState]:
    """Every job that a worker has run at least once, by name."""
    return _states(None)


def state_of(name: str) -> JobState | None:
    """One job; None if no worker has run it yet."""
    return next(iter(_states(name)), None)


def request_run(name: str, *, actor: str, reason: str) -> None:
    """The next worker that looks runs the job, due or not: within seconds, and after the run in hand if there is one.

    Raises NotFound for a job that no worker has ever run, Conflict while a request waits, InvalidRequest without a reason.
    """
    if not reason.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    with transaction() as session:
        row = session.get(JobRun, name, with_for_update=True)
        if row is None:
            raise NotFound("There is no such job, or no worker has run it yet.")
        if row.requested_at is not None:
            raise Conflict(f"Somebody has asked for “{name}” already; no worker has taken it yet.")
        row.requested_at = now()
        staff.record(actor, "job.request", "job", name, reason=reason.strip())


def make_due(names: Iterable[str]) -> None:
    """The next worker that looks runs these jobs, due or not."""
    with transaction() as session:
        session.execute(update(JobRun).where(JobRun.name.in_(names), JobRun.requested_at.is_(None)).values(requested_at=now()))


def _states(name: str | None) -> list[JobState]:
    with transaction() as session:
        rows = session.execute(_LIST, {"name": name, "silent": processes.SILENT_SECONDS})
        return [JobState(**row) for row in rows.mappings()]

"""System health: who lives, what waits, what was refused and why. Counts of refusals are of live calls."""

# ruff: noqa: S608 - put together from constants only

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import jobs
from reseller.domain.calls.processes import SILENT_SECONDS
from reseller.domain.desk.figures import pieces
from reseller.domain.jobs import JobState
from reseller.domain.ledger import Hold
from reseller.domain.usage import rollup
from reseller.domain.usage.period import Period

RATE_LIMITS = ("rate_limit_exceeded", "too_many_concurrent_requests", "too_many_failed_attempts")
NO_MONEY = ("insufficient_credits", "account_frozen", "key_spend_limit_reached")


@dataclass(frozen=True, slots=True)
class ProcessNow:
    """One web or worker process, by its last heartbeat."""

    kind: str
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    is_silent: bool
    cpu_seconds: float
    cpu_percent: float
    open_holds: int


@dataclass(frozen=True, slots=True)
class DatabaseNow:
    """Connections of the server, and its size."""

    connections: int
    active: int
    most: int
    bytes: int


@dataclass(frozen=True, slots=True)
class HoldsNow:
    """Calls in flight; `chased` have ended and wait for the upstream to tell their cost."""

    open: int
    chased: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """One hour or day: what was refused for going too fast, and for want of money."""

    point: str
    rate_limited: int
    without_money: int


@dataclass(frozen=True, slots=True)
class HealthFigures:
    processes: tuple[ProcessNow, ...]
    database: DatabaseNow
    holds: HoldsNow
    refusals: tuple[Refusals, ...]
    rate_limited: int
    rate_limited_before: int
    without_money: int
    without_money_before: int
    jobs: tuple[JobState, ...]
    rolled_at: datetime | None

    @property
    def failing(self) -> tuple[JobState, ...]:
        """Jobs whose last run failed."""
        return tuple(job for job in self.jobs if job.last_error)


_PROCESSES = text(
    """SELECT p.kind, p.host, p.pid, p.started_at, p.beat_at, p.beat_at < now() - make_interval(secs => :silent) AS is_silent,
              p.cpu_seconds, p.cpu_percent, count(h.id) AS open_holds
         FROM processes p LEFT JOIN holds h ON h.process_id = p.id GROUP BY p.id ORDER BY p.kind, p.host, p.pid"""
)
_DATABASE = text(
    """SELECT count(*), count(*) FILTER (WHERE state = 'active'), current_setting('max_connections')::int,
              pg_database_size(current_database()) FROM pg_stat_activity WHERE backend_type = 'client backend'"""
)


def health(period: Period) -> HealthFigures:
    """The state of this moment, and refusals of the range and of the one before."""
    with transaction() as session:
        processes = tuple(ProcessNow(**row) for row in session.execute(_PROCESSES, {"silent": SILENT_SECONDS}).mappings())
        connections = session.execute(_DATABASE).one()
        now, before = _refused(session, period), _refused(session, period.before)
        return HealthFigures(
            processes=processes,
            database=DatabaseNow(*connections),
            holds=holds_now(session),
            refusals=_curve(session, period),
            rate_limited=now[0],
            rate_limited_before=before[0],
            without_money=now[1],
            without_money_before=before[1],
            jobs=tuple(jobs.all_jobs()),
            rolled_at=rollup.rolled_at(),
        )


def holds_now(session: Session) -> HoldsNow:
    """Calls in flight in all processes."""
    row = session.execute(select(func.count(), func.count(Hold.chase_at), func.min(Hold.created_at))).one()
    return HoldsNow(*row)


_REFUSED = (
    "coalesce(sum(refused) FILTER (WHERE error_code = ANY(:fast)), 0), coalesce(sum(refused) FILTER (WHERE error_code = ANY(:poor)), 0)"
)
_CODES = {"fast": list(RATE_LIMITS), "poor": list(NO_MONEY)}
_ARE_THESE = "NOT is_test AND refused > 0 AND error_code = ANY(:both)"
_BOTH = {"both": [*RATE_LIMITS, *NO_MONEY]}


def _refused(session: Session, period: Period) -> tuple[int, int]:
    query = f"SELECT {_REFUSED} FROM {pieces.traffic('error_code, refused', where=_ARE_THESE)}"
    row = pieces.fetch(session, query, period, **_CODES, **_BOTH)[0]
    return int(row[0]), int(row[1])


def _curve(session: Session, period: Period) -> tuple[Refusals, ...]:
    query = f"""SELECT {pieces.point(period)}, {_REFUSED} FROM traffic_hours
                 WHERE starts_at >= :start AND starts_at < :end AND {_ARE_THESE} GROUP BY 1 ORDER BY 1"""
    return tuple(Refusals(row[0], int(row[1]), int(row[2])) for row in pieces.fetch(session, query, period, **_CODES, **_BOTH))

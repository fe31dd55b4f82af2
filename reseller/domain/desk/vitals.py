"""How the whole shop stands, read from the database for whoever watches it: what waits, what is due and has not happened, what is full.

Small numbers from small indexes, since it is asked every few seconds. What processes count themselves is in `metrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import alarms, clock_alarms, jobs, webhooks
from reseller.domain.calls.processes import SILENT_SECONDS
from reseller.domain.jobs import JobState

SUMS_EVERY_SECONDS = 60
LOST_SECONDS = 60
"""R11: a hold whose process is silent is resolved within a minute."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Things that wait for the clock. `overdue_seconds`: since when the first of them should have been taken; 0 if none should."""

    name: str
    length: int
    overdue_seconds: float


@dataclass(frozen=True, slots=True)
class Holds:
    """Calls in flight in all processes; `chased` have ended and wait for their cost, `lost` should have been resolved."""

    open: int
    chased: int
    lost: int
    held_nano: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Server:
    """The database server."""

    connections: int
    most: int
    bytes: int
    oldest_transaction_seconds: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """`at` is the database's clock. `processes`: living and silent ones by kind."""

    at: datetime
    holds: Holds
    server: Server
    queues: tuple[Queue, ...]
    jobs: tuple[JobState, ...]
    alarms: Mapping[str, int]
    open_alarms: Mapping[str, int]  # that last and nobody looks after
    processes: Mapping[tuple[str, str], int]
    halted_accounts: int
    quarantined_prices: int
    open_suspense: int
    usage_months_ahead: int
    webhook_tries: Mapping[str, int]  # of the last minutes, by outcome
    webhook_endpoints: Mapping[str, int]  # failing, off


def vitals() -> Vitals:
    """The state of this moment. The database ends it after two seconds; raises SQLAlchemyError."""
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = '2s'"))
        row = session.execute(_COUNTS).one()
        hooks = webhooks.waiting()
        return Vitals(
            at=row.at,
            holds=Holds(*session.execute(_HOLDS, {"silent": SILENT_SECONDS + LOST_SECONDS}).one()),
            server=Server(*session.execute(_SERVER).one()),
            queues=_queues(session, row, hooks),
            jobs=tuple(jobs.all_jobs()),
            alarms=clock_alarms.totals(),
            open_alarms=alarms.unattended(),
            processes=_processes(session),
            halted_accounts=row.halted,
            quarantined_prices=row.quarantined,
            open_suspense=row.suspense,
            usage_months_ahead=row.months_ahead,
            webhook_tries=webhooks.recent_tries(),
            webhook_endpoints={"failing": hooks.failing, "off": hooks.off},
        )


def overdue(job: JobState, at: datetime) -> timedelta:
    """For how long a worker should have taken this job; nothing while one is at it."""
    if job.holder is not None or job.due_at is None:
        return timedelta(0)
    return max(at - job.due_at, timedelta(0))


_COUNTS = text(
    """SELECT now() AS at,
              (SELECT count(*) FROM accounts WHERE halted_at IS NOT NULL) AS halted,
              (SELECT count(*) FROM model_prices WHERE state = 'quarantined') AS quarantined,
              (SELECT count(*) FROM suspense_items WHERE resolved_at IS NULL) AS suspense,
              (SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'usage_logs'::regclass AND c.relname > 'usage_logs_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
              ) AS months_ahead,
              (SELECT extract(epoch FROM now() - rolled_at)::float FROM rollup_marks WHERE name = 'usage') AS sums_age"""
)
_HOLDS = text(
    """SELECT count(*), count(chase_at),
              count(*) FILTER (WHERE chase_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM processes p WHERE p.id = h.process_id AND p.beat_at >= now() - make_interval(secs => :silent))),
              coalesce(sum(amount_nano), 0)::bigint, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM holds h"""
)
_SERVER = text(
    """SELECT count(*), current_setting('max_connections')::int, pg_database_size(current_database()),
              coalesce(extract(epoch FROM now() - min(xact_start)), 0)::float
         FROM pg_stat_activity WHERE backend_type = 'client backend'"""
)
_PROCESSES = text("SELECT kind, beat_at >= now() - make_interval(secs => :silent) AS is_alive, count(*) FROM processes GROUP BY 1, 2")

_WAITING = {
    "letters": "SELECT count(*), min(next_try_at) FROM letters WHERE state = 'waiting'",
    "stripe_events": "SELECT count(*), min(received_at) FROM stripe_events WHERE state = 'received'",
    "costs": "SELECT count(*), min(chase_at) FROM holds WHERE chase_at IS NOT NULL",
    "alarm_messages": """SELECT count(*), min(next_try_at) FROM alarm_messages
                          WHERE state = 'waiting' AND created_at > now() - interval '1 day'""",
    "limits_to_revert": "SELECT count(*), min(reverts_at) FROM rate_limits WHERE reverts_at IS NOT NULL",
}
"""What the clock takes by itself: how many, and when the first of them was or will be due."""


def _queues(session: Session, row: Row[tuple[object, ...]], hooks: webhooks.Waiting) -> tuple[Queue, ...]:
    found = [_queue(session, name, query) for name, query in _WAITING.items()]
    sums_age: float | None = row.sums_age
    return (
        *found,
        Queue("events", hooks.events, hooks.oldest_event_seconds),
        Queue("webhooks", hooks.deliveries, hooks.oldest_due_seconds),
        Queue("usage_sums", 0, max((sums_age or 0.0) - SUMS_EVERY_SECONDS, 0.0)),
    )


def _queue(session: Session, name: str, query: str) -> Queue:
    late = "greatest(coalesce(extract(epoch FROM now() - w.due), 0), 0)::float"
    length, seconds = session.execute(text(f"SELECT w.length, {late} FROM ({query}) AS w(length, due)")).one()  # noqa: S608
    return Queue(name, length, seconds)


def _processes(session: Session) -> dict[tuple[str, str], int]:
    """Kinds that there should be have their number although it is none."""
    counted = {(kind, state): 0 for kind in ("web", "worker") for state in ("alive", "silent")}
    for kind, is_alive, number in session.execute(_PROCESSES, {"silent": SILENT_SECONDS}):
        counted[kind, "alive" if is_alive else "silent"] = number
    return counted

"""Figures of the whole shop for Prometheus, out of its database: the same whichever process of whichever machine is asked.

Kept for a few seconds, so that many who ask are one question. Without a database they are absent, and `reseller_database_up` is 0.
"""

from collections.abc import Iterator

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.exc import SQLAlchemyError

from reseller.clock import monotonic
from reseller.database import acting_as_operator, db
from reseller.domain.alarms import meaning_of
from reseller.domain.desk.vitals import Vitals, overdue, vitals

KEPT_SECONDS = 5.0
NANO = 1_000_000_000

log = structlog.get_logger()


class ShopFigures:
    """What one process last read of them."""

    def __init__(self) -> None:
        self._families: list[Metric] = []
        self._read_at: float | None = None

    def families(self) -> list[Metric]:
        """The figures, not older than KEPT_SECONDS."""
        if self._read_at is None or monotonic() - self._read_at > KEPT_SECONDS:
            self._families = _read()
            self._read_at = monotonic()
        return self._families


def _read() -> list[Metric]:
    up = GaugeMetricFamily("reseller_database_up", "1 if the database answered with the figures of the shop in time")
    try:
        with acting_as_operator():
            found = vitals()
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("figures_not_read", error=type(error).__name__)
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    return [up, *_standing(found), *_queues(found), *_jobs(found), *_webhooks(found), _alarms(found), _open_alarms(found)]


def _standing(found: Vitals) -> Iterator[Metric]:
    holds, server = found.holds, found.server
    yield _one("reseller_open_holds", "Calls in flight in all processes", holds.open)
    yield _one("reseller_held_usd", "Money reserved for them, in US dollars; for graphs", holds.held_nano / NANO)
    yield _one("reseller_oldest_hold_seconds", "Age of the oldest of them", holds.oldest_seconds)
    yield _one("reseller_lost_holds", "Calls of processes that are gone, which a worker should have ended", holds.lost)
    yield _one("reseller_database_connections", "Connections to the database server", server.connections)
    yield _one("reseller_database_most_connections", "How many it allows", server.most)
    yield _one("reseller_database_bytes", "Size of the database", server.bytes)
    yield _one("reseller_database_oldest_transaction_seconds", "Age of the oldest transaction", server.oldest_transaction_seconds)
    yield _one("reseller_halted_accounts", "Accounts whose books do not add up", found.halted_accounts)
    yield _one("reseller_quarantined_prices", "Prices that wait for somebody's decision", found.quarantined_prices)
    yield _one("reseller_open_suspense", "Money that fits no order, and that nobody has explained", found.open_suspense)
    yield _one("reseller_usage_months_ahead", "Months to come that have room for usage", found.usage_months_ahead)
    processes = GaugeMetricFamily("reseller_processes", "Processes by their heartbeats", labels=["kind", "state"])
    for labels, number in found.processes.items():
        processes.add_metric(labels, number)
    yield processes


def _queues(found: Vitals) -> Iterator[Metric]:
    length = GaugeMetricFamily("reseller_queue_length", "What waits for the clock", labels=["queue"])
    late = GaugeMetricFamily("reseller_overdue_seconds", "Since when the first of a queue should have been taken", labels=["queue"])
    for queue in found.queues:
        length.add_metric([queue.name], queue.length)
        late.add_metric([queue.name], queue.overdue_seconds)
    yield from (length, late)


def _jobs(found: Vitals) -> Iterator[Metric]:
    runs = CounterMetricFamily("reseller_job_runs", "Runs that came to an end", labels=["job"])
    failures = CounterMetricFamily("reseller_job_failures", "Runs that failed", labels=["job"])
    failing = GaugeMetricFamily("reseller_job_failing", "1 if its last run failed", labels=["job"])
    age = GaugeMetricFamily("reseller_job_success_age_seconds", "Since its last success", labels=["job"])
    took = GaugeMetricFamily("reseller_job_duration_seconds", "How long its last run took", labels=["job"])
    late = GaugeMetricFamily("reseller_job_overdue_seconds", "For how long a worker should have taken it", labels=["job"])
    for job in found.jobs:
        runs.add_metric([job.name], job.runs)
        failures.add_metric([job.name], job.failures)
        failing.add_metric([job.name], job.last_error is not None)
        late.add_metric([job.name], overdue(job, found.at).total_seconds())
        if job.succeeded_at is not None:
            age.add_metric([job.name], (found.at - job.succeeded_at).total_seconds())
        if job.duration is not None:
            took.add_metric([job.name], job.duration.total_seconds())
    yield from (runs, failures, failing, age, took, late)


def _webhooks(found: Vitals) -> Iterator[Metric]:
    tries = GaugeMetricFamily("reseller_webhook_tries", "Tries of deliveries to customers' endpoints in five minutes", labels=["outcome"])
    for outcome, number in found.webhook_tries.items():
        tries.add_metric([outcome], number)
    endpoints = GaugeMetricFamily(
        "reseller_webhook_endpoints", "Customers' endpoints where nothing gets through: failing, or off for it", labels=["state"]
    )
    for state, number in found.webhook_endpoints.items():
        endpoints.add_metric([state], number)
    yield from (tries, endpoints)


def _alarms(found: Vitals) -> Metric:
    """Joins the web processes' own family of this name."""
    family = CounterMetricFamily("reseller_alarms", "Things that staff must look at", labels=["alarm", "process"])
    for name, raised in found.alarms.items():
        family.add_metric([name, "worker"], raised)
    return family


def _open_alarms(found: Vitals) -> Metric:
    family = GaugeMetricFamily("reseller_open_alarms", "Alarms that last and nobody looks after", labels=["alarm", "urgent"])
    for name, count in found.open_alarms.items():
        family.add_metric([name, "yes" if meaning_of(name).is_urgent else "no"], count)
    return family


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)

"""Lease → run → record → sleep, one greenlet a job. SIGTERM lets the jobs in hand finish."""

import signal
from collections.abc import Callable

import gevent
import structlog
from flask import Flask
from gevent.event import Event

from reseller.clock import monotonic
from reseller.database import acting_as_operator, db
from reseller.domain import jobs
from reseller.heart import WORKER, Heart
from reseller.silence import wait_for_each
from reseller.wiring import wiring_of
from reseller.worker.context import Context
from reseller.worker.schedule import JOBS, Job

FINISH_SECONDS = 25.0
ERRANDS_SECONDS = 12.0
"""A little longer than one of them may take."""
MAX_PAUSE_SECONDS = 5.0

log = structlog.get_logger()


def run_forever(app: Flask) -> None:
    """Every job runs when it is due, until SIGTERM or SIGINT."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    context = _begun(app, is_once=False)
    log.info("worker_began", jobs=len(JOBS))
    _make_due(app)
    greenlets = [gevent.spawn(_repeat, app, job, context, stop) for job in JOBS]
    stop.wait()
    gevent.joinall(greenlets, timeout=FINISH_SECONDS)
    context.errands.finish(ERRANDS_SECONDS)
    _end(context)
    log.info("worker_ended")


def run_once(app: Flask, tell: Callable[[str], None] = lambda line: None) -> list[str]:
    """Every job that is due has run once; the names of those that failed. `tell` gets a line for each job."""
    context = _begun(app, is_once=True)
    failed = [job.name for job in JOBS if not _run_if_due(app, job, context, tell)]
    _end(context)
    return failed


def _begun(app: Flask, *, is_once: bool) -> Context:
    """The worker has its row, and tells whoever wants to hear of its errors."""
    wiring = wiring_of(app)
    wiring.telemetry.start(WORKER)
    heart = Heart(app, WORKER)
    heart.start()
    return Context(wiring, heart, is_once=is_once)


def _end(context: Context) -> None:
    """Everything owed is durable, as far as time allows, and the row is gone."""
    context.wiring.till.drain(FINISH_SECONDS)
    context.heart.stop()
    context.wiring.telemetry.stop()


def _make_due(app: Flask) -> None:
    """What has to run at the start of a worker is due. Without a database it runs when it is due anyway."""
    with app.app_context(), acting_as_operator():
        try:
            jobs.make_due([job.name for job in JOBS if job.at_start])
        except Exception:  # noqa: BLE001 - the loop goes on
            log.error("jobs_not_made_due", exc_info=True)
        finally:
            db.session.remove()


def _repeat(app: Flask, job: Job, context: Context, stop: Event) -> None:
    while not stop.is_set():
        started = monotonic()
        _run_if_due(app, job, context)
        stop.wait(max(min(job.every, MAX_PAUSE_SECONDS) - (monotonic() - started), 0.2))


def _run_if_due(app: Flask, job: Job, context: Context, tell: Callable[[str], None] = lambda line: None) -> bool:
    """False if the job ran and failed. The worker outlives every failure of a job."""
    worker_id = context.wiring.process_id
    wait_for_each(job.patience)
    with app.app_context(), acting_as_operator():
        try:
            if not jobs.lease(job.name, job.every, worker_id):
                tell(f"{job.name}: not due, or at work elsewhere")
                return True
            try:
                result = job.run(context)
            except Exception as error:
                db.session.rollback()
                jobs.finish(job.name, worker_id, error=f"{type(error).__name__}: {error}"[:1000])
                raise
            jobs.finish(job.name, worker_id, result=result)
            tell(f"{job.name}: {result}")
        except Exception:  # noqa: BLE001 - the loop goes on
            log.error("job_failed", job=job.name, exc_info=True)
            return False
        finally:
            db.session.remove()
    return True

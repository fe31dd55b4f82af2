"""A web process from its first request to its last: boot gates, heartbeat, drain. gunicorn calls it, nobody else."""

import gc
from collections.abc import Callable

import gevent
import structlog
from flask import Flask

from reseller import alarms
from reseller.clock import monotonic
from reseller.database import acting_as_operator
from reseller.heart import WEB, Heart
from reseller.live import LiveCalls
from reseller.sampling import watch_lag
from reseller.schema import is_current
from reseller.wiring import wiring_of

COLLECT_EVERY = 20_000
"""New containers between two looks for garbage in cycles. Calls leave hardly any; Python's own 700 cost a twentieth of a call."""

APP_LOAD_ERROR = 4  # gunicorn stops for good instead of starting the process again

log = structlog.get_logger()


class Serving:
    """One web process at work."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wiring = wiring_of(app)
        live = app.extensions["live_calls"]
        assert isinstance(live, LiveCalls)
        self._live = live
        self._heart = Heart(app, WEB, stalled=live.drain)
        self._drained_by = monotonic()
        self._lag_watch: gevent.Greenlet | None = None

    def start(self) -> None:
        self._wiring.telemetry.start(WEB)
        self._heart.start()
        self._lag_watch = watch_lag()

    def announce_end(self) -> None:
        """Routers that ask are told to send new work elsewhere; whoever comes all the same is served."""
        self._live.is_leaving = True

    def drain(self, seconds: float, *, has_connections: Callable[[], bool] | None = None) -> None:
        """No new work; running answers may end by themselves for `seconds`, then they are ended and settled.

        With `has_connections`, whoever still has a connection is served on it until then: nobody new can come.
        """
        self._live.is_draining = True
        self._live.is_refusing = has_connections is None
        log.info("drain_began", calls=len(self._live))
        deadline = self._drained_by = monotonic() + seconds
        while (len(self._live) or (has_connections is not None and has_connections())) and monotonic() < deadline:
            gevent.sleep(0.05)
        self._live.is_refusing = True
        self._live.drain()

    def end(self, seconds: float) -> None:
        """Everything owed is durable, or has been waited for: `seconds` and what is left of the drain. Recovery finds the rest."""
        is_idle = self._wiring.till.drain(seconds + max(self._drained_by - monotonic(), 0))
        if not is_idle:
            alarms.sound("settlements_lost", words=f"{self._wiring.till.depth} operations", operations=self._wiring.till.depth)
        if self._lag_watch is not None:
            self._lag_watch.kill()
        self._heart.stop()
        log.info("web_ended", settled=is_idle, calls=len(self._live))
        self._wiring.telemetry.stop()


def begin(app: Flask, refuse: Callable[[int], object]) -> Serving:
    """The process may take work. In production a database that lacks a migration refuses the start (R40)."""
    if wiring_of(app).settings.is_production:
        with app.app_context(), acting_as_operator():
            if not is_current():
                log.critical("migration_pending", do="refusing to start: run `flask db upgrade`")
                refuse(APP_LOAD_ERROR)
    serving = Serving(app)
    serving.start()
    gc.collect()
    gc.freeze()  # modules and tables live as long as the process: never looked through again
    gc.set_threshold(COLLECT_EVERY, 20, 20)
    return serving

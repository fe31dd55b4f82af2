"""What every long-lived process does beside its work: says that it lives, notices when prices move, hands over its figures.

Alarms that were sounded since the last beat are written down. One greenlet. A database that does not answer makes it unsteady, and
nothing makes it stop: a process without beats is taken for dead, and its calls are ended by others.
"""

from collections.abc import Callable

import gevent
import structlog
from flask import Flask
from gevent.event import Event
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from reseller import alarms, tally
from reseller.clock import monotonic
from reseller.database import acting_as_operator, db, transaction
from reseller.domain import clock_alarms, uptime
from reseller.domain.alarms import keep
from reseller.domain.calls import processes
from reseller.metrics import HEARTBEAT_FAILURES, alarm_totals, count
from reseller.sampling import sample
from reseller.silence import CLOCK_SECONDS, wait_for_each
from reseller.wiring import wiring_of

HEART = "heart"
WEB, WORKER = "web", "worker"
TICK_SECONDS = 1.0
STOP_SECONDS = 3.0

log = structlog.get_logger()


class Heart:
    """Beats for one process. `steady_seconds`: how long the database has answered without a gap."""

    def __init__(self, app: Flask, kind: str, stalled: Callable[[], None] = lambda: None) -> None:
        """`stalled` is called when this process stood still for so long that others may have taken it for dead."""
        self._app = app
        self._kind = kind
        self._wiring = wiring_of(app)
        self._began_at = self._steady_since = monotonic()
        self._beat_at: float | None = None
        self._told: dict[str, int] = {}  # alarms of this process that the database knows of
        self._ticked_at = monotonic()
        self._stalled = stalled
        # A connection of its own: requests that wait for theirs must not make this process look dead.
        options = {"connect_args": app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]}
        self._own = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], pool_size=1, max_overflow=0, pool_pre_ping=True, **options)
        self._greenlet: gevent.Greenlet | None = None
        self._stopping = Event()

    @property
    def steady_seconds(self) -> float:
        return monotonic() - self._steady_since

    @property
    def silent_seconds(self) -> float:
        """Since the last beat that the database took."""
        return monotonic() - (self._beat_at if self._beat_at is not None else self._began_at)

    def start(self) -> None:
        """The process has its row before it takes work; from now on it beats by itself."""
        self._app.extensions[HEART] = self
        self.tick()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """No more beats; a process that owes nothing takes its row away.

        A beat in hand is waited for: killed inside a query, its connection would be left in the middle of an answer.
        """
        self._stopping.set()
        if self._greenlet is not None:
            self._greenlet.join(STOP_SECONDS)
        _survive(lambda: sample(self._app))
        with self._app.app_context(), acting_as_operator():
            try:
                for part in (self.write_down_alarms, self._count_alarms, self._tell_service, self._forget):
                    _survive(part, but=(SQLAlchemyError,))
            except SQLAlchemyError:
                log.warning("heartbeat_not_removed")
        self._own.dispose()

    def tick(self) -> None:
        """A beat when one is due, a look at prices, and what was sounded and noted is told. A surprise in one keeps no other back."""
        with self._app.app_context(), acting_as_operator():
            try:
                for part in (self._beat_if_due, self._look_at_prices, self.write_down_alarms, self._count_alarms, self._tell_service):
                    _survive(part, but=(SQLAlchemyError,))
            except SQLAlchemyError as error:
                self._steady_since = monotonic()
                count(HEARTBEAT_FAILURES)
                log.warning("heartbeat_failed", error=type(error).__name__)
            finally:
                db.session.remove()

    def _beat_if_due(self) -> None:
        if self._beat_at is None or monotonic() - self._beat_at >= processes.BEAT_SECONDS:
            processes.beat(self._wiring.process_id, self._kind, on=self._own)
            self._beat_at = monotonic()

    def _look_at_prices(self) -> None:
        with transaction() as session:
            version = session.execute(text("SELECT coalesce(max(version), 0) FROM price_versions")).scalar_one()
        self._wiring.book.refresh_if_moved(version)

    def write_down_alarms(self) -> None:
        """What was sounded in this process has its rows, or is kept for the next time. Raises SQLAlchemyError."""
        sounded = alarms.take()
        if not sounded:
            return
        try:
            keep(sounded)
        except BaseException:
            alarms.give_back(sounded)
            raise

    def _count_alarms(self) -> None:
        """Web processes are scraped. The alarms of others are kept in the database, for whoever is."""
        if self._kind == WEB:
            return
        totals = alarm_totals()
        more = {alarm: total - self._told.get(alarm, 0) for alarm, total in totals.items() if total > self._told.get(alarm, 0)}
        if more:
            clock_alarms.add(more)
            self._told = totals

    def _tell_service(self) -> None:
        """What this process noted for the status page is with what the others noted."""
        taken = tally.take()
        try:
            uptime.add(taken)
        except BaseException:
            tally.give_back(taken)
            raise

    def _forget(self) -> None:
        processes.forget(self._wiring.process_id)

    def _look_at_own_gap(self) -> None:
        """A look at the database has its time limits; a longer gap is this process standing still."""
        gap, self._ticked_at = monotonic() - self._ticked_at, monotonic()
        if gap > processes.SILENT_SECONDS:
            alarms.sound("process_stood_still", self._kind, f"for {gap:.1f} s", seconds=round(gap, 1))
            self._stalled()

    def _run(self) -> None:
        wait_for_each(CLOCK_SECONDS)
        while not self._stopping.wait(TICK_SECONDS):
            for part in (self._look_at_own_gap, self.tick, lambda: sample(self._app)):
                _survive(part)


def _survive(part: Callable[[], None], *, but: tuple[type[Exception], ...] = ()) -> None:
    """`part` was done, or stumbled and is done again with the next turn. Raises what is in `but`."""
    try:
        part()
    except but:
        raise
    except Exception:  # noqa: BLE001 - without beats, running calls would be ended by others
        log.error("heart_stumbled", exc_info=True)

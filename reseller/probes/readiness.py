"""What /readyz looks at before it says that new work is welcome. Each check says OK, or in a few words what is wrong.

Anybody may ask, and as often as they like: what only the database can tell is asked once a second by one of them, for all.
"""

import os
import shutil
import tempfile

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from reseller.clock import monotonic
from reseller.database import db
from reseller.domain.calls.processes import SILENT_SECONDS
from reseller.heart import HEART, Heart
from reseller.live import LiveCalls
from reseller.schema import is_current
from reseller.wiring import wiring_of

OK = "ok"
DATABASE = "readiness_of_the_database"
STUCK_SECONDS = 3.0
"""Longer than a new call waits for its hold (R13): whoever comes now is refused."""
KEPT_SECONDS = 1.0
FREE_BYTES = 50 * 1024 * 1024
"""The counters of /metrics are mapped files: on a full disk, writing one ends the process."""


class Database:
    """What one process was told of the database last, not longer ago than KEPT_SECONDS, or than whoever asks now takes."""

    def __init__(self) -> None:
        self._said = dict.fromkeys(("database", "migrations"), "not looked at yet")
        self._asked_at: float | None = None

    def checks(self) -> dict[str, str]:
        if self._asked_at is None or monotonic() - self._asked_at >= KEPT_SECONDS:
            self._asked_at = monotonic()  # first, so that others do not ask, too
            self._said = {"database": _database(), "migrations": _migrations()}
        return self._said


def checks(app: Flask) -> dict[str, str]:
    """What was looked at and what was found, in the order in which somebody would mend it."""
    database = app.extensions[DATABASE]
    assert isinstance(database, Database)
    return {
        "drain": _drain(app),
        "disk": _disk(),
        **database.checks(),
        "heartbeat": _heartbeat(app),
        "till": _till(app),
    }


def _drain(app: Flask) -> str:
    live = app.extensions["live_calls"]
    assert isinstance(live, LiveCalls)
    return f"draining: {len(live)} calls still run" if live.is_leaving else OK


def _disk() -> str:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.gettempdir()
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"not readable: {folder}: {error.strerror}"
    return OK if free >= FREE_BYTES else f"nearly full: {free // 1_048_576} MiB left for {folder}"


def _database() -> str:
    try:
        is_closed = db.session.scalar(text("SELECT current_setting('transaction_read_only')::bool"))
    except SQLAlchemyError as error:
        return f"not reachable: {type(error).__name__}"
    finally:
        db.session.rollback()
    return "refuses writes: a restore that has not ended, or a standby" if is_closed else OK


def _migrations() -> str:
    try:
        return OK if is_current() else "pending: run flask db upgrade"
    except SQLAlchemyError as error:
        return f"unknown: {type(error).__name__}"


def _heartbeat(app: Flask) -> str:
    """Others take a process that does not beat for dead, and end its calls (R11)."""
    heart = app.extensions.get(HEART)
    if not isinstance(heart, Heart) or heart.silent_seconds <= SILENT_SECONDS:
        return OK
    return f"not written for {heart.silent_seconds:.0f} s: others take this process for dead"


def _till(app: Flask) -> str:
    till = wiring_of(app).till
    if till.stuck_seconds <= STUCK_SECONDS:
        return OK
    return f"halted: a commit has been tried for {till.stuck_seconds:.0f} s, {till.depth} operations wait"

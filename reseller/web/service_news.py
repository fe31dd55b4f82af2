"""How the service is, as every page may tell it: read at most every few seconds by each process, whoever asks and however many.

Read over a connection of its own, so that a page in the making is not disturbed. Without a database what was read last stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

import structlog
from flask import Flask, current_app, g
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from reseller.clock import monotonic
from reseller.database import db
from reseller.domain import uptime
from reseller.domain.uptime import ServiceStatus, ToldIncident

KEPT_SECONDS = 10.0
HISTORY = timedelta(days=90)
NEWS = "service_news"

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True)
class Kept(Generic[T]):
    """What was read last. `is_known`: the database answered the last time it was asked."""

    read: Callable[[Connection], T]
    value: T
    is_known: bool = False
    looked_at: float | None = None

    def now(self) -> T:
        """Not older than KEPT_SECONDS, while the database answers. One who looks keeps the others from looking, too."""
        if self.looked_at is not None and monotonic() - self.looked_at < KEPT_SECONDS:
            return self.value
        self.looked_at = monotonic()
        try:
            with db.engine.connect() as connection:
                self.value = self.read(connection)
            self.is_known = True
        except SQLAlchemyError as error:
            self.is_known = False
            log.warning("service_news_not_read", error=type(error).__name__)
        return self.value


def _open(connection: Connection) -> tuple[ToldIncident, ...]:
    return uptime.open_now(connection=connection)


def _recent(connection: Connection) -> tuple[ToldIncident, ...]:
    return uptime.recent(HISTORY, connection=connection)


@dataclass(frozen=True, slots=True)
class News:
    """Of one process."""

    open_incidents: Kept[tuple[ToldIncident, ...]] = field(default_factory=lambda: Kept[tuple[ToldIncident, ...]](_open, ()))
    incidents: Kept[tuple[ToldIncident, ...]] = field(default_factory=lambda: Kept[tuple[ToldIncident, ...]](_recent, ()))
    status: Kept[ServiceStatus | None] = field(default_factory=lambda: Kept[ServiceStatus | None](uptime.read_snapshot, None))

    def forget(self) -> None:
        """The next who asks looks: this process has just changed something."""
        for kept in (self.open_incidents, self.incidents, self.status):
            kept.looked_at = None


def install(app: Flask) -> None:
    """Templates can ask for `open_incidents()`."""
    app.extensions[NEWS] = News()
    app.add_template_global(open_incidents)


def news() -> News:
    found = current_app.extensions[NEWS]
    assert isinstance(found, News)
    return found


def open_incidents() -> tuple[ToldIncident, ...]:
    """What is not resolved; asked for once a page."""
    if "open_incidents" not in g:
        g.open_incidents = news().open_incidents.now()
    told: tuple[ToldIncident, ...] = g.open_incidents
    return told

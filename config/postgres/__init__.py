"""A private PostgreSQL for development and tests. Never production's, and imports nothing of `reseller`.

`ensure` gives the one of an instance folder: made at the first call, shared by every process
that asks, stopped by the last of them that ends. `temporary` gives one that forgets, for tests.
`database_url_for` gives the URL that settings mean. Linux only: it reads /proc.
"""

import atexit
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from config.postgres.binaries import Binaries, PostgresFailed, find_binaries
from config.postgres.instance import Running, ensure, kept_password, temporary
from config.settings import Settings

__all__ = [
    "DRIVER",
    "Binaries",
    "PostgresFailed",
    "Running",
    "database_url_for",
    "ensure",
    "find_binaries",
    "is_private",
    "temporary",
]

DRIVER = "postgresql+psycopg://"


def database_url_for(settings: Settings) -> str:
    """The database of these settings, in SQLAlchemy's form; a private one is running and is let go when this process ends.

    A URL that names the private one of the instance folder (`make run` leaves it in instance/env)
    means that server, wherever it listens by now. Raises PostgresFailed.
    """
    instance = Path(settings.instance_path)
    if settings.is_production or (settings.database_url and not is_private(settings.database_url, instance)):
        return settings.database_url
    running = ensure(instance)
    atexit.register(running.stop)
    _exit_on_sigterm()
    return running.url.replace("postgresql://", DRIVER, 1)


def is_private(database_url: str, instance: Path) -> bool:
    """Whether the URL names the private server of this folder: it carries the random password that only that one has."""
    password = kept_password(instance)
    return password is not None and urlsplit(database_url).password == password


def _exit_on_sigterm() -> None:
    """SIGTERM ends this process in order, unless it has its own way: without this, exit handlers would not run."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)

"""gunicorn's settings: patched first, room for thousands of streams, and a drain that settles every one of them.

On SIGTERM: /readyz says no, and after DRAIN_NOTICE_SECONDS (0) there is no new work; running answers may go on for
DRAIN_SECONDS, then every stream is told to end with an error event; the process exits when the till is empty (promise R34).
"""

from gevent import monkey

monkey.patch_all()  # before anything of ours or psycopg is imported, with --preload too

import os  # noqa: E402
import resource  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gunicorn import glogging  # noqa: E402

from config import SettingsRefused, settings_for  # noqa: E402
from config.leaving import note_replacement  # noqa: E402
from config.logging import configure_logging  # noqa: E402

try:
    settings = settings_for()
except SettingsRefused as refused:
    for problem in refused.problems:
        print(f"refusing to start: {problem}", file=sys.stderr)  # noqa: T201
    sys.exit(1)

SETTLE_SECONDS = 4  # between the end of the streams and the platform's kill
MAX_STREAMS = 4000

bind = f"0.0.0.0:{settings.port}"  # noqa: S104 - the platform's router reaches us from outside
if settings.reseller_env != "production":
    bind = f"127.0.0.1:{settings.port}"
workers = settings.web_concurrency
worker_class = "config.web_worker.WebWorker"
worker_connections = MAX_STREAMS
backlog = 2048
keepalive = 75
timeout = 120
graceful_timeout = settings.drain_notice_seconds + settings.drain_seconds + SETTLE_SECONDS
limit_request_field_size = 16_384
limit_request_line = 8_190
control_socket_disable = True
forwarded_allow_ips = "*"  # nobody is asked, since nothing is believed: the two settings below
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
accesslog = None
errorlog = "-"

_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

_metrics = Path(tempfile.gettempdir()) / f"reseller-metrics-{os.getuid()}-{settings.port}"
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics)


class JsonLogger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own messages leave through our JSON handler."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True


logger_class = JsonLogger
configure_logging()


def on_starting(server: Any) -> None:
    """Counters of an earlier run are gone."""
    shutil.rmtree(_metrics, ignore_errors=True)
    _metrics.mkdir(mode=0o700, parents=True)


def on_exit(server: Any) -> None:
    """The counters end with the server."""
    shutil.rmtree(_metrics, ignore_errors=True)


def on_reload(server: Any) -> None:
    """SIGHUP: new workers take over from those that are told to leave now."""
    note_replacement()


def post_worker_init(worker: Any) -> None:
    """A worker that takes work has its heartbeat row, its prices, and a drain that waits for its end."""
    from reseller.serving import begin  # noqa: PLC0415 - the app exists only in the worker

    worker.serving = begin(worker.wsgi, sys.exit)
    worker.notice_seconds = settings.drain_notice_seconds
    gevent.spawn(_drain_at_end, worker)


def _drain_at_end(worker: Any) -> None:
    worker.leaving.wait()
    if not worker.is_replaced:
        worker.serving.announce_end()
    worker.left.wait()
    worker.serving.drain(settings.drain_seconds, has_connections=(lambda: worker.has_connections) if worker.notice_seconds else None)
    worker.has_drained = True


def worker_exit(server: Any, worker: Any) -> None:
    """The last word of a worker: everything it owes is durable."""
    serving = getattr(worker, "serving", None)
    if serving is not None:
        serving.end(SETTLE_SECONDS)


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges count no more."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - reads the folder set above when imported

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

"""The product's own processes, started as in production, and ended whatever becomes of the test.

`WebServer` is gunicorn with config/gunicorn.py, `WorkerProcess` is `flask worker`. Every wait is bounded.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

import psutil

from config.postgres.server import die_with_parent
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
BOOTING = "Booting worker with pid"


@contextlib.contextmanager
def standing_still(*pids: int) -> Iterator[None]:
    """These processes do nothing, as on a machine that is paused; connections to them stay open."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(port: int, path: str) -> int:
    """The status of a GET of this machine's port; 0 if nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def environment(database_url: str, instance: Path, **more: str) -> dict[str, str]:
    """What a process of the product reads at start, and nothing of the developer's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    ours = {"RESELLER_ENV": "testing", "DATABASE_URL": database_url, "RESELLER_INSTANCE": str(instance), "PYTHONUNBUFFERED": "1"}
    return {**kept, **ours, **more}


def run_flask(*words: str, env: Mapping[str, str], seconds: float = 150) -> subprocess.CompletedProcess[str]:
    """A command of ours, run to its end."""
    return subprocess.run([*FLASK, *words], env=dict(env), cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)


class ServerProcess:
    """A process in a group of its own; everything it wrote is in `log`."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.log_path = log
        self.environment = dict(env)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.poll()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def await_answer(self, port: int, path: str, seconds: float = READY_SECONDS) -> None:
        """A GET of this path is answered with 200. If the process ends first, or never answers, it is gone and its log is told."""
        try:
            wait_until(lambda: self.exit_code is not None or status_of(port, path) == 200, seconds)
        except BaseException:
            self.kill()
            raise
        assert self.exit_code is None, self.log

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """The whole group is gone at once, as after kill -9 or a power cut."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Ended in order with SIGTERM; what outstays the wait is killed. The exit code."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait()
        self.kill()
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Listener(ServerProcess):
    """A process that answers HTTP at a port of this machine."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a customer types into a client."""
        return f"{self.origin}/v1"

    @property
    def worker_pids(self) -> list[int]:
        """The processes that answer requests."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def status_of(self, path: str) -> int:
        """The status of a GET; 0 if nobody answers."""
        return status_of(self.port, path)


class WebServer(Listener):
    """gunicorn with the product's configuration, ready for requests once made; at `port`, else at a free one."""

    def __init__(self, *, env: Mapping[str, str], log: Path, processes: int = 1, port: int | None = None) -> None:
        self.port = port or free_port()
        self._booted_before = log.read_text(errors="replace").count(BOOTING) if log.exists() else 0
        given = {"DRAIN_SECONDS": "3", **env, "PORT": str(self.port), "WEB_CONCURRENCY": str(processes)}
        super().__init__([sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"], env=given, log=log)
        self._processes = processes
        try:
            wait_until(self._is_ready, READY_SECONDS)
        except BaseException:
            self.kill()
            raise

    def _is_ready(self) -> bool:
        if self.exit_code is not None:
            raise AssertionError(f"the server ended with {self.exit_code}:\n{self.log}")
        return self.status_of("/readyz") == 200 and self.log.count(BOOTING) - self._booted_before >= self._processes


class WorkerProcess(ServerProcess):
    """`flask worker`, at work once made."""

    def __init__(self, *, env: Mapping[str, str], log: Path) -> None:
        super().__init__([*FLASK, "worker"], env=env, log=log)
        try:
            wait_until(lambda: "worker_began" in self.log or self.exit_code is not None, READY_SECONDS)
            if self.exit_code is not None:
                raise AssertionError(f"the worker ended with {self.exit_code}:\n{self.log}")
        except BaseException:
            self.kill()
            raise

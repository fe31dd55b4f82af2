"""One PostgreSQL server over one data folder: made, started, found, stopped. Knows no instance and no users of it.

PostgreSQL refuses to run as root, so under root its programs run as the owner of the data
folder, which is `nobody` for a folder made here. Parent folders are never changed.
"""

import ctypes
import hashlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from config.postgres.binaries import Binaries, PostgresFailed

START_SECONDS = 60  # crash recovery included
STOP_SECONDS = 30
PORT_TRIES = 5
OPTIONS = (
    "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", "shared_buffers=128MB",
    "timezone=UTC", "log_timezone=UTC", "log_line_prefix=%m [%p] %q%u@%d ",
)  # fmt: skip
DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
FORGETFUL = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=256MB",
    "authentication_timeout=10s",  # whoever never finishes a connection keeps every DROP DATABASE waiting so long, usually a minute
)  # fmt: skip
HBA = "# Passwords for everyone, from this machine only.\nhost all all 127.0.0.1/32 scram-sha-256\n"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class RunAs(TypedDict, total=False):
    """Arguments for subprocess that change the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """The account that PostgreSQL's programs run under."""

    uid: int
    gid: int

    def arguments(self) -> RunAs:
        if self.uid == os.geteuid():
            return RunAs()
        return RunAs(user=self.uid, group=self.gid, extra_groups=[])


@dataclass(frozen=True, slots=True)
class Server:
    """A data folder `home/data`, the programs for it, the account they run under."""

    home: Path  # reachable and writable for the owner; holds data and log
    binaries: Binaries
    owner: Owner
    is_durable: bool = True

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def name(self) -> str:
        """Shown in the title of each of the server's processes."""
        return "reseller-" + hashlib.sha256(str(self.data).encode()).hexdigest()[:12]

    def initialise(self, password: str, admin_password: str) -> None:
        """`data` holds a fresh cluster: superuser `postgres`, role and database `reseller`.

        Made beside it and renamed, so a kill half-way leaves no half cluster.
        """
        draft = self.home / "data.draft"
        self._run("rm", "-rf", str(draft))
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        self._run(self.binaries.program("initdb"), f"--pgdata={draft}", *options, *([] if self.is_durable else ["--no-sync"]))
        (draft / "pg_hba.conf").write_text(HBA, encoding="ascii")
        statements = (
            f"ALTER ROLE postgres PASSWORD '{admin_password}'",
            f"CREATE ROLE reseller LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{password}'",
            "CREATE DATABASE reseller OWNER reseller",
        )
        single = (self.binaries.program("postgres"), "--single", "-D", str(draft), "-c", "exit_on_error=on", "postgres")
        self._run(*single, words="\n".join(statements) + "\n")
        draft.rename(self.data)

    def start(self, port: int | None, *, dies_with_us: bool = False) -> tuple[int, subprocess.Popen[bytes]]:
        """The server accepts connections on 127.0.0.1; answers its port and its process.

        `port` is used when it is free. Raises PostgresFailed with the end of its log.
        """
        self._clear_stale_lock()
        for attempt in range(PORT_TRIES):
            chosen = port if port and attempt == 0 and _is_free(port) else _free_port()
            process = self._launch(chosen, dies_with_us=dies_with_us)
            if self._await_ready(process):
                return chosen, process
            if "could not bind" not in self._log_end():
                break
        raise PostgresFailed(f"PostgreSQL did not start; the end of {self.home / 'log'}:\n{self._log_end()}")

    def pid(self) -> int | None:
        """The process id of the running server, else None. A lock file left by a kill does not count."""
        lines = self._lock_lines()
        if not lines:
            return None
        words = _command_line(int(lines[0])).split(b"\0")
        return int(lines[0]) if str(self.data).encode() in words else None

    def port(self) -> int:
        """Where the running server listens, once it accepts connections. Raises PostgresFailed if it never does."""
        _wait(lambda: self.pid() is None or self._says_ready(), START_SECONDS)
        if self.pid() is None or not self._says_ready():
            raise PostgresFailed(f"PostgreSQL over {self.data} went away; see {self.home / 'log'}")
        return int(self._lock_lines()[3])

    def stop(self) -> None:
        """The server has ended: connections are cut, what was committed is on disk."""
        for signum in (signal.SIGINT, signal.SIGQUIT):
            pid = self.pid()
            if pid is None:
                return
            os.kill(pid, signum)
            if _wait(lambda: self.pid() is None, STOP_SECONDS):
                return

    def _launch(self, port: int, *, dies_with_us: bool) -> subprocess.Popen[bytes]:
        options = [*OPTIONS, *(DURABLE if self.is_durable else FORGETFUL), f"port={port}", f"cluster_name={self.name}"]
        command = [self.binaries.program("postgres"), "-D", str(self.data)]
        command += [word for option in options for word in ("-c", option)]
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C in the terminal is for us, not for it
                preexec_fn=die_with_parent(signal.SIGINT) if dies_with_us else None,
                **self.owner.arguments(),
            )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        _wait(lambda: process.poll() is not None or (self._lock_pid() == process.pid and self._says_ready()), START_SECONDS)
        return process.poll() is None and self._says_ready()

    def _clear_stale_lock(self) -> None:
        """No lock file of a killed server remains.

        PostgreSQL does this itself unless the old process id is taken: by a zombie, or by a stranger
        after a restart of the machine. Removing the file is safe only when no process of the old
        server writes any more, so those are waited for.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        title = f"postgres: {self.name}:".encode()
        if not _wait(lambda: not any(line.startswith(title) for line in _all_command_lines()), STOP_SECONDS):
            raise PostgresFailed(f"Processes of a killed PostgreSQL still use {self.data}; end them first")
        lock.unlink(missing_ok=True)

    def _lock_lines(self) -> list[str]:
        """Lines of postmaster.pid: process id, data, start time, port, socket, address, memory, status (pidfile.h)."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return lines if lines and lines[0].strip().isdigit() else []

    def _lock_pid(self) -> int | None:
        lines = self._lock_lines()
        return int(lines[0]) if lines else None

    def _says_ready(self) -> bool:
        lines = self._lock_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _log_end(self) -> str:
        try:
            return (self.home / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
        except FileNotFoundError:
            return ""

    def _environment(self) -> dict[str, str]:
        """Nothing of ours: its processes need no keys."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def _run(self, *command: str, words: str = "") -> None:
        done = subprocess.run(
            command,
            input=words,
            capture_output=True,
            text=True,
            cwd=self.home,
            env=self._environment(),
            check=False,
            **self.owner.arguments(),
        )
        if done.returncode:
            raise PostgresFailed(f"{Path(command[0]).name} failed: {done.stderr.strip()[-1500:]}")


def owner_for(home: Path) -> Owner:
    """Whose processes may use `home`: its owner's if it holds a cluster already, else ours, or `nobody` under root."""
    if (home / "data").is_dir():
        kept = (home / "data").stat()
        if kept.st_uid == os.geteuid() or (os.geteuid() == 0 and kept.st_uid != 0):
            return Owner(kept.st_uid, kept.st_gid)
        raise PostgresFailed(f"{home / 'data'} belongs to another account ({kept.st_uid}): run as that one, or move the folder away")
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    return Owner(nobody.pw_uid, nobody.pw_gid)


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets the signal when the thread that started it ends, kill -9 included (prctl(2))."""

    def ask_kernel() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(signum))

    return ask_kernel


def _wait(is_true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command_line(pid: int) -> bytes:
    """What /proc tells of a process; empty for one that is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _all_command_lines() -> list[bytes]:
    return [_command_line(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]

"""Child processes of `make run`: started in groups of their own, their lines named, stopped in order. Decides nothing."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from config.postgres.server import die_with_parent


class Children:
    """Named shell lines that run at the same time."""

    def __init__(self, environment: Mapping[str, str], *, grace_seconds: float) -> None:
        self._environment = dict(environment)
        self._grace_seconds = grace_seconds
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: list[threading.Thread] = []

    def start(self, name: str, line: str) -> None:
        """The line runs in a group of its own, so that Ctrl-C reaches it through us and in order.

        It gets SIGTERM when we die, kill -9 included.
        """
        self._running[name] = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    def pass_on_output(self) -> None:
        """Each line that a child prints appears with its name in front. After all have started: a fork wants no threads."""
        width = max(map(len, self._running))
        for name, process in self._running.items():
            reader = threading.Thread(target=_pass_on, args=(f"{name:<{width}} | ".encode(), process.stdout), daemon=True)
            reader.start()
            self._readers.append(reader)

    def first_dead(self) -> str | None:
        """A sentence about a child that has ended, if one has."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                return f"{name} {how}"
        return None

    def stop(self) -> None:
        """Every child and what it started has ended: SIGTERM one after the other, SIGKILL to what outstays the grace."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(self._grace_seconds)
                except subprocess.TimeoutExpired:
                    print(f"make run: still running after {self._grace_seconds:g} s, killed", file=sys.stderr)
            _kill_group(process)
        for reader in self._readers:
            reader.join(1)
        for process in self._running.values():
            if process.stdout:
                process.stdout.close()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _pass_on(prefix: bytes, pipe: IO[bytes] | None) -> None:
    for line in pipe or ():
        sys.stdout.buffer.write(prefix + line.rstrip(b"\n") + b"\n")
        sys.stdout.buffer.flush()

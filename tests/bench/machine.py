"""The machine under the figures, in a few lines: figures of different machines are not to be compared."""

import os
import platform
import statistics
import time
from pathlib import Path

from tests.bench.processes import Tree, machine_seconds

SYNCS = 100
BLOCK = b"\0" * 8192


def describe(folder: Path, postgres_version: str) -> list[str]:
    """Processor, software, load, and what a durable write costs in this folder."""
    return [
        f"{os.cpu_count()} cores, {_processor()}, Linux {platform.release()}, load average {os.getloadavg()[0]:.1f}",
        f"Python {platform.python_version()}, PostgreSQL {postgres_version} (fsync on), fdatasync {fdatasync_ms(folder):.2f} ms (median)",
    ]


class Others:
    """What everything else on this machine does from now on. Two cores may be one with two faces: then a busy
    neighbour makes each call dearer, by more than half where this was measured, and only ratios stay."""

    def __init__(self) -> None:
        self._tree = Tree(os.getpid())
        self._began = time.monotonic()
        self._others = self._seconds()

    def share(self) -> str:
        """One sentence about it."""
        percent = 100 * (self._seconds() - self._others) / (time.monotonic() - self._began)
        return f"other work used {max(percent, 0):.0f} % of a core meanwhile"

    def _seconds(self) -> float:
        return machine_seconds() - self._tree.cpu_seconds()


def fdatasync_ms(folder: Path) -> float:
    """Milliseconds until a written block is on disk, as far as the disk is honest."""
    path = folder / "sync"
    times = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(SYNCS):
            os.pwrite(descriptor, BLOCK, 0)
            started = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return 1000 * statistics.median(times)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

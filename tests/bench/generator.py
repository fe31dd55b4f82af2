"""Our side of the load generator: runs go in, results come out, and the target is watched meanwhile."""

import json
import select
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.bench.answers import Kind
from tests.bench.processes import Tree

WATCH_SECONDS = 0.2
COMMITS = "reseller_batch_operations_count"  # of the histogram of operations that shared a commit


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers paid calls. `web` and `database` are the processes whose work it is, `book` its database's name.

    With several keys, each call uses the next one.
    """

    name: str
    port: int
    path: str
    keys: tuple[str, ...]
    is_charged: bool
    web: Tree
    database: Tree | None = None
    book: str = ""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it: `connections` for `seconds`, or for `calls_each` calls."""

    connections: int
    seconds: float = 0.0
    calls_each: int | None = None
    ramp_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one target. CPU in seconds, times in milliseconds."""

    ok: int
    bad: int
    first_bad: str
    seconds: float
    web_cpu: float
    database_cpu: float
    total_p50: float
    total_p99: float
    first_p50: float
    first_p99: float
    resident_mib: float
    commits: int

    @property
    def cpu(self) -> float:
        return self.web_cpu + self.database_cpu


class Generator:
    """The generator's process."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, target: Target, kind: Kind, size: Size) -> Measured:
        """The load was put on the target, every answer was checked."""
        commits = _counter(target.port, COMMITS) if target.is_charged else 0
        web, database = target.web.cpu_seconds(), target.database.cpu_seconds() if target.database else 0.0
        result, peak = self._perform(_spec(target, kind, size), target.web)
        return Measured(
            ok=result["ok"],
            bad=result["bad"],
            first_bad=result["first_bad"],
            seconds=result["seconds"],
            web_cpu=target.web.cpu_seconds() - web,
            database_cpu=target.database.cpu_seconds() - database if target.database else 0.0,
            total_p50=result["total_ms"]["p50"],
            total_p99=result["total_ms"]["p99"],
            first_p50=result["first_ms"]["p50"],
            first_p99=result["first_ms"]["p99"],
            resident_mib=peak,
            commits=_counter(target.port, COMMITS) - commits if target.is_charged else 0,
        )

    def run_until_it_dies(self, target: Target, kind: Kind, size: Size) -> int:
        """How many answers arrived whole before the target was gone."""
        result, _ = self._perform(_spec(target, kind, size), target.web)
        return int(result["ok"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _perform(self, spec: dict[str, Any], watched: Tree) -> tuple[dict[str, Any], float]:
        """The result, and the watched tree's peak of memory in MiB."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(spec) + "\n")
        self._process.stdin.flush()
        peak = watched.resident_mib()
        while not select.select([self._process.stdout], [], [], WATCH_SECONDS)[0]:
            peak = max(peak, watched.resident_mib())
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator died")
        result: dict[str, Any] = json.loads(line)
        return result, peak


def _spec(target: Target, kind: Kind, size: Size) -> dict[str, Any]:
    return {
        "port": target.port,
        "path": target.path,
        "keys": target.keys,
        "body": kind.request_body(),
        "marks": kind.marks(is_charged=target.is_charged),
        "events": kind.events,
        "connections": size.connections,
        "seconds": size.seconds,
        "calls_each": size.calls_each,
        "ramp_seconds": size.ramp_seconds,
    }


def _counter(port: int, name: str) -> int:
    """A counter that the web process shows to Prometheus; 0 if it has none of that name."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return round(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")))

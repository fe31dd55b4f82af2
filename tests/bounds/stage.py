"""The shop, its hostile upstream, the neighbour and the attacker; and what each of them noticed of a misbehaviour."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bounds.dose import ADDED_P99_MS, TURNS, USUAL_MS, Dose
from tests.bounds.neighbour import Neighbour, Waits, percentile
from tests.deployment import Cluster
from tests.servers import ROOT, ServerProcess, free_port, status_of
from tests.shop import Customer, Shop, open_shop
from tests.waiting import wait_until

RICH = "100000000"
SAMPLE_SECONDS = 0.1
LEAST_ALONE, LONGEST_ALONE_SECONDS = 10, 10.0
LIMITED = ("more streams than allowed",)
"""Misbehaviours of an account that has the usual limits."""


@dataclass(slots=True)
class Finding:
    """What one misbehaviour did to everybody else. Times in milliseconds, memory in MiB."""

    name: str
    alone: Waits = field(default_factory=Waits)
    meanwhile: Waits = field(default_factory=Waits)
    problems: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    resident_start: float = 0.0
    resident_peak: float = 0.0
    resident_after_round: list[float] = field(default_factory=list)
    died: int = 0
    holds_left: int = 0
    calm_after: float = 0.0  # seconds until the server had let go of every connection

    @property
    def added_p99(self) -> float:
        """How much longer the neighbour waited."""
        return percentile(self.meanwhile.calls, 99) - percentile(self.alone.calls, 99)

    @property
    def machine_p99(self) -> float:
        """How much longer it waited for answers that did not come through the server."""
        return max(percentile(self.meanwhile.straight, 99) - percentile(self.alone.straight, 99), 0)

    @property
    def allowed_p99(self) -> float:
        """On a machine that is slow, or that everybody waits for, it is that much more."""
        slowness = max(percentile(self.alone.calls, 50) / USUAL_MS, 1)
        return ADDED_P99_MS * slowness + TURNS * self.machine_p99


class Attacker:
    """The process that misbehaves on command."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bounds.attacker"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def perform(self, name: str, customer: Customer, seconds: float, share: float) -> Counter[str]:
        """The misbehaviour is over; how often each status came."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"name": name, "port": customer.shop.web.port, "key": customer.key, "seconds": seconds, "share": share}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the attacker died")
        return Counter(json.loads(line))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Stage:
    """Everybody is there; `show` lets one misbehaviour happen."""

    def __init__(self, shop: Shop, attacker: Attacker, upstream_port: int) -> None:
        self.shop = shop
        self._upstream_port = upstream_port
        self.attacker = attacker
        self.good = shop.customer(usd=RICH, limits=False)

    def show(self, name: str, dose: Dose, *, limits: bool = False) -> Finding:
        """The neighbour alone, then rounds of the misbehaviour beside it, then the calm after."""
        villain = self.shop.customer(usd=RICH, limits=limits)
        assert villain.call("/v1/key").status == 200
        pids = self.shop.web.worker_pids
        finding = Finding(name, resident_start=self._resident())
        with Neighbour(self.good, self._upstream_port) as neighbour, self._peak_into(finding):
            self._listen(neighbour, dose.alone_seconds / 4)  # connections are made, and caches warm
            finding.alone = self._listen(neighbour, dose.alone_seconds)
            for _ in range(dose.rounds):
                finding.statuses += self.attacker.perform(name, villain, dose.seconds, dose.share)
                finding.meanwhile += neighbour.taken()
                finding.resident_after_round.append(self._resident())
        finding.meanwhile += neighbour.taken()
        finding.problems = neighbour.problems
        finding.calm_after = self._calm(dose.calm_seconds)
        finding.holds_left = self._holds_left()
        finding.resident_after_round[-1] = self._resident()
        finding.died = len(set(pids) - set(self.shop.web.worker_pids))
        return finding

    def _listen(self, neighbour: Neighbour, seconds: float) -> Waits:
        """What it waits for so long, or longer on a machine that stands still meanwhile."""
        pause, until = threading.Event(), time.monotonic() + LONGEST_ALONE_SECONDS
        heard = Waits()
        while True:
            pause.wait(seconds)
            heard += neighbour.taken()
            if min(len(heard.calls), len(heard.straight)) >= LEAST_ALONE or time.monotonic() > until:
                return heard

    def _calm(self, seconds: float) -> float:
        started = time.monotonic()
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self._connections() <= 1, seconds)
        return time.monotonic() - started

    def _connections(self) -> int:
        """Of customers, in the server's hands."""
        processes = [psutil.Process(pid) for pid in self.shop.web.worker_pids]
        found = [connection for process in processes for connection in process.net_connections("tcp")]
        return sum(connection.laddr.port == self.shop.web.port and bool(connection.raddr) for connection in found)

    def _holds_left(self) -> int:
        """Holds that nobody ends within half a minute. A call whose body waited its turn may begin after its client is gone."""
        try:
            wait_until(lambda: not self._holds(), 30)
        except AssertionError:
            return self._holds()
        return 0

    def _holds(self) -> int:
        return int(self.shop.query("SELECT count(*) AS holds FROM holds")[0]["holds"])

    def _resident(self) -> float:
        return float(sum(psutil.Process(pid).memory_info().rss for pid in self.shop.web.worker_pids)) / 2**20

    @contextlib.contextmanager
    def _peak_into(self, finding: Finding) -> Iterator[None]:
        stopping = threading.Event()

        def watch() -> None:
            while not stopping.wait(SAMPLE_SECONDS):
                finding.resident_peak = max(finding.resident_peak, self._resident())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stopping.set()
            watcher.join()


@contextlib.contextmanager
def open_stage(cluster: Cluster, folder: Path) -> Iterator[Stage]:
    """One web process, since everybody must share it."""
    with contextlib.ExitStack() as stack:
        port = free_port()
        command = [sys.executable, "-m", "tests.bounds.upstream", str(port)]
        upstream = ServerProcess(command, env={**os.environ}, log=folder / "upstream.log")
        stack.enter_context(upstream)
        wait_until(lambda: status_of(port, "/api/v1/models") == 200)
        url = f"http://127.0.0.1:{port}/api/v1"
        shop = stack.enter_context(open_shop(cluster, folder, OPENROUTER_BASE_URL=url, **PATIENT, **BUYING))
        attacker = Attacker()
        stack.callback(attacker.stop)
        yield Stage(shop, attacker, port)


BUYING = {"STRIPE_SECRET_KEY": "sk_test_bounds", "STRIPE_WEBHOOK_SECRET": "whsec_bounds"}  # nothing is bought: events are listened for
PATIENT = {"UPSTREAM_FIRST_BYTE_SECONDS": "60", "UPSTREAM_IDLE_SECONDS": "60", "UPSTREAM_TOTAL_SECONDS": "900"}

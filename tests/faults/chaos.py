"""Faults at random, one after the other, against customers of every kind who never stop."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import Any, Self

from reseller.domain.calls.processes import SILENT_SECONDS
from tests.faults.clients import Buyers, asking
from tests.faults.clocks import WallClock
from tests.faults.commits import Fate
from tests.faults.database import Database
from tests.faults.storm import Storm
from tests.gateway.raw import RawClient
from tests.servers import standing_still
from tests.shop import SLUG, Customer

BACK_SECONDS = 60.0
"""How long after a fault customers may have to wait until whole answers flow again, on a machine that does little else."""

STEP_SECONDS = 2.0  # a clock is looked at each second

FLOWING = 20
"""So many whole answers are a flow."""

BAD_DAYS = ("fake/reset", "fake/reset-mid-stream", "fake/stop-mid-stream", "fake/error-mid-stream", "fake/html-502", "fake/status-429")
SLOW = "slowly, please"
PLANS: dict[str, dict[str, Any]] = {SLOW: {"tokens": 60, "pause_ms": 30}}


def mixed_calls(seed: int) -> Callable[[int], tuple[str, dict[str, Any]]]:
    """Whole and streamed, short and slow; one in eight meets an upstream that fails."""

    def choose(number: int) -> tuple[str, dict[str, Any]]:
        dice = random.Random(f"{seed} {number} {threading.get_ident()}")
        stream = {"stream": True, "stream_options": {"include_usage": True}} if dice.random() < 0.5 else {"stream": False}
        if dice.random() < 0.125:
            return dice.choice(BAD_DAYS), stream
        return SLUG, stream | (asking(SLOW) if dice.random() < 0.15 else {})

    return choose


class HangUps:
    """A customer who never waits for the end, until told to stop."""

    def __init__(self, customer: Customer, seed: int) -> None:
        self.count = 0
        self._customer = customer
        self._dice = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self._stop.set()
        if kind is None:
            self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            with suppress(OSError, AssertionError, HTTPException):
                self._hang_up()
                self.count += 1

    def _hang_up(self) -> None:
        with RawClient(self._customer) as client:
            client.ask(SLUG, stream=True, **asking(SLOW))
            if self._dice.random() < 0.25 or b" 200 " not in client.read_until(b"\r\n"):
                return
            client.read_until(self._dice.choice((b"\r\n\r\n", b"quick", b"lazy", b"[DONE]")))


@dataclass
class Chaos:
    """Throws faults; remembers each by its kind, and what did not come back in time."""

    storm: Storm
    database: Database
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    back_seconds: float = BACK_SECONDS

    @property
    def kinds(self) -> dict[str, Callable[[], None]]:
        """Every fault by its name."""
        return {
            "kill of a web process": self._kill_one_web,
            "kill of all web processes": self.storm.kill_webs,
            "kill of the worker": self._kill_clock,
            "crash of the database": lambda: self._restart("immediate"),
            "stop of the database": lambda: self._restart("fast"),
            "connections cut": self._cut,
            "connections refused": self._refuse,
            "silence": lambda: self._silence(revives=True),
            "silence for ever": lambda: self._silence(revives=False),
            "answers of COMMIT lost": lambda: self._lose_commits(Fate.ANSWER_LOST),
            "answers of COMMIT cut short": lambda: self._lose_commits(Fate.ANSWER_CUT_SHORT),
            "COMMITs lost": lambda: self._lose_commits(Fate.NEVER_ARRIVES),
            "pause of a web process": lambda: self._pause(self._some_web(), self.dice.uniform(0.5, 8)),
            "pause of a web process, taken for dead": lambda: self._pause(self._some_web(), SILENT_SECONDS + self.dice.uniform(3, 8)),
            "pause of the worker": lambda: self._pause(self.storm.clock.pid, self.dice.uniform(0.5, 8)),
            **self._clock_kinds(),
        }

    def _clock_kinds(self) -> dict[str, Callable[[], None]]:
        """None where libfaketime is not installed."""
        clocks = {"the web processes": self.storm.web_clock, "the worker": self.storm.worker_clock}
        return {f"clock of {whose} stepped": partial(self._step, clock) for whose, clock in clocks.items() if clock is not None}

    def strike(self, kinds: Sequence[str], buyers: Buyers) -> str:
        """One fault has happened and customers are served again; its name."""
        kind = self.dice.choice(kinds)
        self.kinds[kind]()
        self.done[kind] += 1
        before, began, heard = buyers.whole, time.monotonic(), len(buyers.results)
        while buyers.whole < before + FLOWING:
            if time.monotonic() - began > self.back_seconds:
                said = Counter((result.status, result.error_code) for result in buyers.results[heard:])
                self.problems.append(f"no service {self.back_seconds:g} s after: {kind}; answers meanwhile: {dict(said)}")
                break
            time.sleep(0.05)
        return kind

    def calm(self) -> None:
        """Nothing is wrong any more: every byte passes, and every clock is true."""
        self.storm.proxy.let_all_pass()
        self.storm.proxy.pass_on()
        for clock in (self.storm.web_clock, self.storm.worker_clock):
            if clock is not None:
                clock.step(0)

    def _some_web(self) -> int:
        return self.dice.choice(self.storm.web.worker_pids)

    def _kill_one_web(self) -> None:
        self.storm.kill_webs(self._some_web())

    def _pause(self, pid: int, seconds: float) -> None:
        with standing_still(pid):
            time.sleep(seconds)

    def _step(self, clock: WallClock) -> None:
        """Up to an hour ahead or behind, or true again."""
        clock.step(self.dice.choice((0, self.dice.randint(-3600, 3600), self.dice.choice((-3600, 3600)))))
        time.sleep(STEP_SECONDS)

    def _kill_clock(self) -> None:
        self.storm.kill_clock()
        self.storm.start_clock()

    def _restart(self, how: Any) -> None:
        self.database.stop(how)
        self.database.stay_down(self.dice.uniform(0.2, 7))
        self.database.start()

    def _cut(self) -> None:
        for _ in range(self.dice.randint(1, 5)):
            self.storm.proxy.cut_all()
            time.sleep(self.dice.uniform(0, 0.3))

    def _refuse(self) -> None:
        self.storm.proxy.refuse()
        self.storm.proxy.cut_all()
        time.sleep(self.dice.uniform(0.5, 6))
        self.storm.proxy.pass_on()

    def _silence(self, *, revives: bool) -> None:
        self.storm.proxy.fall_silent()
        time.sleep(self.dice.uniform(0.5, 7))
        self.storm.proxy.pass_on(revives=revives)

    def _lose_commits(self, fate: Fate) -> None:
        self.storm.proxy.catch_some(fate, self.dice.uniform(0.05, 0.5), self.dice)
        time.sleep(self.dice.uniform(1, 4))
        self.storm.proxy.let_all_pass()

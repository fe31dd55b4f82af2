"""Old months go while customers call: how long each step takes, and the slowest call before and meanwhile (R36)."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeVar

import orjson
from flask import Flask
from sqlalchemy import text

from reseller.database import acting_as_operator, transaction
from reseller.domain import pricing
from reseller.domain.retention import months
from reseller.domain.usage import partitions
from reseller.upstreams import SANDBOX
from reseller.wiring import wiring_of
from tests import factories
from tests.servers import WebServer, environment

CALLERS, QUIET_SECONDS, KEEP_MONTHS = 8, 15.0, 1
BODY = orjson.dumps({"model": "sandbox/echo", "messages": [{"role": "user", "content": "hello"}]})
T = TypeVar("T")


@dataclass(slots=True)
class Calls:
    """Every call that ended: when it began, how many milliseconds it took, its status (0: no answer)."""

    ended: list[tuple[float, float, int]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def between(self, start: float, end: float) -> str:
        """What calls that ran at any time of it noticed."""
        ran = [(ms, status) for began, ms, status in self.ended if began < end and began + ms / 1000 > start]
        if not ran:
            return "no call"
        times = sorted(ms for ms, _ in ran)
        bad = sum(status != 200 for _, status in ran)
        middle, high = times[len(times) // 2], times[int(len(times) * 0.99)]
        return f"{len(ran):,} calls, {bad} failed; median {middle:.1f} ms, p99 {high:.1f}, slowest {times[-1]:.1f}"


def measure(app: Flask, database_url: str, folder: Path) -> None:
    """Months before the last whole one are gone; prints what it took. Raises AssertionError if one cannot go."""
    key = _open_shop(app)
    calls = Calls()
    with WebServer(env=environment(database_url, folder), log=folder / "web.log") as web:
        threads = [threading.Thread(target=_call, args=(web.port, key, calls), daemon=True) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        print(f"\ndropping months, {CALLERS} callers at once")
        started = time.monotonic()
        time.sleep(QUIET_SECONDS)
        print(f"before                 {QUIET_SECONDS:.0f} s: {calls.between(started, time.monotonic())}")
        for month in months.due(KEEP_MONTHS):
            _drop(app, month, calls)
        started = time.monotonic()
        time.sleep(QUIET_SECONDS)
        print(f"after                  {QUIET_SECONDS:.0f} s: {calls.between(started, time.monotonic())}")
        calls.stopping.set()
        for thread in threads:
            thread.join()


def _drop(app: Flask, month: date, calls: Calls) -> None:
    with transaction() as session:
        name = partitions.partition_of(month)
        rows, size = session.execute(text(f"SELECT count(*), pg_size_pretty(pg_total_relation_size('{name}')) FROM {name}")).one()  # noqa: S608
    print(f"{month:%Y-%m}: {rows:,} calls, {size}")
    found = _timed("  prove that it may go", calls, lambda: months.obstacles(month))
    assert not found, found
    _timed("  drop it", calls, lambda: months.drop(month, KEEP_MONTHS))
    assert partitions.partition_of(month) not in partitions.existing()


def _timed(what: str, calls: Calls, work: Callable[[], T]) -> T:
    started = time.monotonic()
    try:
        return work()
    finally:
        ended = time.monotonic()
        time.sleep(0.5)  # calls that ran then have ended
        print(f"{what:<22} {ended - started:.3f} s: {calls.between(started, ended)}", flush=True)


def _open_shop(app: Flask) -> str:
    """The key of a customer with money, to whom the sandbox's models are sold."""
    upstreams = wiring_of(app).upstreams
    with acting_as_operator():
        upstreams.register()
        pricing.sync(SANDBOX, upstreams[SANDBOX].list_models(), actor=factories.ACTOR)
        factories.make_rule(pattern="sandbox/*")
        person = factories.make_person(usd="1000")
        factories.lift_limits(person)
        return factories.make_key(person)


def _call(port: int, key: str, calls: Calls) -> None:
    """One caller after the other's answer, until it is told to stop."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while not calls.stopping.is_set():
        began = time.monotonic()
        try:
            connection.request("POST", "/v1/chat/completions", BODY, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except OSError:
            connection.close()
            status = 0
        calls.ended.append((began, 1000 * (time.monotonic() - began), status))

"""Carries what a process has to tell to somebody outside: some at a time, in a greenlet of its own, without anybody waiting for it.

What is not taken is lost, counted and said in the log once a minute: nobody keeps telemetry while its receiver is away, and nobody
is slowed down by it. Not for what must arrive: that is a row in the database.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import gevent
import requests
import structlog
from gevent.event import Event

from reseller import metrics
from reseller.clients.sessions import PlainSession
from reseller.clock import monotonic

CONNECT_SECONDS, READ_SECONDS = 2.0, 5.0
EVERY_SECONDS = 1.0
SAY_EVERY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0
ANSWER_BYTES = 65_536
"""Of an answer, which says nothing that we need: read so that the connection can be kept."""

Thing = TypeVar("Thing")

log = structlog.get_logger()


class NotTaken(Exception):
    """The receiver did not take it; `pause_seconds`: for how long it asks not to be told anything."""

    def __init__(self, words: str, pause_seconds: float = 0.0) -> None:
        super().__init__(words)
        self.pause_seconds = pause_seconds


class Address:
    """Somebody who is posted to again and again, over a connection that is kept."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._session = PlainSession({"User-Agent": "Reseller-Telemetry/1", **headers})

    def post(self, body: bytes) -> None:
        """It has taken the body, perhaps twice. Raises NotTaken: no answer in time, a redirect, or a status other than 2xx."""
        try:
            try:
                answer = self._posted(body)
            except requests.ConnectTimeout:
                raise
            except requests.ConnectionError:  # a kept connection that the other side was just closing
                answer = self._posted(body)
        except requests.RequestException as error:
            raise NotTaken(type(error).__name__) from None
        if not 200 <= answer.status_code < 300:
            raise NotTaken(f"it answers {answer.status_code}", _pause_of(answer))

    def _posted(self, body: bytes) -> requests.Response:
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        with self._session.post(self._url, data=body, timeout=timeout, allow_redirects=False, stream=True) as answer:
            next(answer.iter_content(ANSWER_BYTES), b"")
        return answer


def _pause_of(answer: requests.Response) -> float:
    """Seconds for which 429 or 503 asks for quiet."""
    asked = answer.headers.get("Retry-After", "")
    is_asked = answer.status_code in (429, 503) and asked.isascii() and asked.isdigit()
    return min(float(asked[:6]), LONGEST_PAUSE_SECONDS) if is_asked else 0.0


class Carrier(Generic[Thing]):
    """At most `most` things wait, `at_a_time` of them go to `send` together. `kind` names them in log and figures.

    `send` raises NotTaken; should it raise anything else, those are lost all the same, and nothing but those.
    """

    def __init__(self, kind: str, send: Callable[[list[Thing]], None], *, at_a_time: int, most: int) -> None:
        self._kind = kind
        self._send = send
        self._at_a_time = at_a_time
        self._most = most
        self._waiting: deque[Thing] = deque()
        self._stopping = Event()
        self._greenlet: gevent.Greenlet | None = None
        self._quiet_until = self._said_at = -SAY_EVERY_SECONDS

    def put(self, thing: Thing) -> None:
        """It is on its way, or lost where too much waits already. Waits for nothing; safe from every thread."""
        if len(self._waiting) >= self._most:
            metrics.count(metrics.TELEMETRY_LOST, self._kind)
            return
        self._waiting.append(thing)

    def start(self) -> None:
        """In the process that works: a greenlet does not outlive a fork."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, seconds: float) -> None:
        """What waited was sent, or that time has passed."""
        self._stopping.set()
        if self._greenlet is not None:
            self._greenlet.join(seconds)
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(self._at_a_time, len(self._waiting)))]
            if monotonic() < self._quiet_until:
                metrics.count(metrics.TELEMETRY_LOST, self._kind, by=len(some))
                continue
            try:
                self._send(some)
            except NotTaken as error:
                self._quiet_until = monotonic() + error.pause_seconds
                self._lost(len(some), str(error))
            except Exception as error:  # noqa: BLE001 - the next are sent, whatever it is; its words may quote a secret
                self._lost(len(some), type(error).__name__)
            gevent.sleep(0)  # calls are more urgent

    def _lost(self, number: int, words: str) -> None:
        """Counted, and in the log unless it said so within the last minute."""
        metrics.count(metrics.TELEMETRY_LOST, self._kind, by=number)
        if monotonic() - self._said_at >= SAY_EVERY_SECONDS:
            self._said_at = monotonic()
            log.warning("telemetry_not_taken", kind=self._kind, error=words, lost=number)

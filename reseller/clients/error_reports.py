"""Errors with a traceback as reports for Sentry, or what speaks like it (develop.sentry.dev/sdk: envelopes, event payloads).

A report is made of what is known to hold nothing of a customer's: the name of the log line, a few ids and names from it, the types
of the exceptions, and where in the code they passed. Not their words, which may quote what somebody sent, and no locals, requests,
headers, cookies, addresses or people: there is nothing here that would look at them. The log has the words, under the same ids.
"""

import linecache
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import orjson

from config.logging import mask, tell_of_errors
from reseller import metrics
from reseller.clients.carrier import Address, Carrier
from reseller.clock import monotonic, new_id, now

KIND = "error_report"
TOLD_FIELDS = ("request_id", "call_id", "payment_id", "letter_id", "alarm", "job", "operation", "upstream", "table", "kind")
"""Fields of a log line that go with it: ids of ours and names in the code."""
MOST_A_MINUTE = 30
"""A database that is away makes every page an error."""
MOST_WAITING = 100
MOST_CAUSES, MOST_FRAMES, MOST_CHARACTERS = 5, 60, 200
LINES_AROUND = 4
ROOT = Path(__file__).parents[2]
LIBRARIES = "site-packages/"


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where reports go: `https://key@host/project`."""

    url: str
    key: str

    @classmethod
    def of(cls, text: str) -> "Dsn":
        parts = urlsplit(text)
        folder, _, project = parts.path.rstrip("/").rpartition("/")
        host = parts.netloc.rpartition("@")[2]
        return cls(f"{parts.scheme}://{host}{folder}/api/{project}/envelope/", parts.username or "")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code that an exception passed."""

    file: str
    line: int
    function: str
    module: str


@dataclass(frozen=True, slots=True)
class Report:
    """One error, with what led to it first. Holds no frame: those hold what the code worked on."""

    at: datetime
    source: str
    tags: Mapping[str, str]
    exceptions: tuple[tuple[str, str, tuple[Place, ...]], ...]  # module and name of the type, and where


class ErrorReports:
    """Errors of one process on their way to Sentry."""

    def __init__(self, dsn: str, *, environment: str, release: str) -> None:
        where = Dsn.of(dsn)
        told_by = f"Sentry sentry_version=7, sentry_client=reseller/1, sentry_key={where.key}"
        self._address = Address(where.url, {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": told_by})
        self._about = {"platform": "python", "environment": environment, "server_name": socket.gethostname()}
        if release:
            self._about["release"] = release
        self._process = ""
        self._carrier: Carrier[Report] = Carrier(KIND, self._send, at_a_time=1, most=MOST_WAITING)
        self._minute_began, self._in_minute = monotonic(), 0

    def start(self, process: str) -> None:
        """From now on every error line with a traceback is reported, as one of this kind of process."""
        self._process = process
        self._carrier.start()
        tell_of_errors(self.saw)

    def stop(self, seconds: float) -> None:
        tell_of_errors(None)
        self._carrier.stop(seconds)

    def saw(self, source: str, fields: Mapping[str, Any], error: BaseException) -> None:
        """The error is on its way, unless there were too many in this minute. Waits for nothing."""
        if monotonic() - self._minute_began >= 60:
            self._minute_began, self._in_minute = monotonic(), 0
        self._in_minute += 1
        if self._in_minute > MOST_A_MINUTE:
            metrics.count(metrics.TELEMETRY_LOST, KIND)
            return
        tags = {name: str(fields[name])[:MOST_CHARACTERS] for name in TOLD_FIELDS if name in fields}
        told = tuple((type(each).__module__, type(each).__name__, places(each.__traceback__)) for each in chain(error))
        self._carrier.put(Report(now(), source, tags, told))

    def _send(self, reports: list[Report]) -> None:
        for report in reports:
            self._address.post(self._envelope(report))

    def _envelope(self, report: Report) -> bytes:
        """The report as an envelope of one item, masked as a whole."""
        event_id = new_id().hex
        values = [
            {"type": name, "module": module, "stacktrace": {"frames": [_frame(place) for place in where]}}
            for module, name, where in report.exceptions
        ]
        event = {
            **self._about,
            "event_id": event_id,
            "timestamp": report.at.isoformat(),
            "level": "error",
            "logger": report.source,
            "transaction": report.source,
            "tags": {"process": self._process, **report.tags},
            "exception": {"values": values},
        }
        body = mask(orjson.dumps(event).decode()).encode()
        head = orjson.dumps({"event_id": event_id, "sent_at": now().isoformat()})
        return b"\n".join((head, orjson.dumps({"type": "event", "length": len(body)}), body, b""))


def chain(error: BaseException) -> list[BaseException]:
    """The error after what led to it, which Python prints first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(found) < MOST_CAUSES and all(current is not seen for seen in found):
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found[::-1]


def places(traceback: TracebackType | None) -> tuple[Place, ...]:
    """Where the exception passed, the outermost line first; of very many the innermost."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        found.append(Place(code.co_filename, traceback.tb_lineno, code.co_name, module))
        traceback = traceback.tb_next
    return tuple(found[-MOST_FRAMES:])


def _frame(place: Place) -> dict[str, Any]:
    """The line with those around it: code, which holds nothing of a customer's."""
    lines = linecache.getlines(place.file)
    at = place.line - 1
    is_ours = LIBRARIES not in place.file and place.file.startswith(str(ROOT))
    shown = place.file.rpartition(LIBRARIES)[2] if LIBRARIES in place.file else place.file.removeprefix(f"{ROOT}/")
    frame: dict[str, Any] = {"filename": shown, "function": place.function, "module": place.module, "lineno": place.line}
    if 0 <= at < len(lines):
        frame["pre_context"] = [line.rstrip("\n") for line in lines[max(at - LINES_AROUND, 0) : at]]
        frame["context_line"] = lines[at].rstrip("\n")
        frame["post_context"] = [line.rstrip("\n") for line in lines[at + 1 : at + 1 + LINES_AROUND]]
    return {**frame, "in_app": is_ours}

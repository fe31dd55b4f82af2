"""Calls in flight in this process: whose generation id must be stored, and which streams a drain must end.

A registry that outlives sockets and generators: a call is in it until it is settled.
"""

from typing import Protocol
from uuid import UUID

import gevent

from reseller.clock import monotonic
from reseller.domain.calls import Note, Till
from reseller.errors import Unavailable

NOTE_AFTER_SECONDS = 1.0
LOOK_SECONDS = 0.5


class Endable(Protocol):
    """A stream that can be told to end itself soon, with an error event and its settlement."""

    def drain(self) -> None: ...

    def cut_off_if_stalled(self, patience_seconds: float) -> None: ...


class _Entry:
    __slots__ = ("generation_id", "greenlet", "is_noted", "since", "stream")

    def __init__(self) -> None:
        self.greenlet = gevent.getcurrent()
        self.generation_id: str | None = None
        self.since = 0.0
        self.is_noted = False
        self.stream: Endable | None = None


class LiveCalls:
    """Every call between admission and settlement."""

    def __init__(self, till: Till, *, client_patience_seconds: float = 60.0) -> None:
        self._till = till
        self._client_patience = client_patience_seconds
        self._calls: dict[UUID, _Entry] = {}
        self._watcher: gevent.Greenlet | None = None
        self.is_leaving = False  # new work had better go elsewhere
        self.is_draining = False  # nobody new comes: what goes on for ever ends
        self.is_refusing = False  # new work is turned away

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, call_id: UUID) -> None:
        self._calls[call_id] = _Entry()
        if self._watcher is None:
            self._watcher = gevent.spawn(self._look)

    def answered(self, call_id: UUID, generation_id: str | None, stream: Endable | None) -> None:
        """The upstream's head is here. A call still open a second later has its generation id stored (R10)."""
        entry = self._calls.get(call_id)
        if entry is None:
            return
        entry.generation_id, entry.since, entry.stream = generation_id, monotonic(), stream

    def end(self, call_id: UUID) -> None:
        self._calls.pop(call_id, None)

    def drain(self) -> None:
        """Every stream ends with an error event, every call that still waits with 503; all are settled."""
        for call_id, entry in list(self._calls.items()):
            if entry.stream is not None:
                entry.stream.drain()
            else:
                gevent.get_hub().loop.run_callback(self._end_waiting, call_id, entry)

    def _end_waiting(self, call_id: UUID, entry: _Entry) -> None:
        """Runs in the hub, so that the call stands still where it waits. It may have gone on since the drain began: then it has a
        stream, or has ended; an error thrown into the sending of its answer would take an answer that is charged."""
        if self._calls.get(call_id) is not entry:
            return
        if entry.stream is not None:
            entry.stream.drain()
        else:
            entry.greenlet.throw(Unavailable("The server is restarting. Nothing was charged; please try again."))

    def _look(self) -> None:
        """Store the generation ids of older calls; cut off clients that take nothing."""
        while True:
            gevent.sleep(LOOK_SECONDS)
            due = monotonic() - NOTE_AFTER_SECONDS + LOOK_SECONDS / 2
            for call_id, entry in list(self._calls.items()):
                if entry.stream is not None:
                    entry.stream.cut_off_if_stalled(self._client_patience)
                if entry.generation_id and not entry.is_noted and entry.since <= due:
                    entry.is_noted = True
                    self._till.note(Note(call_id, entry.generation_id))

"""Calls in flight when the server ends: each ends in order, wherever it is at that instant (R34)."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from reseller.clock import new_id
from reseller.errors import Unavailable
from reseller.live import LiveCalls


class Stream:
    def __init__(self) -> None:
        self.is_draining = False

    def drain(self) -> None:
        self.is_draining = True

    def cut_off_if_stalled(self, patience_seconds: float) -> None:
        pass


@pytest.fixture
def live() -> Iterator[LiveCalls]:
    till: Any = None  # no call here is open for long enough to be noted
    calls = LiveCalls(till)
    yield calls
    if calls._watcher is not None:
        calls._watcher.kill()


def drained_in_the_turn_of(live: LiveCalls, call: Callable[[], bool], goes_on: Event, may_end: Event) -> gevent.Greenlet:
    """`call` as it ended, if the server begins to end in the turn in which it goes on."""
    running = gevent.spawn(call)
    gevent.sleep(0)
    goes_on.set()
    live.drain()
    gevent.sleep(0.01)
    may_end.set()
    running.join(5)
    return running


def test_a_call_that_waits_for_its_upstream_hears_of_the_end(live: LiveCalls) -> None:
    def call() -> None:
        live.begin(new_id())
        Event().wait(5)

    waiting = gevent.spawn(call)
    gevent.sleep(0)

    live.drain()
    waiting.join(5)

    assert isinstance(waiting.exception, Unavailable)


def test_a_call_whose_stream_begins_in_the_same_turn_is_drained_as_a_stream(live: LiveCalls) -> None:
    """An error thrown into it by then would hit the sending of an answer whose end is charged."""
    stream, has_head, rest = Stream(), Event(), Event()

    def call() -> bool:
        call_id = new_id()
        live.begin(call_id)
        has_head.wait(5)
        live.answered(call_id, None, stream)
        return rest.wait(5)

    streaming = drained_in_the_turn_of(live, call, has_head, rest)

    assert streaming.exception is None
    assert streaming.value
    assert stream.is_draining


def test_a_call_that_ends_in_the_same_turn_is_left_alone(live: LiveCalls) -> None:
    is_settled, sent = Event(), Event()

    def call() -> bool:
        call_id = new_id()
        live.begin(call_id)
        is_settled.wait(5)
        live.end(call_id)
        return sent.wait(5)

    ending = drained_in_the_turn_of(live, call, is_settled, sent)

    assert ending.exception is None
    assert ending.value

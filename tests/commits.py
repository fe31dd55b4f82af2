"""A commit function for tests of group commit: remembers its batches and can be held up."""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import Event

from reseller.batching import GroupCommit

SECONDS = 5.0


class Ledger:
    """A commit function that remembers its batches and can be held up."""

    def __init__(self, fate: Callable[[Sequence[str]], Sequence[Any]] = list) -> None:
        self.batches: list[list[str]] = []
        self.fate = fate
        self.door = Event()
        self.entered = Event()
        self.door.set()

    def commit(self, ops: Sequence[str]) -> Sequence[Any]:
        self.entered.set()
        self.door.wait(SECONDS)
        self.batches.append(list(ops))
        return self.fate(ops)

    def close_door(self) -> None:
        """From now on a commit that has begun does not end."""
        self.door.clear()
        self.entered.clear()


def all_at_once(group: GroupCommit[str, Any], ops: Sequence[str]) -> list[Any]:
    """Each operation's answer, or what was raised in its submitter."""

    def submit(op: str) -> Any:
        try:
            return group.submit(op, timeout_seconds=SECONDS)
        except Exception as error:  # noqa: BLE001 - the error is the answer looked for
            return error

    greenlets = [gevent.spawn(submit, op) for op in ops]
    gevent.joinall(greenlets, timeout=SECONDS)
    return [greenlet.value for greenlet in greenlets]


def held_up(group: GroupCommit[str, Any], ledger: Ledger) -> gevent.Greenlet:
    """A first operation is being committed and does not come to an end."""
    ledger.close_door()
    first = gevent.spawn(group.submit, "first", timeout_seconds=SECONDS)
    assert ledger.entered.wait(SECONDS)
    return first

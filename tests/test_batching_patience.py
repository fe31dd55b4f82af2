"""Group commit when submitters lose patience or the queue is full: what is forgotten, what is given back, what is kept (R12, R13)."""

from collections.abc import Sequence
from typing import Any

import gevent
import pytest

from reseller.batching import GroupCommit, Retry, TryLater
from reseller.errors import Unavailable
from tests.commits import SECONDS, Ledger, held_up


def test_a_postponed_operation_whose_submitter_gave_up_is_forgotten() -> None:
    ledger = Ledger()

    def always_locked(ops: Sequence[str]) -> list[str]:
        raise TryLater("locked")

    ledger.fate = always_locked
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    with pytest.raises(Unavailable):
        group.submit("busy", timeout_seconds=0.01)

    assert group.wait_idle(SECONDS) is True


def test_an_answer_that_comes_in_the_turn_in_which_its_submitter_is_killed_is_reported() -> None:
    """R11: admitted and killed at once, the call must not keep its hold."""
    ledger = Ledger()
    orphans: list[tuple[str, Any]] = []
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, orphaned=lambda op, answer: orphans.append((op, answer)))

    def commit_and_kill(ops: Sequence[str]) -> list[str]:
        first.kill(gevent.GreenletExit, block=False)  # takes effect when the writer lets go, which is after its answer
        return list(ops)

    ledger.fate = commit_and_kill
    first = gevent.spawn(group.submit, "first", timeout_seconds=SECONDS)
    first.join(SECONDS)

    assert isinstance(first.value, gevent.GreenletExit)
    assert orphans == [("first", "first")]


def test_an_operation_in_doubt_is_sent_until_its_fate_is_known_although_nobody_waits_any_more() -> None:
    """R11: the lost answer may have been a yes, and then there is a hold to give back."""
    fates: list[Any] = [Retry(), TryLater("locked"), TryLater("locked"), None]
    orphans: list[tuple[str, Any]] = []
    ledger = Ledger()

    def fate(ops: Sequence[str]) -> list[str]:
        gevent.sleep(0.02)
        if (error := fates.pop(0)) is not None:
            raise error
        return list(ops)

    ledger.fate = fate
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, orphaned=lambda op, answer: orphans.append((op, answer)))

    with pytest.raises(Unavailable):
        group.submit("impatient", timeout_seconds=0.01)

    assert group.wait_idle(SECONDS)
    assert ledger.batches == [["impatient"]] * 4
    assert orphans == [("impatient", "impatient")]


def test_an_operation_abandoned_before_it_was_sent_is_forgotten() -> None:
    ledger = Ledger()
    orphans: list[str] = []
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, orphaned=lambda op, answer: orphans.append(op))
    first = held_up(group, ledger)

    with pytest.raises(Unavailable):
        group.submit("impatient", timeout_seconds=0.01)
    ledger.door.set()
    first.join(SECONDS)

    assert group.wait_idle(SECONDS)
    assert ledger.batches == [["first"]]
    assert orphans == []


def test_an_operation_abandoned_after_it_was_sent_is_reported_with_its_answer() -> None:
    ledger = Ledger()
    orphans: list[tuple[str, Any]] = []
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, orphaned=lambda op, answer: orphans.append((op, answer)))
    ledger.close_door()

    with pytest.raises(Unavailable):
        group.submit("impatient", timeout_seconds=0.01)
    ledger.door.set()

    assert group.wait_idle(SECONDS)
    assert orphans == [("impatient", "impatient")]


def test_an_operation_whose_submitter_was_killed_counts_as_abandoned() -> None:
    """R11: a hold that nobody waits for is given back, however its submitter ended."""
    ledger = Ledger()
    orphans: list[str] = []
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, orphaned=lambda op, answer: orphans.append(op))
    first = held_up(group, ledger)

    first.kill(gevent.GreenletExit, timeout=SECONDS)
    ledger.door.set()

    assert group.wait_idle(SECONDS)
    assert orphans == ["first"]


def test_a_full_queue_refuses_new_work() -> None:
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, max_queue=2)
    first = held_up(group, ledger)
    waiting = [gevent.spawn(group.submit, op, timeout_seconds=SECONDS) for op in "ab"]
    gevent.idle()

    with pytest.raises(Unavailable):
        group.submit("c", timeout_seconds=SECONDS)

    ledger.door.set()
    gevent.joinall([first, *waiting], timeout=SECONDS)
    assert ledger.batches == [["first"], ["a", "b"]]


def test_a_full_queue_still_takes_what_must_not_be_lost() -> None:
    """R13: settlements of answers in flight land when the database returns; only new work is refused."""
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, max_queue=1)
    first = held_up(group, ledger)
    waiting = gevent.spawn(group.submit, "new", timeout_seconds=SECONDS)
    gevent.idle()

    kept = gevent.spawn(group.submit_kept, "kept", timeout_seconds=SECONDS)
    group.enqueue("noted")
    gevent.idle()
    ledger.door.set()
    gevent.joinall([first, waiting, kept], timeout=SECONDS)

    assert group.wait_idle(SECONDS)
    assert kept.value == "kept"
    assert ledger.batches == [["first"], ["new", "kept", "noted"]] or ledger.batches == [["first"], ["new", "noted", "kept"]]


def test_an_orphan_that_gives_its_hold_back_into_a_full_queue_does_not_end_the_writer() -> None:
    """R13: after an outage the queue is full of impatient operations."""
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, max_queue=1, orphaned=lambda op, answer: group.enqueue(f"undo {op}"))
    ledger.close_door()
    with pytest.raises(Unavailable):
        group.submit("impatient", timeout_seconds=0.01)
    waiting = gevent.spawn(group.submit, "patient", timeout_seconds=SECONDS)
    gevent.idle()

    ledger.door.set()
    waiting.join(SECONDS)

    assert waiting.value == "patient"
    assert group.wait_idle(SECONDS)
    assert sorted(op for batch in ledger.batches for op in batch) == ["impatient", "patient", "undo impatient"]


def test_a_kept_operation_is_committed_although_its_submitter_stopped_waiting() -> None:
    """R13."""
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)
    first = held_up(group, ledger)

    with pytest.raises(Unavailable):
        group.submit_kept("kept", timeout_seconds=0.01)
    ledger.door.set()
    first.join(SECONDS)

    assert group.wait_idle(SECONDS)
    assert ledger.batches == [["first"], ["kept"]]


def test_a_kept_operation_survives_doubt_and_locks() -> None:
    """R13."""
    troubles: list[Exception] = [Retry("lost"), TryLater("locked"), Retry("lost")]
    ledger = Ledger()

    def fate(ops: Sequence[str]) -> list[str]:
        if troubles:
            raise troubles.pop()
        return list(ops)

    ledger.fate = fate
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    with pytest.raises(Unavailable):
        group.submit_kept("kept", timeout_seconds=0.01)

    assert group.wait_idle(SECONDS)
    assert ledger.batches == [["kept"]] * 4

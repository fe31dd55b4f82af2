"""Group commit is invisible to its submitters (promise R12): every operation has its own answer, order and fate."""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event

from reseller.batching import GroupCommit, Retry, TryLater
from reseller.errors import Unavailable

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


def test_each_operation_gets_its_own_answer() -> None:
    """R12."""
    group: GroupCommit[str, str] = GroupCommit(lambda ops: [op.upper() for op in ops])

    answers = all_at_once(group, ["a", "b", "c"])

    assert answers == ["A", "B", "C"]


def test_operations_that_arrive_during_a_commit_share_the_next_one_in_order() -> None:
    """R12: order is kept; one commit serves many."""
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)
    first = held_up(group, ledger)
    later = [gevent.spawn(group.submit, op, timeout_seconds=SECONDS) for op in "abcde"]
    gevent.idle()

    ledger.door.set()
    gevent.joinall([first, *later], timeout=SECONDS)

    assert ledger.batches == [["first"], list("abcde")]


def test_a_batch_is_never_larger_than_its_bound() -> None:
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit, max_batch=2)
    first = held_up(group, ledger)
    later = [gevent.spawn(group.submit, op, timeout_seconds=SECONDS) for op in "abcde"]
    gevent.idle()

    ledger.door.set()
    gevent.joinall([first, *later], timeout=SECONDS)

    assert ledger.batches == [["first"], ["a", "b"], ["c", "d"], ["e"]]


def test_nothing_is_acknowledged_before_the_commit_returned() -> None:
    """R12: and what is being committed still counts as owed."""
    ledger = Ledger()
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    first = held_up(group, ledger)

    assert not first.ready()
    assert group.depth == 1
    assert group.wait_idle(0.01) is False
    ledger.door.set()
    first.join(SECONDS)
    assert first.value == "first"
    assert group.wait_idle(SECONDS) is True
    assert group.depth == 0


def test_an_answer_that_is_an_exception_is_raised_in_its_submitter_alone() -> None:
    """R12."""
    refusal = ValueError("no")
    group: GroupCommit[str, str] = GroupCommit(lambda ops: [refusal if op == "b" else op for op in ops])

    answers = all_at_once(group, ["a", "b", "c"])

    assert answers == ["a", refusal, "c"]


def test_a_poison_operation_fails_alone() -> None:
    """R12: a batch that fails as a whole is run again one by one."""

    def commit(ops: Sequence[str]) -> list[str]:
        if "poison" in ops:
            raise ValueError("cannot be written")
        return list(ops)

    group: GroupCommit[str, str] = GroupCommit(commit)

    answers = all_at_once(group, ["a", "poison", "c"])

    assert answers[0] == "a"
    assert isinstance(answers[1], ValueError)
    assert answers[2] == "c"


def test_the_writer_outlives_a_poison_operation() -> None:
    def commit(ops: Sequence[str]) -> list[str]:
        if "poison" in ops:
            raise ValueError("cannot be written")
        return list(ops)

    group: GroupCommit[str, str] = GroupCommit(commit)
    all_at_once(group, ["poison"])

    assert group.submit("next", timeout_seconds=SECONDS) == "next"


def test_an_unknown_commit_sends_the_same_operations_again() -> None:
    """R13: the same ids, until the answer is known."""
    doubts = [Retry("lost"), Retry("lost")]
    ledger = Ledger()

    def fate(ops: Sequence[str]) -> list[str]:
        if doubts:
            raise doubts.pop()
        return list(ops)

    ledger.fate = fate
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    answers = all_at_once(group, ["a", "b"])

    assert answers == ["a", "b"]
    assert ledger.batches == [["a", "b"]] * 3
    assert group.stats.retries == 2


def test_operations_that_arrive_during_doubt_wait_for_its_end() -> None:
    """R12: order is kept although the first batch is sent twice."""
    doubts = [Retry("lost")]
    ledger = Ledger()

    def fate(ops: Sequence[str]) -> list[str]:
        if doubts:
            late.append(gevent.spawn(group.submit, "late", timeout_seconds=SECONDS))
            raise doubts.pop()
        return list(ops)

    late: list[gevent.Greenlet] = []
    ledger.fate = fate
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    all_at_once(group, ["early"])
    gevent.joinall(late, timeout=SECONDS)

    assert ledger.batches == [["early"], ["early"], ["late"]]


def test_an_operation_that_must_wait_goes_to_the_end_of_the_queue_and_is_not_lost() -> None:
    """R12: a lock of somebody else delays its own operation, not the others."""
    locked = ["busy"]
    ledger = Ledger()

    def fate(ops: Sequence[str]) -> list[str]:
        if locked and "busy" in ops:
            if len(ops) == 1:
                locked.clear()
            raise TryLater("locked")
        return list(ops)

    ledger.fate = fate
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    answers = all_at_once(group, ["busy", "b", "c"])

    assert answers == ["busy", "b", "c"]
    assert ledger.batches == [["busy", "b", "c"], ["busy"], ["b"], ["c"], ["busy"]]


def test_a_postponed_operation_whose_submitter_gave_up_is_forgotten() -> None:
    ledger = Ledger()

    def always_locked(ops: Sequence[str]) -> list[str]:
        raise TryLater("locked")

    ledger.fate = always_locked
    group: GroupCommit[str, str] = GroupCommit(ledger.commit)

    with pytest.raises(Unavailable):
        group.submit("busy", timeout_seconds=0.01)

    assert group.wait_idle(SECONDS) is True


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


def test_every_batch_is_observed_with_its_size() -> None:
    sizes: list[int] = []
    group: GroupCommit[str, str] = GroupCommit(list, observe=lambda size, seconds: sizes.append(size))

    all_at_once(group, ["a", "b", "c"])

    assert sum(sizes) == 3
    assert group.stats.operations == 3
    assert group.stats.batches == len(sizes)

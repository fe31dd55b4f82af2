"""Group commit is invisible to its submitters (promise R12): every operation has its own answer, order and fate."""

from collections.abc import Sequence

import gevent

from reseller.batching import GroupCommit, Retry, TryLater
from tests.commits import SECONDS, Ledger, all_at_once, held_up


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


def test_every_batch_is_observed_with_its_size() -> None:
    sizes: list[int] = []
    group: GroupCommit[str, str] = GroupCommit(list, observe=lambda size, seconds: sizes.append(size))

    all_at_once(group, ["a", "b", "c"])

    assert sum(sizes) == 3
    assert group.stats.operations == 3
    assert group.stats.batches == len(sizes)

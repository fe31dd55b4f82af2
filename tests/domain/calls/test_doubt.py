"""Trouble with the database is never free or double use: lost answers of COMMIT, locks, orphans (R4, R12, R13)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import gevent
import psycopg
import pytest
from gevent.event import Event
from psycopg import errors as pg

from reseller.batching import Retry, TryLater
from reseller.domain.calls import Note, Till, facts_of, recovery
from reseller.domain.calls import till as till_module
from reseller.domain.calls.connection import TillConnection
from reseller.domain.calls.recovery import OpenHold
from reseller.domain.calls.settlement import Record
from reseller.errors import InsufficientBalance, NotForSale, TooManyAtOnce, Unavailable
from tests.domain import scenes


def disturb(monkeypatch: pytest.MonkeyPatch, *, after: bool, times: int = 1, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
    """The next commits lose their connection before they are sent, or after they were done. The list grows with each."""
    original = TillConnection.write_and_commit
    lost: list[int] = []

    def write_and_commit(self: TillConnection, *written: Any) -> None:
        if len(lost) >= times:
            original(self, *written)
            return
        lost.append(1)
        if after:
            original(self, *written)
            meanwhile()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(TillConnection, "write_and_commit", write_and_commit)
    return lost


@pytest.fixture
def other(database_url: str) -> Iterator[Till]:
    """The till of another process."""
    with closing(Till(database_url)) as opened:
        yield opened


@contextmanager
def locked(database_url: str, who: scenes.Customer) -> Iterator[None]:
    """Somebody else holds the lock on the account's balance."""
    with psycopg.connect(database_url) as other:
        other.execute("SET reseller.acting_for = 'operator'")
        other.execute("SELECT 1 FROM balances WHERE account_id = %s FOR UPDATE", [who.account_id])
        yield
        other.rollback()


@pytest.mark.parametrize("after", [True, False])
def test_an_admission_whose_commit_is_in_doubt_has_one_hold(till: Till, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """R13: the same ids again, one effect."""
    who = scenes.customer(nano=150)
    op = scenes.admission(who, hold=100)
    lost = disturb(monkeypatch, after=after, times=2)

    admitted = till.admit(op)

    assert lost
    assert (admitted.hold_nano, admitted.output_cap, admitted.available_nano) == (100, 100, 50)
    assert scenes.money(who) == (150, 100)
    assert [hold["id"] for hold in scenes.holds(who)] == [op.call_id]
    assert scenes.problems() == []


def test_a_call_admitted_in_doubt_keeps_the_output_cap_it_was_held_for(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: the second answer says the same as the lost one."""
    who = scenes.customer(nano=130)
    disturb(monkeypatch, after=True)

    admitted = till.admit(scenes.admission(who, hold=30, per_token=2, output_cap=4_000, cap_is_clients=False))

    assert (admitted.output_cap, admitted.hold_nano) == (50, 130)


@pytest.mark.parametrize("after", [True, False])
def test_a_settlement_whose_commit_is_in_doubt_charges_once(till: Till, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """R4, R13."""
    who = scenes.customer(nano=1_000)
    op = scenes.admission(who)
    till.admit(op)
    disturb(monkeypatch, after=after)

    settled = till.settle(scenes.settlement(op, charge=60))

    assert settled is not None
    assert settled.was_open is not after
    assert settled.before == (("completed", 60) if after else None)  # told again, and not done again
    assert scenes.money(who) == (940, 0)
    assert len(scenes.usage(who)) == 1
    assert scenes.problems() == []


@pytest.mark.parametrize("after", [True, False])
def test_a_whole_batch_in_doubt_has_one_effect(till: Till, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """R12, R13: admissions, settlements and refusals together, windows and keys included."""
    who, poor = scenes.customer(nano=1_000, limits={"requests_per_day": 100}), scenes.customer(nano=10)
    before = [scenes.admission(who) for _ in range(5)]
    scenes.in_one_commit(till, before)
    disturb(monkeypatch, after=after)

    ops = [*(scenes.settlement(op, charge=10) for op in before), *(scenes.admission(who) for _ in range(4)), scenes.admission(poor)]
    answers = scenes.all_at_once(till, ops)

    assert [type(answer).__name__ for answer in answers] == ["Settled"] * 5 + ["Admitted"] * 4 + ["InsufficientBalance"]
    assert scenes.money(who) == (950, 400)
    assert scenes.money(poor) == (10, 0)
    assert scenes.key_of(who)["calls"] == 5
    assert [row["status"] for row in scenes.usage(who) + scenes.usage(poor)] == ["completed"] * 5 + ["refused"]
    assert scenes.problems() == []


def test_a_refusal_whose_commit_is_in_doubt_is_told_all_the_same(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """R13: it moved no money, and its usage row is there once."""
    who = scenes.customer(nano=10)
    disturb(monkeypatch, after=True)

    with pytest.raises(InsufficientBalance):
        till.admit(scenes.admission(who))

    assert [row["status"] for row in scenes.usage(who)] == ["refused"]


def test_a_refusal_in_doubt_stays_a_refusal_although_there_is_room_now(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4, R13: a call never has a refused row and a hold, or it could never be charged."""
    who = scenes.customer(limits={"concurrent_requests": 1})
    open_call = scenes.admission(who)
    till.admit(open_call)
    disturb(monkeypatch, after=True, meanwhile=lambda: scenes.in_one_commit(other, [scenes.settlement(open_call)]) and None)

    with pytest.raises(TooManyAtOnce):
        till.admit(scenes.admission(who))

    assert scenes.holds(who) == []
    assert till.admit(scenes.admission(who)).hold_nano == 100
    assert sorted(row["status"] for row in scenes.usage(who)) == ["completed", "refused"]


def test_an_admission_in_doubt_that_was_ended_meanwhile_has_no_second_hold(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4, R11: its process was taken for dead while the answer of its commit was lost. A hold beside a usage row could never end."""
    who = scenes.customer()
    op = scenes.admission(who)
    lost = OpenHold(facts_of(op), None, {}, 0)
    disturb(monkeypatch, after=True, meanwhile=lambda: recovery.void(other, lost) and None)

    with pytest.raises(Unavailable):
        till.admit(op)

    assert scenes.holds(who) == []
    assert [row["status"] for row in scenes.usage(who)] == ["voided"]
    assert scenes.money(who) == (1_000, 0)
    assert scenes.problems() == []
    assert till.admit(scenes.admission(who)).hold_nano == 100


def test_a_refusal_in_doubt_stays_one_although_its_account_was_locked_when_it_was_sent_again(
    till: Till, other: Till, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4, R13."""
    who = scenes.customer(limits={"concurrent_requests": 1})
    open_call = scenes.admission(who)
    till.admit(open_call)
    with ExitStack() as lock:

        def make_room_and_lock() -> None:
            scenes.in_one_commit(other, [scenes.settlement(open_call)])
            lock.enter_context(locked(database_url, who))
            gevent.spawn_later(0.6, lock.close)

        disturb(monkeypatch, after=True, meanwhile=make_room_and_lock)
        with pytest.raises(TooManyAtOnce):
            till.admit(scenes.admission(who))

    assert scenes.holds(who) == []
    assert sorted(row["status"] for row in scenes.usage(who)) == ["completed", "refused"]


def test_a_record_in_doubt_is_there_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    who = scenes.customer()
    disturb(monkeypatch, after=True)

    till.record(facts_of(scenes.admission(who)), NotForSale("no such model"))

    assert [row["error_code"] for row in scenes.usage(who)] == ["model_not_found"]


@pytest.mark.parametrize("after", [True, False])
def test_a_record_and_an_admission_in_one_commit_in_doubt_are_there_once(till: Till, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    who = scenes.customer()
    disturb(monkeypatch, after=after)
    ops = [Record(facts_of(scenes.admission(who)), NotForSale("no such model")), scenes.admission(who)]
    with pytest.raises(Retry):
        scenes.in_one_commit(till, ops)

    answers = scenes.in_one_commit(till, ops)

    assert [type(answer).__name__ for answer in answers] == ["NoneType", "Admitted"]
    assert [hold["id"] for hold in scenes.holds(who)] == [ops[1].call_id]
    assert [row["status"] for row in scenes.usage(who)] == ["refused"]


def test_two_notes_about_one_call_in_one_commit_are_both_kept(till: Till) -> None:
    """R9, R10: the generation id and, a moment later, the draft."""
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    scenes.in_one_commit(till, [Note(op.call_id, "gen-1"), Note(op.call_id, None, {"status": "completed"})])

    [hold] = scenes.holds(who)
    assert (hold["generation_id"], hold["draft"]) == ("gen-1", {"status": "completed"})
    assert hold["chase_at"] is not None


def test_admitting_the_same_call_twice_in_one_commit_places_one_hold(till: Till) -> None:
    """R12."""
    who = scenes.customer(nano=1_000, limits={"requests_per_day": 10})
    op = scenes.admission(who)

    first, second = scenes.in_one_commit(till, [op, op])

    assert (first.hold_nano, second.hold_nano) == (100, 100)
    assert scenes.money(who) == (1_000, 100)
    assert len(scenes.holds(who)) == 1
    assert scenes.problems() == []


def test_an_account_locked_by_somebody_else_delays_its_own_calls_only(
    till: Till, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R31: a lock of a stranger is no answer; the call waits its turn."""
    monkeypatch.setattr("reseller.domain.calls.connection.SETTINGS", "SET reseller.acting_for = 'operator'; SET lock_timeout = '50ms'")
    busy, free = scenes.customer(), scenes.customer()
    ops = [scenes.admission(busy), scenes.admission(free)]
    monkeypatch.setattr(till_module, "ADMIT_SECONDS", 0.5)

    with locked(database_url, busy):
        answers = scenes.all_at_once(till, ops)

    assert isinstance(answers[0], Unavailable)
    assert answers[1].hold_nano == 100
    assert till.drain(scenes.SECONDS)
    assert scenes.holds(busy) == []


def test_a_settlement_of_a_locked_account_lands_when_the_lock_is_gone(
    till: Till, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: queued, never lost."""
    monkeypatch.setattr("reseller.domain.calls.connection.SETTINGS", "SET reseller.acting_for = 'operator'; SET lock_timeout = '50ms'")
    monkeypatch.setattr(till_module, "SETTLE_SECONDS", 0.2)
    who = scenes.customer()
    op = scenes.admission(who)
    till.admit(op)

    with locked(database_url, who):
        settled = till.settle(scenes.settlement(op))
        is_owed = till.depth > 0

    assert (settled, is_owed) == (None, True)
    assert till.drain(scenes.SECONDS)
    assert scenes.money(who) == (940, 0)


def test_an_admission_that_nobody_waits_for_any_more_gives_its_hold_back(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """R11, R13: answered 503, so nothing may stay held."""
    monkeypatch.setattr(till_module, "ADMIT_SECONDS", 0.01)
    door, original = Event(), TillConnection.write_and_commit

    def slow(self: TillConnection, *parts: Any) -> None:
        door.wait(scenes.SECONDS)
        original(self, *parts)

    monkeypatch.setattr(TillConnection, "write_and_commit", slow)
    who = scenes.customer()

    with pytest.raises(Unavailable):
        till.admit(scenes.admission(who))
    door.set()

    assert till.drain(scenes.SECONDS)
    assert scenes.money(who) == (1_000, 0)
    assert scenes.balance(who)["open_calls"] == 0
    assert [(row["status"], row["charge_nano"]) for row in scenes.usage(who)] == [("failed", 0)]


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (psycopg.OperationalError("gone"), Retry),
        (psycopg.InterfaceError("closed"), Retry),
        (pg.AdminShutdown("terminating"), Retry),
        (pg.DiskFull("no space"), Retry),
        (pg.ReadOnlySqlTransaction("standby"), Retry),
        (pg.TooManyConnections("full"), Retry),
        (pg.LockNotAvailable("locked"), TryLater),
        (pg.QueryCanceled("slow"), TryLater),
        (pg.DeadlockDetected("deadlock"), TryLater),
        (pg.SerializationFailure("serialise"), TryLater),
        (pg.UniqueViolation("twice"), pg.UniqueViolation),
        (pg.CheckViolation("overspend"), pg.CheckViolation),
    ],
)
def test_errors_of_the_database_are_told_apart(database_url: str, error: Exception, means: type[Exception]) -> None:
    """R13, R14: doubt and a full disk send the whole batch again, a lock sends one later, the rest is the operation's own fault."""
    connection = TillConnection(database_url)

    with pytest.raises(means), connection.transaction():
        raise error

    connection.close()


def test_a_connection_that_was_cut_is_opened_anew(till: Till) -> None:
    """R13."""
    who = scenes.customer()
    till.admit(scenes.admission(who))

    scenes.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reseller-till' AND datname = current_database()"
    )

    assert till.admit(scenes.admission(who)).hold_nano == 100
    assert scenes.money(who) == (1_000, 200)
    assert till.stats.retries >= 1

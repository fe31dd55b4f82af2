"""A process says that it lives, notices moved prices, and is unsteady but alive without a database (R11, R22)."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from reseller import heart as heart_module
from reseller.alarms import sound
from reseller.domain.calls import processes
from reseller.heart import Heart
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock as a number that the test moves."""
    now = [1_000.0]
    monkeypatch.setattr(heart_module, "monotonic", lambda: now[0])
    return now


def stumble(*_: Any) -> None:
    raise RuntimeError("a mistake of ours")


def alarms() -> list[str]:
    return [row["alarm"] for row in scenes.rows("SELECT alarm FROM alarms")]


def beating(app: Flask, monkeypatch: pytest.MonkeyPatch, tick: Callable[[], None]) -> Heart:
    """One that has begun to beat, and has ticked like this for a while."""
    heart = Heart(app, "web")
    heart.start()
    monkeypatch.setattr(heart, "tick", tick)
    monkeypatch.setattr(heart_module, "TICK_SECONDS", 0.01)
    gevent.sleep(1.2)
    return heart


def beats() -> list[Any]:
    return scenes.rows("SELECT id, kind, beat_at FROM processes")


def test_the_first_tick_makes_the_row_and_later_ones_move_it(app: Flask, clock: list[float]) -> None:
    heart = Heart(app, "web")
    heart.tick()
    [first] = beats()
    clock[0] += processes.BEAT_SECONDS - 0.1
    heart.tick()
    [too_early] = beats()

    clock[0] += 0.2
    heart.tick()

    assert (first["id"], first["kind"]) == (wiring_of(app).process_id, "web")
    assert too_early["beat_at"] == first["beat_at"]
    assert beats()[0]["beat_at"] > first["beat_at"]


def test_beats_are_well_within_what_counts_as_silence() -> None:
    """R11: several may be lost."""
    assert processes.BEAT_SECONDS * 4 < processes.SILENT_SECONDS


def test_a_change_of_prices_is_seen_with_the_next_tick(app: Flask) -> None:
    """R7: what a command changes is live in every process within 2 s."""
    heart = Heart(app, "web")
    heart.tick()
    before = wiring_of(app).book.snapshot.version
    factories.make_rule()

    heart.tick()

    assert wiring_of(app).book.snapshot.version > before


def test_a_database_that_does_not_answer_makes_the_heart_unsteady_not_dead(
    app: Flask, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13."""
    heart = Heart(app, "web")
    clock[0] += 100
    steady = heart.steady_seconds

    def gone(process_id: Any, kind: str, **_: Any) -> None:
        raise OperationalError("beat", {}, Exception("gone"))

    monkeypatch.setattr(processes, "beat", gone)
    heart.tick()
    unsteady = heart.steady_seconds
    monkeypatch.undo()
    heart.tick()

    assert (steady, unsteady) == (100, 0)
    assert len(beats()) == 1


def test_a_surprise_in_one_part_keeps_no_other_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = Heart(app, "web")
    heart.tick()
    before, steady = wiring_of(app).book.snapshot.version, heart.steady_seconds
    factories.make_rule()
    sound("ledger_mismatch", "somebody", "does not add up")

    with monkeypatch.context() as broken:
        broken.setattr(wiring_of(app).book, "refresh_if_moved", stumble)
        broken.setattr(heart_module, "keep", stumble)
        heart.tick()
    unmoved, unkept, noted = wiring_of(app).book.snapshot.version, alarms(), heart.steady_seconds
    heart.tick()

    assert (unmoved, unkept) == (before, [])
    assert noted >= steady, "the database answered"
    assert wiring_of(app).book.snapshot.version > before
    assert alarms() == ["ledger_mismatch"]


def test_the_heart_beats_on_after_a_surprise(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without beats, others would end the calls of a process that lives."""
    turns: list[str] = []

    def tick() -> None:
        turns.append("turn")
        stumble()

    monkeypatch.setattr(heart_module, "sample", stumble)
    heart = beating(app, monkeypatch, tick)
    monkeypatch.undo()
    heart.stop()

    assert len(turns) > 3
    assert beats() == []


def test_a_process_that_ends_in_order_takes_its_row_away(app: Flask) -> None:
    heart = Heart(app, "web")
    heart.start()

    heart.stop()

    assert beats() == []


def test_a_surprise_at_the_end_keeps_no_row(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = Heart(app, "web")
    heart.start()
    monkeypatch.setattr(heart_module, "keep", stumble)
    sound("ledger_mismatch", "somebody", "does not add up")

    heart.stop()

    assert beats() == []


def test_a_process_that_owes_the_end_of_a_call_leaves_its_row(app: Flask) -> None:
    """R11: so that the hold is found."""
    heart = Heart(app, "web")
    heart.start()
    wiring_of(app).till.admit(scenes.admission(scenes.customer(), process_id=wiring_of(app).process_id))

    heart.stop()

    assert len(beats()) == 1


def test_a_beat_in_hand_is_waited_for_when_the_process_ends(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heart killed inside a query would leave its connection in the middle of an answer, and the process hanging."""
    beats: list[str] = []

    def slow_tick() -> None:
        beats.append("begun")
        gevent.sleep(0.3)
        beats.append("done")

    beating(app, monkeypatch, slow_tick).stop()

    assert beats
    assert beats[-1] == "done"

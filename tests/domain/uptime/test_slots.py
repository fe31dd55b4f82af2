"""Slots: what processes noted adds up, in whatever order they hand it over, and waits while there is no database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from reseller import heart, tally
from reseller.clock import now
from reseller.domain import uptime
from reseller.domain.usage.histogram import BUCKETS, bucket_of
from reseller.heart import Heart
from reseller.tally import Noted, Part, slot_of
from tests.domain import scenes


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    """Whatever earlier tests of this process noted is forgotten."""
    tally.take()
    yield
    tally.take()


def slots() -> list[tuple[str, int, int, int]]:
    return [
        (row["part"], row["good"], row["bad"], sum(row["took_ms"]))
        for row in scenes.rows("SELECT part, good, bad, took_ms FROM service_slots ORDER BY part, starts_at")
    ]


def test_what_two_processes_noted_adds_up(app: Flask) -> None:
    at = slot_of(now())

    uptime.add({(Part.API, at): Noted(2, 1, [3.0]), (Part.WEBSITE, at): Noted(1, 0, [80.0])})
    uptime.add({(Part.WEBSITE, at): Noted(4, 2, [80.0, 5.0])})

    assert slots() == [("api", 2, 1, 1), ("website", 5, 2, 3)]
    took = scenes.rows("SELECT took_ms FROM service_slots WHERE part = 'website'")[0]["took_ms"]
    assert len(took) == BUCKETS
    assert (took[bucket_of(80.0)], took[bucket_of(5.0)]) == (2, 1)


def test_a_heart_hands_over_what_its_process_noted(app: Flask) -> None:
    tally.note(Part.PAYMENTS, is_good=True, milliseconds=12)
    tally.note(Part.PAYMENTS, is_good=False)

    Heart(app, "web").tick()

    assert slots() == [("payments", 1, 1, 1)]


def test_what_could_not_be_kept_is_kept_later(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is down is when it matters most."""

    def down(noted: object) -> None:
        raise OperationalError("INSERT", {}, Exception("down"))

    tally.note(Part.API, is_good=False)
    beating = Heart(app, "web")
    with monkeypatch.context() as patched:
        patched.setattr(heart.uptime, "add", down)
        beating.tick()
    assert slots() == []
    tally.note(Part.API, is_good=False)

    beating.tick()

    assert slots() == [("api", 0, 2, 0)]


def test_a_process_without_database_for_a_week_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_SLOTS", 3)
    first = slot_of(now())

    tally.give_back({(Part.API, first + number * tally.SLOT): Noted(bad=1) for number in range(5)})

    assert [starts_at for _, starts_at in tally.take()] == [first + number * tally.SLOT for number in (2, 3, 4)]


def test_slots_that_no_page_shows_are_gone(app: Flask) -> None:
    uptime.add({(Part.API, slot_of(now())): Noted(1), (Part.API, slot_of(now() - timedelta(days=120))): Noted(1)})

    assert uptime.forget_old() == 1
    assert len(slots()) == 1

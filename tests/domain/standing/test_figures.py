"""Figures of accounts that are watched: as exact as the page, counted anew when something moved, a few at a time."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from reseller.domain.standing import Changes, figures, figures_of, spend_by_day
from reseller.domain.usage import rollup
from reseller.wiring import wiring_of
from tests.domain import scenes

UTC = "UTC"


def call(app: Flask, who: scenes.Customer, charge: int) -> None:
    op = scenes.admission(who)
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op, charge=charge))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Whose days were counted."""
    seen: list[UUID] = []
    real = figures.today_of

    def today_of(account_id: UUID, zone: ZoneInfo) -> Any:
        seen.append(account_id)
        return real(account_id, zone)

    monkeypatch.setattr(figures, "today_of", today_of)
    return seen


def test_a_look_says_what_the_page_says(app: Flask) -> None:
    who, changes = scenes.customer(nano=10_000), Changes()
    topic = (who.account_id, "Asia/Kolkata")
    call(app, who, 70)
    before = changes.look([topic])[topic]
    call(app, who, 30)
    rollup.run()

    after = changes.look([topic])[topic]

    assert (before.balance.settled_nano, after.balance.settled_nano) == (9_930, 9_900)
    assert after == figures_of(who.account_id, ZoneInfo("Asia/Kolkata"))


def test_days_are_counted_only_where_something_moved(app: Flask, counted: list[UUID]) -> None:
    busy, idle, changes = scenes.customer(nano=10_000), scenes.customer(nano=10_000), Changes()
    topics = [(busy.account_id, UTC), (idle.account_id, UTC)]
    changes.look(topics)
    counted.clear()

    changes.look(topics)
    nothing_moved = list(counted)
    call(app, busy, 70)
    found = changes.look(topics)

    assert nothing_moved == []
    assert counted == [busy.account_id]
    assert found[topics[0]].today.calls == 1


def test_a_day_is_counted_again_after_a_while(app: Flask, counted: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """Midnight moves nothing."""
    who, changes = scenes.customer(), Changes()
    changes.look([(who.account_id, UTC)])
    monkeypatch.setattr(figures, "COUNTED_FOR_SECONDS", 0.0)

    changes.look([(who.account_id, UTC)])

    assert counted == [who.account_id] * 2


def test_no_look_counts_more_than_a_few_and_all_have_their_turn(app: Flask, counted: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """R31."""
    monkeypatch.setattr(figures, "MOST_COUNTED", 2)
    topics = [(scenes.customer().account_id, UTC) for _ in range(5)]
    changes = Changes()

    found = [len(changes.look(topics)) for _ in range(3)]

    assert found == [2, 4, 5]
    assert sorted(counted) == sorted(account_id for account_id, _ in topics)


def test_what_is_not_watched_any_more_is_forgotten(app: Flask, counted: list[UUID]) -> None:
    who, changes = scenes.customer(), Changes()
    topic = (who.account_id, UTC)
    changes.look([topic])
    changes.look([])

    changes.look([topic, (UUID(int=1), UTC)])

    assert counted == [who.account_id] * 2


def test_spend_by_day_adds_up_and_ends_today(app: Flask) -> None:
    who = scenes.customer(nano=10_000)
    call(app, who, 70)
    call(app, who, 30)

    days = spend_by_day(who.account_id, ZoneInfo("America/New_York"), days=14)

    assert len(days) == 14
    assert [day.charge_nano for day in days] == [0] * 13 + [100]
    assert [day.share_percent for day in days[-2:]] == [0, 100]

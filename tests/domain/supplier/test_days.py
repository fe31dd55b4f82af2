"""Days are compared when they are over, again when nothing moves any more, and what differs waits for somebody, once (R20)."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import acting_as_operator
from reseller.domain import supplier
from reseller.domain.supplier import Told, days, items
from reseller.domain.supplier.booked import suspects_of
from reseller.domain.usage import rollup
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.wiring import wiring_of
from tests.domain import scenes
from tests.domain.usage.calls import row, write

pytestmark = pytest.mark.usefixtures("app")
UPSTREAM = "openrouter"
DAY = now().date() - timedelta(days=4)
ACCOUNT = new_id()
NOON = datetime.combine(DAY, time(12), UTC)


def told(usd: str, model: str = "acme/one") -> Told:
    return Told(model, (model,), 1, 7, 3, 0, Decimal(usd))


def call(usd: str | None, at: datetime = NOON, **changes: Any) -> dict[str, Any]:
    return row(at, ACCOUNT, cost_usd=usd, **changes)


def look(*rows: Told, day: date = DAY) -> supplier.Compared:
    return supplier.record(UPSTREAM, day, rows, is_of_key=True)


def test_a_day_that_agrees_opens_nothing_and_is_kept_on_both_sides() -> None:
    write([call("1.25"), call("0.75", model="acme/two")])

    found = look(told("1.25"), told("0.75", "acme/two"))

    assert (found.told_usd, found.booked_usd, found.drift_usd, found.is_open) == (2, 2, 0, False)
    assert supplier.open_items() == []
    kept = supplier.models_of(UPSTREAM, DAY, DAY)
    assert [(each.model, each.told_usd, each.booked_usd, each.booked_calls, each.booked_prompt_tokens) for each in kept] == [
        ("acme/one", Decimal("1.25"), Decimal("1.25"), 1, 7),
        ("acme/two", Decimal("0.75"), Decimal("0.75"), 1, 7),
    ]


def test_only_what_that_upstream_bills_is_on_our_side() -> None:
    """Test keys, the sandbox, other upstreams, refusals and other days are none of it; what the operator bears is."""
    write(
        [
            call("1"), call("2", charge_nano=0, overage_loss_nano=5), call("9", is_test=True), call("9", upstream="sandbox"),
            call("9", upstream="another"), call(None, status="refused"), call("9", NOON + timedelta(days=1)),
            call("9", NOON - timedelta(days=1)),
        ]
    )  # fmt: skip

    assert look(told("3")).booked_usd == 3


def test_a_difference_waits_for_somebody_with_the_calls_that_may_be_behind_it(logged: list[Any]) -> None:
    write(
        [
            call("1"), call(None, status="voided", hold_nano=300), call(None, status="failed"), call("0.1", cost_source="estimate"),
            call("0.1", cost_source="price_snapshot"), call("0.1", flag="usage_invalid"), call("0.5", model="acme/ours"),
        ]
    )  # fmt: skip
    look(told("2.3"), told("0.4", "acme/theirs"))

    [item] = supplier.open_items()

    found = suspects_of(item.suspects)
    assert found.counts == {"voided": 1, "missing": 1, "estimated": 1, "by_price": 1, "marked": 1}
    assert (found.told_only, found.booked_only) == (["acme/theirs"], ["acme/ours"])
    assert found.calls[0].why == "voided"  # those that were held for most come first
    assert (item.told_usd, item.booked_usd, item.drift_usd) == (Decimal("2.7"), Decimal("1.8"), Decimal("0.9"))
    assert [event["alarm"] for event in logged if event["event"] == "alarm"] == ["supplier_drift"]


def test_an_open_hold_of_the_day_is_a_suspect(app: Flask) -> None:
    who = scenes.customer(nano=10**9)
    wiring_of(app).till.admit(scenes.admission(who))
    scenes.execute("UPDATE holds SET created_at = :at", at=NOON)

    look(told("1"))

    assert suspects_of(supplier.open_items()[0].suspects).counts == {"pending": 1}


def test_looking_again_neither_alarms_nor_opens_twice(logged: list[Any]) -> None:
    write([call("1")])

    for _ in range(3):
        look(told("2"))

    assert len(supplier.open_items()) == 1
    assert [event["event"] for event in logged].count("alarm") == 1


def test_one_model_too_dear_and_another_too_cheap_is_no_agreement() -> None:
    write([call("1"), call("1", model="acme/two")])

    assert look(told("1.5"), told("0.5", "acme/two")).is_open


def test_what_agrees_in_the_end_resolves_itself() -> None:
    write([call("1")])
    look(told("1.5"))
    late = call("0.5", settled_at=now())

    write([late])
    look(told("1.5"))

    item = supplier.item_of(UPSTREAM, DAY)
    assert item is not None
    assert (item.resolved_by, supplier.open_items()) == ("system:supplier", [])
    [audited] = scenes.rows("SELECT actor, reason FROM staff_actions WHERE action = 'supplier.resolve'")
    assert audited == {"actor": "system:supplier", "reason": "The two sides agree now."}


def test_a_person_resolves_with_words_and_it_stays_so_until_the_difference_moves(logged: list[Any]) -> None:
    """R37."""
    write([call("1")])
    look(told("2"))
    [item] = supplier.open_items()

    with pytest.raises(InvalidRequest):
        supplier.resolve(item.id, actor="user:me", resolution=" ")
    supplier.resolve(item.id, actor="user:me", resolution="A colleague tried something with the same key.")
    with pytest.raises(Conflict):
        supplier.resolve(item.id, actor="user:me", resolution="again")
    with pytest.raises(NotFound):
        supplier.resolve(new_id(), actor="user:me", resolution="which?")
    look(told("2.005"))
    stays = supplier.open_items()
    look(told("3"))

    assert stays == []
    assert [each.drift_usd for each in supplier.open_items()] == [2]
    assert [event["event"] for event in logged].count("alarm") == 2
    [audited] = scenes.rows("SELECT actor, reason, subject_id FROM staff_actions WHERE action = 'supplier.resolve'")
    assert audited == {"actor": "user:me", "reason": "A colleague tried something with the same key.", "subject_id": str(item.id)}


def test_a_call_across_midnight_is_no_difference_on_either_day() -> None:
    """It begins on the day before with us, and may count there on the day it ended."""
    midnight = datetime.combine(DAY, time(), UTC)
    write([call("5", midnight - timedelta(minutes=2), settled_at=midnight + timedelta(minutes=1)), call("1")])

    on_both = [look(told("6")), look(told("1"))]
    before = [look(told("5"), day=DAY - timedelta(days=1)), look(told("0.001"), day=DAY - timedelta(days=1))]

    assert [each.drift_usd for each in on_both] == [0, 0]
    assert not any(each.is_open for each in on_both + before)


def test_a_day_of_which_nothing_is_told_yet_is_not_a_day_without_a_bill() -> None:
    yesterday = now().date() - timedelta(days=1)
    write([call("1"), call("1", datetime.combine(yesterday, time(12), UTC))])

    assert not look(day=yesterday).is_open
    assert look(day=DAY).is_open


def test_days_are_due_twice_and_those_that_were_missed_are_made_up_for() -> None:
    today = datetime.combine(now().date(), time(), UTC)
    write([call("1", today - timedelta(days=10, hours=-12))])
    rollup.run()

    def due(at: datetime) -> list[int]:
        with patch.object(days, "now", return_value=at):
            return [(today.date() - day).days for day in supplier.due(UPSTREAM, listed_days=30)]

    before = due(today + timedelta(hours=5))
    for ago in range(10, 0, -1):
        with patch.object(days, "now", return_value=today + timedelta(hours=7)):
            look(told("1"), day=today.date() - timedelta(days=ago))
    after = [due(today + timedelta(hours=hours)) for hours in (7, 23, 25, 31, 49, 55)]

    assert before == [10, 9, 8, 7, 6, 5, 4, 3, 2]  # the day that ended five hours ago is not
    assert after[:2] == [[], []]
    assert after[2:] == [[2], [2, 0], [2, 1, 0], [2, 1, 0, -1]]


def test_no_day_before_the_first_call_or_the_oldest_kept_month_is_asked_for() -> None:
    never = supplier.due(UPSTREAM, listed_days=30)
    write([call("1")])
    rollup.run()

    assert never == []
    assert min(supplier.due(UPSTREAM, listed_days=30)) == DAY
    assert min(supplier.due(UPSTREAM, listed_days=3)) == now().date() - timedelta(days=3)
    assert min(supplier.due(UPSTREAM, listed_days=30, kept_since=DAY + timedelta(days=1))) == DAY + timedelta(days=1)


def test_two_workers_at_once_open_one_item(logged: list[Any], app: Flask) -> None:
    write([call("1")])

    def work() -> Any:
        with app.app_context(), acting_as_operator():
            return look(told("2")).is_open

    assert scenes.in_threads(4, work) == [True] * 4
    assert len(scenes.rows("SELECT id FROM supplier_items")) == 1
    assert [event["event"] for event in logged].count("alarm") == 1


def test_who_dies_in_between_has_done_nothing_and_the_next_does_it() -> None:
    """As `kill -9` would: everything about a day is one transaction."""
    write([call("1")])

    with patch.object(items, "keep_open", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        look(told("2"))
    left = [scenes.rows(f"SELECT 1 FROM {table}") for table in ("supplier_models", "supplier_days", "supplier_items")]

    assert left == [[], [], []]
    assert look(told("2")).is_open

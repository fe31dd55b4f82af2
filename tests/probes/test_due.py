"""What is due and has not happened: the cause is made in the database, the effect read as the alert that Prometheus would raise."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.alarms import Sighting
from reseller.clock import new_id, now
from reseller.domain import accounts, alarms, clock_alarms, letters
from reseller.domain.alarms import Ears
from reseller.domain.calls import processes
from reseller.domain.letters import LetterKind
from reseller.domain.usage import partitions
from reseller.wiring import wiring_of
from reseller.worker import loop
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.probes.reading import Exposition
from tests.probes.test_observe import alerts

TRIES = ("delivered", "refused", "unanswered")


def fired(app: Flask, alert: str) -> list[dict[str, str]]:
    """The series for which the rule of config/observe is true now."""
    return told(app).fires(alerts()[alert])


def told(app: Flask) -> Exposition:
    return Exposition.of(app.test_client().get("/metrics").get_data(as_text=True))


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are read anew each time."""
    monkeypatch.setattr("reseller.probes.shop_figures.KEPT_SECONDS", -1.0)


def later(**columns: str) -> None:
    """Every job ran an hour earlier than it did."""
    for column, interval in columns.items():
        scenes.execute(f"UPDATE job_runs SET {column} = {column} - interval '{interval}'")


def test_a_job_that_nobody_runs_any_more_is_overdue(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "JOBS", (loop.Job("tidy", 60, lambda context: "done"),))
    loop.run_once(app)
    assert fired(app, "ResellerJobOverdue") == []

    later(started_at="1 hour", finished_at="1 hour", succeeded_at="1 hour")

    assert fired(app, "ResellerJobOverdue") == [{"job": "tidy"}]


def test_a_job_that_fails_is_told_and_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: Any) -> str:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(loop, "JOBS", (loop.Job("tidy", 60, broken),))
    loop.run_once(app)

    assert fired(app, "ResellerJobFailing") == [{"job": "tidy"}]
    assert [row["failures"] for row in scenes.rows("SELECT failures FROM job_runs WHERE name = 'tidy'")] == [1]


def test_no_worker_at_all_is_told(app: Flask) -> None:
    assert fired(app, "ResellerNoWorker") == [{"kind": "worker", "state": "alive"}]

    processes.beat(new_id(), "worker")

    assert fired(app, "ResellerNoWorker") == []


def test_letters_that_wait_for_long_are_overdue(app: Flask) -> None:
    letters.write(LetterKind.PASSWORD_CHANGED, "ann@example.com")
    assert fired(app, "ResellerQueueOverdue") == []

    scenes.execute("UPDATE letters SET next_try_at = now() - interval '1 hour'")

    assert fired(app, "ResellerQueueOverdue") == [{"queue": "letters"}]


def test_an_event_that_nobody_hands_on_is_overdue(app: Flask) -> None:
    hooking.happen(factories.make_person())
    assert fired(app, "ResellerQueueOverdue") == []

    scenes.execute("UPDATE outbox SET created_at = now() - interval '1 hour'")

    assert fired(app, "ResellerQueueOverdue") == [{"queue": "events"}]


def test_a_webhook_that_nobody_sends_is_overdue_and_one_that_is_tried_later_is_not(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 3)
    assert fired(app, "ResellerQueueOverdue") == []

    hooking.let_pass(timedelta(minutes=30))
    assert fired(app, "ResellerQueueOverdue") == [{"queue": "webhooks"}]
    assert told(app).value("reseller_queue_length", queue="webhooks") == 3

    [claimed] = hooking.claim()
    hooking.ended(claimed, 500)
    assert fired(app, "ResellerQueueOverdue") == []
    assert told(app).value("reseller_webhook_endpoints", state="failing") == 1


def test_tries_of_webhooks_are_told_by_what_came_of_them_for_five_minutes(app: Flask) -> None:
    for status in (204, 500, None):
        person = factories.make_person()
        hooking.add(person)
        hooking.tell(person)
        [claimed] = hooking.claim()
        hooking.ended(claimed, status)
    assert {each: told(app).value("reseller_webhook_tries", outcome=each) for each in TRIES} == dict.fromkeys(TRIES, 1)

    for row in scenes.rows("SELECT id FROM webhook_attempts"):
        scenes.execute("UPDATE webhook_attempts SET id = :old WHERE id = :id", id=row["id"], old=new_id(now() - timedelta(minutes=6)))

    assert {each: told(app).value("reseller_webhook_tries", outcome=each) for each in TRIES} == dict.fromkeys(TRIES, 0)


def test_a_message_about_an_alarm_that_waits_for_long_is_overdue(app: Flask) -> None:
    alarms.keep([Sighting("backup_stale", "", "", 1, now(), now())])
    alarms.tell(Ears((), has_webhook=True))
    assert fired(app, "ResellerQueueOverdue") == []

    scenes.execute("UPDATE alarm_messages SET next_try_at = now() - interval '1 hour'")
    assert fired(app, "ResellerQueueOverdue") == [{"queue": "alarm_messages"}]

    scenes.execute("UPDATE alarm_messages SET created_at = now() - interval '25 hours'")
    assert fired(app, "ResellerQueueOverdue") == [], "after a day it is given up, or nobody listens there any more"


def test_the_hold_of_a_process_that_is_gone_is_lost(app: Flask) -> None:
    who = scenes.customer()
    wiring_of(app).till.admit(scenes.admission(who))

    assert fired(app, "ResellerLostHolds") == [{}]


def test_a_halted_account_is_told(app: Flask) -> None:
    accounts.halt(factories.make_person().account_id, reason="for a test")

    assert fired(app, "ResellerBooksDoNotAddUp") == [{}]


def test_months_that_are_not_made_are_told(app: Flask) -> None:
    assert fired(app, "ResellerNoRoomForUsage") == []

    for month in sorted(partitions.existing())[1:]:
        scenes.execute(f"DROP TABLE {month}")

    assert fired(app, "ResellerNoRoomForUsage") == [{}]


def test_alarms_of_the_clock_add_up(app: Flask) -> None:
    clock_alarms.add({"job_failed": 2, "ledger_mismatch": 1})
    clock_alarms.add({"job_failed": 1})

    assert clock_alarms.totals() == {"job_failed": 3, "ledger_mismatch": 1}
    assert told(app).value("reseller_alarms_total", alarm="job_failed", process="worker") == 3

"""Alarms in pages: what lasts stands first with what to do, somebody looks after it by name, and what was is a list (R24, R37)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller import alarms as sounded
from reseller.domain import alarms
from reseller.domain.accounts import Role
from reseller.domain.calls import processes
from reseller.wiring import wiring_of
from tests.backoffice.operations.desk import audited, exported, page
from tests.domain import scenes
from tests.staff import client_of


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    sounded.take()
    return client_of(app, Role.SUPPORT)


def wrong() -> str:
    """Something of an upstream is wrong; its id."""
    sounded.sound("upstream_key_refused", "openrouter", "it answers 401")
    alarms.keep(sounded.take())
    return str(alarms.open_alarms()[0].id)


def test_a_quiet_shop_says_so_and_that_nobody_would_be_told(client: FlaskClient) -> None:
    text = page(client, "/admin/alarms/")

    assert "Nothing is wrong" in text
    assert "OPERATOR_ALERT_EMAILS" in text
    assert "Nothing has gone wrong so far." in text
    assert "No worker runs" in text


def test_with_a_worker_the_page_does_not_ask_for_one(app: Flask, client: FlaskClient) -> None:
    processes.beat(wiring_of(app).process_id, "worker")

    assert "No worker runs" not in page(client, "/admin/alarms/")


def test_what_is_wrong_stands_with_its_meaning_and_a_way_there_and_on_the_first_page(client: FlaskClient) -> None:
    wrong()

    text, home = page(client, "/admin/alarms/"), page(client, "/admin/")

    assert "Upstream refuses our key: openrouter" in text
    assert "it answers 401" in text
    assert "Put a valid key into the environment" in text
    assert 'href="/admin/upstreams/"' in text
    assert 'href="/admin/alarms/"' in home
    assert "that nobody looks after" in home


def test_who_looks_after_it_is_named_and_audited_once(client: FlaskClient) -> None:
    alarm_id = wrong()

    first = client.post(f"/admin/alarms/{alarm_id}/acknowledge/", data={"reason": "calling them"})
    second = client.post(f"/admin/alarms/{alarm_id}/acknowledge/", data={"reason": "me too"})

    assert (first.status_code, second.status_code) == (302, 409)
    assert "calling them" in page(client, "/admin/alarms/")
    assert [(row["reason"], row["subject_id"]) for row in audited("alarm.acknowledge")] == [("calling them", alarm_id)]
    assert alarms.unacknowledged() == 0


def test_without_words_nobody_looks_after_it(client: FlaskClient) -> None:
    alarm_id = wrong()

    answer = client.post(f"/admin/alarms/{alarm_id}/acknowledge/", data={"reason": " "})

    assert answer.status_code == 400
    assert alarms.unacknowledged() == 1


def test_what_happened_can_be_ended_by_hand_and_seen_again_is_a_new_one(client: FlaskClient) -> None:
    alarm_id = wrong()

    client.post(f"/admin/alarms/{alarm_id}/end/", data={"reason": "new key is in"})
    again = wrong()

    assert again != alarm_id
    [row] = exported(client, "alarms")
    assert (row["What"], row["About"], row["Note"]) == ("upstream_key_refused", "openrouter", "new key is in")
    assert len(audited("alarm.end")) == 1


def test_a_condition_is_not_ended_by_words(client: FlaskClient) -> None:
    alarms.hold("job_failing", {"post usage": "it broke"})
    alarm_id = alarms.open_alarms()[0].id

    answer = client.post(f"/admin/alarms/{alarm_id}/end/", data={"reason": "go away"})

    assert answer.status_code == 409
    assert alarms.unacknowledged() == 1


def test_what_was_is_listed_with_how_it_ended(client: FlaskClient) -> None:
    alarms.hold("job_failing", {"post usage": "it broke"})
    alarms.hold("job_failing", {})

    text = page(client, "/admin/alarms/?alarm=job_failing")

    assert "A job of the worker fails" in text
    assert "itself" in text
    assert "post usage" not in page(client, "/admin/alarms/?alarm=request_failed").partition("Past alarms")[2]
    assert scenes.rows("SELECT cleared_by FROM alarms") == [{"cleared_by": "system:clock"}]

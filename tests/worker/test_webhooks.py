"""The worker's rounds, to a receiver that answers on this machine: signed, logged, tried again, and cleaned up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from standardwebhooks.webhooks import Webhook

from reseller import alarms
from reseller.clock import now
from reseller.domain import keys, webhooks
from reseller.domain.identity.sealing import Seal
from reseller.worker import webhooks as jobs
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.fakes.receiver import Receiver


@pytest.fixture
def context(sending: Context) -> Context:
    return sending


def test_what_happens_to_a_key_reaches_its_owners_program_signed(context: Context, receiver: Receiver) -> None:
    """R33: from the verb to the other side, read with the library that receivers use."""
    person = factories.make_person()
    secret, _ = hooking.add(person, url=receiver.url())
    _, key = factories.mint_key(person, name="production")
    keys.revoke(str(key.id), actor="test")

    said = jobs.send_webhooks(context)

    messages = [Webhook(secret).verify(message.body, message.headers) for message in receiver.at("/ok")]
    assert [message["type"] for message in messages] == ["key.created", "key.revoked"]
    assert {message["data"]["key_id"] for message in messages} == {str(key.id)}
    assert said == "2 events, 2 deliveries begun"
    assert jobs.send_webhooks(context) == "none waiting"


@pytest.mark.parametrize("how", [500, 302, "redirect", "no_http"])
def test_what_is_not_taken_is_tried_again_under_the_same_id(context: Context, receiver: Receiver, how: Any) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    receiver.behave("/ok", how)
    hooking.happen(person)

    jobs.send_webhooks(context)
    receiver.behave("/ok", 200)
    hooking.let_pass(timedelta(minutes=1))
    jobs.send_webhooks(context)

    first, second = receiver.at("/ok")
    assert first.id == second.id
    assert first.body == second.body
    assert receiver.at("/elsewhere") == []
    assert [row["state"] for row in hooking.deliveries()] == ["delivered"]


def test_410_ends_it(context: Context, receiver: Receiver, logged: list[Any]) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    receiver.behave("/ok", 410)
    hooking.tell(person, 2)

    jobs.send_webhooks(context)

    assert len(receiver.messages) == 1
    assert [event["because"] for event in logged if event["event"] == "webhook_endpoint_off"] == ["gone"]


def test_the_log_keeps_two_kilobytes_of_what_was_said(context: Context, receiver: Receiver) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    receiver.behave("/ok", "huge_body")
    hooking.happen(person)

    jobs.send_webhooks(context)

    [attempt] = scenes.rows("SELECT * FROM webhook_attempts")
    assert (attempt["status"], attempt["answer"], attempt["number"]) == (200, "z" * 2_048, 1)
    assert attempt["request_headers"]["webhook-id"] == receiver.messages[0].id


@pytest.mark.parametrize("how", ["bomb", "odd_head"])
def test_bytes_that_no_text_may_hold_do_not_stop_the_log(context: Context, receiver: Receiver, how: str) -> None:
    """Guard: an outcome that cannot be written down is none, and the same message would be sent every half minute for ever."""
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    receiver.behave("/ok", how)
    hooking.happen(person)

    jobs.send_webhooks(context)

    assert [row["state"] for row in hooking.deliveries()] == ["delivered"]


def test_a_secret_that_cannot_be_read_is_said_and_nothing_is_sent(context: Context, receiver: Receiver) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url(), seal=Seal("of another deployment, forty characters", webhooks.SEALED_FOR))
    hooking.happen(person)

    jobs.send_webhooks(context)

    assert receiver.messages == []
    assert [row["last_error"] for row in hooking.deliveries()] == [jobs.NO_SECRET]


def test_a_mistake_of_ours_is_an_alarm_and_the_delivery_is_tried_again(
    context: Context, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    hooking.happen(person)
    alarms.take()

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "send", lambda *_: 1 // 0)
        jobs.send_webhooks(context)
    hooking.let_pass(webhooks.LEASE)
    jobs.send_webhooks(context)

    assert [(each.alarm, each.words) for each in alarms.take()] == [("errand_failed", "ZeroDivisionError")]
    assert [row["state"] for row in hooking.deliveries()] == ["delivered"]


def test_a_host_that_is_not_public_hears_nothing_in_production(context: Context, receiver: Receiver) -> None:
    """The address was allowed when it was added; where we connect counts."""
    settings = context.wiring.settings.model_copy(update={"webhooks_allow_loopback": False})
    strict = replace(context, wiring=replace(context.wiring, settings=settings))
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    hooking.happen(person)

    jobs.send_webhooks(strict)

    assert receiver.messages == []
    assert [row["last_error"] for row in hooking.deliveries()] == ["the address is not https"]


def test_old_events_and_deliveries_are_forgotten(context: Context, receiver: Receiver) -> None:
    person = factories.make_person()
    hooking.add(person, url=receiver.url())
    hooking.happen(person)
    jobs.send_webhooks(context)
    young = jobs.forget_deliveries(context)

    with time_machine.travel(now() + timedelta(days=context.wiring.settings.webhooks_kept_days, minutes=1), tick=True):
        old = jobs.forget_deliveries(context)

    assert (young, old) == ("0 events", "1 events")
    assert hooking.deliveries() == []

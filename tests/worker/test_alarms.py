"""Alarms from their cause to whoever runs the shop: one row, one letter, one signed message; and again when it is over."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from standardwebhooks.webhooks import Webhook

from config import SettingsRefused
from reseller import alarms as sounded
from reseller import heart
from reseller.clock import new_id
from reseller.domain import alarms, jobs, letters, pricing
from reseller.domain.alarms import Ears
from reseller.domain.letters import LetterKind
from reseller.domain.payments import suspense
from reseller.domain.payments.suspense import Aside, Why
from reseller.domain.usage import rollup
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import alarms as job
from reseller.worker import letters as letter_jobs
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.domain.pricing.samples import make_entry
from tests.fakes.receiver import Receiver
from tests.fakes.smtp import MailServer
from tests.servers import free_port

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of test secrets").decode()
HEARD_AT = "/alarms"
BOTH = Ears(("ops@acme.example", "night@acme.example"), has_webhook=True)


@pytest.fixture
def post() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def context(app: Flask, make_app: Callable[..., Flask], post: MailServer, receiver: Receiver) -> Context:
    """A worker of a deployment that has told whom to tell."""
    environ = {
        "MAIL_URL": post.url, "MAIL_FROM": "post@acme.example", "PUBLIC_URL": "https://shop.example", "SECRET_KEY": "s" * 40,
        "BRAND_NAME": "Acme", "OPERATOR_ALERT_EMAILS": "ops@acme.example, night@acme.example",
        "OPERATOR_ALERT_WEBHOOK": receiver.url(HEARD_AT), "OPERATOR_ALERT_WEBHOOK_SECRET": SECRET,
    }  # fmt: skip
    settings = wiring_of(make_app(**environ)).settings
    sounded.take()
    return Context(replace(wiring_of(app), settings=settings), Heart(app, "worker"), is_once=True)


def open_rows() -> list[tuple[str, str]]:
    return sorted((row.alarm, row.subject) for row in alarms.open_alarms())


def told() -> list[dict[str, Any]]:
    return scenes.rows("SELECT kind, recipient, facts FROM letters ORDER BY id")


def age(seconds: int) -> None:
    """The alarms so far were seen, and told of, so long ago."""
    scenes.execute(
        "UPDATE alarms SET first_seen_at = first_seen_at - make_interval(secs => :s),"
        " last_seen_at = last_seen_at - make_interval(secs => :s), told_at = told_at - make_interval(secs => :s)",
        s=seconds,
    )


def test_an_alarm_reaches_mailboxes_and_webhook_once_and_so_does_its_end(context: Context, post: MailServer, receiver: Receiver) -> None:
    sounded.sound("upstream_key_refused", "openrouter", "it answers 401")
    for _ in range(3):
        job.tell(context)
        letter_jobs.send_letters(context)

    age(2 * 3600)
    job.watch(context)
    job.tell(context)
    letter_jobs.send_letters(context)

    assert sorted((str(letter["To"]), str(letter["Subject"])) for letter in post.letters) == sorted(
        (to, subject)
        for to in ("ops@acme.example", "night@acme.example")
        for subject in ("Alarm: Urgent: Upstream refuses our key (openrouter)", "Over: Upstream refuses our key (openrouter)")
    )
    words = post.letters[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "it answers 401" in words
    assert "https://shop.example/admin/alarms/" in words
    bodies = [json.loads(message.body) for message in receiver.at(HEARD_AT)]
    assert [(body["type"], body["data"]["alarm"]) for body in bodies] == [
        ("alarm.raised", "upstream_key_refused"),
        ("alarm.cleared", "upstream_key_refused"),
    ]
    assert open_rows() == []


def test_messages_are_signed_as_the_standard_says(context: Context, receiver: Receiver) -> None:
    sounded.sound("request_failed", "api", "it broke")

    job.tell(context)

    [message] = receiver.at(HEARD_AT)
    assert Webhook(SECRET).verify(message.body, message.headers)["data"]["alarm"] == "request_failed"
    assert message.headers["content-type"] == "application/json"


def test_a_receiver_that_fails_hears_the_same_message_again_and_nothing_is_lost(context: Context, receiver: Receiver) -> None:
    receiver.behave(HEARD_AT, [500, 204])
    sounded.sound("request_failed", "api", "it broke")
    job.tell(context)

    scenes.execute("UPDATE alarm_messages SET next_try_at = now()")
    job.tell(context)

    ids = [message.id for message in receiver.at(HEARD_AT) if b"request_failed" in message.body]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert ("alarm_webhook_failing", "") in open_rows()


def test_a_receiver_that_redirects_is_not_followed(context: Context, receiver: Receiver) -> None:
    receiver.behave(HEARD_AT, "redirect")
    sounded.sound("request_failed", "api", "it broke")

    job.tell(context)

    assert receiver.at("/elsewhere") == []
    assert "302" in str(alarms.webhook_trouble())


def test_the_job_goes_on_when_nobody_listens(context: Context) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    wiring = context.wiring
    deaf = replace(context, wiring=replace(wiring, settings=wiring.settings.model_copy(update={"operator_alert_webhook": nobody})))
    sounded.sound("request_failed", "api", "it broke")

    assert "tried again later" in job.tell(deaf)
    assert len(told()) == 2


def test_a_flapping_alarm_is_told_of_once_in_the_cool_down(context: Context) -> None:
    for _ in range(4):
        alarms.hold("job_failing", {"post usage": "it broke"})
        alarms.tell(BOTH)
        alarms.hold("job_failing", {})
        alarms.tell(BOTH)

    raised = [letter for letter in told() if letter["kind"] == LetterKind.OPERATOR_ALARM]
    assert len(raised) == 2  # one for each mailbox
    assert len(scenes.rows("SELECT id FROM alarms")) == 4

    alarms.hold("job_failing", {"post usage": "it broke"})
    age(31 * 60)
    alarms.tell(BOTH)

    assert len([letter for letter in told() if letter["kind"] == LetterKind.OPERATOR_ALARM]) == 4


def test_one_that_lasts_is_told_of_daily_until_somebody_looks_after_it(context: Context) -> None:
    alarms.hold("price_quarantined", {"acme/one": "tripled"})
    alarms.tell(Ears(("ops@acme.example",), has_webhook=False))
    age(25 * 3600)
    alarms.tell(Ears(("ops@acme.example",), has_webhook=False))
    alarms.acknowledge(alarms.open_alarms()[0].id, actor="user:x", note="asked the upstream")
    age(25 * 3600)
    alarms.tell(Ears(("ops@acme.example",), has_webhook=False))

    assert len(told()) == 2


def test_many_alarms_at_once_are_one_letter(context: Context) -> None:
    alarms.hold("price_quarantined", {f"acme/{number:02}": "tripled" for number in range(30)})

    alarms.tell(Ears(("ops@acme.example",), has_webhook=False))

    [letter] = told()
    assert letter["facts"]["what"] == "A price waits in quarantine (acme/00) and 29 more"
    assert letter["facts"]["more"] == "20 more are on the page."


def test_what_was_sounded_is_not_lost_when_the_database_goes_away_just_then(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    sounded.sound("request_failed", "api", "it broke")

    def away(_sightings: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("away"))

    with monkeypatch.context() as patched:
        patched.setattr(alarms, "keep", away)
        patched.setattr(heart, "keep", away)
        with pytest.raises(OperationalError):
            job.tell(context)
    job.tell(context)

    assert open_rows() == [("request_failed", "api")]


def test_who_dies_between_deciding_and_telling_loses_and_doubles_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: letters, messages and the mark that they were written are one commit."""
    alarms.hold("job_failing", {"post usage": "it broke"})

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(letters, "write", die)
        with pytest.raises(KeyboardInterrupt):
            alarms.tell(BOTH)
    assert (told(), scenes.rows("SELECT id FROM alarm_messages")) == ([], [])
    for _ in range(2):
        alarms.tell(BOTH)

    assert (len(told()), len(scenes.rows("SELECT id FROM alarm_messages"))) == (2, 1)


def test_words_of_a_condition_hold_no_secret_either(app: Flask) -> None:
    """R37: a job's error goes out by letter and webhook."""
    alarms.hold("job_failing", {"sync catalogue": f"InvalidURL: https://shop:hunter2@up.example/ with sk_live_{'a' * 49}"})

    [row] = scenes.rows("SELECT words FROM alarms")
    assert ("hunter2" in row["words"], "a" * 20 in row["words"]) == (False, False)


def test_without_anybody_to_tell_the_alarm_waits_on_its_page(app: Flask, context: Context) -> None:
    deaf = replace(context, wiring=wiring_of(app))
    sounded.sound("request_failed", "api", "it broke")

    assert "nobody to tell" in job.tell(deaf)
    assert open_rows() == [("request_failed", "api")]
    assert told() == []


def test_a_job_that_fails_for_long_is_an_alarm_until_it_goes_well(context: Context) -> None:
    worker = new_id()
    jobs.lease("post usage", 600, worker)
    jobs.finish("post usage", worker, error="it broke")
    job.watch(context)
    before = open_rows()
    scenes.execute("UPDATE job_runs SET started_at = now() - interval '31 minutes' WHERE name = 'post usage'")

    job.watch(context)
    found = open_rows()
    jobs.lease("post usage", 600, worker)
    jobs.finish("post usage", worker, result="fine")
    job.watch(context)

    assert before == []
    assert ("job_failing", "post usage") in found
    assert open_rows() == []


def test_a_job_that_nobody_runs_is_an_alarm(context: Context) -> None:
    worker = new_id()
    jobs.lease("post usage", 600, worker)
    jobs.finish("post usage", worker, result="fine")
    scenes.execute("UPDATE job_runs SET started_at = now() - interval '41 minutes' WHERE name = 'post usage'")

    job.watch(context)

    assert open_rows() == [("job_stuck", "post usage")]


def test_a_quarantined_price_is_an_alarm_until_somebody_decides(app: Flask, context: Context) -> None:
    wiring_of(app).upstreams.register()
    pricing.sync("openrouter", [make_entry("acme/two")], actor=factories.ACTOR)
    pricing.sync("openrouter", [make_entry("acme/two", prompt="0.01")], actor=factories.ACTOR)

    job.watch(context)
    waiting = open_rows()
    pricing.accept("acme/two", actor=factories.ACTOR)
    job.watch(context)

    assert waiting == [("price_quarantined", "acme/two")]
    assert open_rows() == []


def test_money_in_suspense_is_one_alarm_however_it_is_found_and_ends_with_it(context: Context) -> None:
    suspense.put_aside(Aside(Why.FOREIGN, "cs_1", "no order of ours"))
    alarms.keep(sounded.take())
    job.watch(context)
    found = open_rows()
    [item] = scenes.rows("SELECT id FROM suspense_items")
    suspense.resolve(item["id"], actor="user:x", resolution="paid back")
    job.watch(context)

    assert found == [("payment_foreign", "cs_1")]
    assert open_rows() == []


def test_a_model_that_sells_below_its_cost_is_an_alarm_of_that_day(app: Flask, context: Context) -> None:
    person = factories.make_person(usd="5")
    _, key = factories.mint_key(person)
    who, till = scenes.Customer(person.account_id, key.id), wiring_of(app).till
    op = scenes.admission(who)
    till.admit(op)
    till.settle(scenes.settlement(op, cost_usd=Decimal("0.50")))
    rollup.run()
    scenes.execute("UPDATE traffic_hours SET cost_usd = 0.5")

    job.watch(context)

    [(alarm, subject)] = open_rows()
    assert alarm == "margin_negative"
    assert subject.startswith("acme/") or subject
    [row] = alarms.open_alarms()
    assert "cost $0.50" in row.words


def test_letters_that_do_not_get_through_are_an_alarm(context: Context) -> None:
    letters.write(LetterKind.NO_ACCOUNT, "ann@example.com")
    scenes.execute("UPDATE letters SET state = 'given_up', error = 'refused'")

    job.watch(context)

    assert open_rows() == [("letters_given_up", "")]


@pytest.mark.parametrize("secret", ["", "twenty-four characters and more", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64 ☂"])
def test_a_webhook_without_a_secret_that_signs_stops_the_start(make_app: Callable[..., Flask], secret: str) -> None:
    with pytest.raises(SettingsRefused, match="OPERATOR_ALERT_WEBHOOK_SECRET"):
        make_app(OPERATOR_ALERT_WEBHOOK="http://10.0.0.7/alarms", OPERATOR_ALERT_WEBHOOK_SECRET=secret)


def test_an_address_with_a_password_that_would_not_be_sent_stops_the_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(SettingsRefused, match="OPERATOR_ALERT_WEBHOOK has a name or password"):
        make_app(OPERATOR_ALERT_WEBHOOK="http://ops:pass@10.0.0.7/alarms", OPERATOR_ALERT_WEBHOOK_SECRET=SECRET)


def test_a_mailbox_that_is_none_stops_the_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(SettingsRefused, match="OPERATOR_ALERT_EMAILS"):
        make_app(OPERATOR_ALERT_EMAILS="ops@acme.example,nobody")

"""Pages of webhook endpoints: added, shown once, changed, rotated, tried, switched off; and what others find there."""

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id
from reseller.domain import outbox, webhooks
from reseller.domain.accounts import Person, Role
from reseller.domain.webhooks import OffBecause
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.staff import client_of

SECRET = re.compile(r"whsec_[0-9A-Za-z+/=]{44}")
URL = "https://hooks.example.com/in?token=abc"


@pytest.fixture
def person(app: Flask) -> Person:
    return factories.make_person()


@pytest.fixture
def browser(app: Flask, person: Person) -> FlaskClient:
    return client_of(app, Role.CUSTOMER, person=person)


def add(browser: FlaskClient, **fields: Any) -> Any:
    return browser.post("/webhooks/new", data={"nonce": str(new_id()), "url": URL, "description": "billing", "which": "all", **fields})


def page(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return html.unescape(answer.get_data(as_text=True))


def only(person: Person) -> webhooks.ListedEndpoint:
    [endpoint] = webhooks.endpoints_of(person.account_id)
    return endpoint


def test_an_address_alone_makes_an_endpoint_whose_secret_is_shown_on_this_page_only(browser: FlaskClient, person: Person) -> None:
    assert "Let your programs hear" in page(browser, "/webhooks")

    answer = add(browser)

    [secret] = set(SECRET.findall(html.unescape(answer.get_data(as_text=True))))
    assert answer.headers["Cache-Control"] == "no-store"
    endpoint = only(person)
    assert (endpoint.url, endpoint.events, endpoint.state) == (URL, None, "on")
    for path in ("/webhooks", f"/webhooks/{endpoint.id}", f"/webhooks/{endpoint.id}/rotate", "/webhooks/new"):
        assert secret not in page(browser, path)
    assert URL in page(browser, "/webhooks")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ""}, "Give the address"),
        ({"url": "http://example.com/"}, "must begin with https"),
        ({"url": "https://127.0.0.1/"}, "cannot be reached from the internet"),
        ({"url": "https://u:p@example.com/"}, "Leave name and password out"),
        ({"which": "chosen"}, "Choose at least one event"),
        ({"which": "chosen", "events": "no.such"}, "There is no such event"),
        ({"which": "some"}, "Not a valid choice"),
        ({"description": "x" * 201}, "200 characters"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_lost(
    browser: FlaskClient, person: Person, fields: dict[str, str], words: str
) -> None:
    answer = add(browser, **fields)

    text = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 400
    assert words in text
    assert 'value="billing"' in text or "description" in fields
    assert webhooks.endpoints_of(person.account_id) == []


def test_the_same_form_twice_makes_one(browser: FlaskClient, person: Person) -> None:
    nonce = str(new_id())

    answers = [add(browser, nonce=nonce) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 303]
    assert only(person)
    assert "had been sent before" in page(browser, "/webhooks")


def test_code_in_the_words_of_events_is_shown_as_code(browser: FlaskClient, person: Person) -> None:
    text = browser.get("/webhooks/new").text

    assert "<code>/v1/models</code>" in text
    assert "`" not in text


def test_chosen_events_and_the_address_are_changed(browser: FlaskClient, person: Person) -> None:
    add(browser)
    endpoint = only(person)
    changed = {"version": "1", "url": "https://other.example/", "which": "chosen", "events": ["key.revoked", "key.created"]}

    answer = browser.post(f"/webhooks/{endpoint.id}", data=changed)
    late = browser.post(f"/webhooks/{endpoint.id}", data=changed)

    assert (answer.status_code, late.status_code) == (302, 409)
    assert only(person).events == ("key.created", "key.revoked")
    assert only(person).url == "https://other.example/"
    assert "Somebody else changed this" in html.unescape(late.get_data(as_text=True))


@pytest.mark.parametrize(("overlap", "words"), [("24", "two signatures"), ("0", "signs nothing any more")])
def test_a_rotation_shows_the_new_secret_once(browser: FlaskClient, person: Person, overlap: str, words: str) -> None:
    [first] = set(SECRET.findall(html.unescape(add(browser).get_data(as_text=True))))
    endpoint = only(person)
    assert "still signs" in page(browser, f"/webhooks/{endpoint.id}/rotate")

    answer = browser.post(f"/webhooks/{endpoint.id}/rotate", data={"overlap": overlap})

    text = html.unescape(answer.get_data(as_text=True))
    [second] = set(SECRET.findall(text))
    assert second != first
    assert words in text
    assert browser.post(f"/webhooks/{endpoint.id}/rotate", data={"overlap": "7"}).status_code == 400


def test_off_on_and_removed(browser: FlaskClient, person: Person) -> None:
    add(browser)
    here = f"/webhooks/{only(person).id}"

    browser.post(f"{here}/switch-off")
    off = page(browser, here)
    assert browser.post(f"{here}/switch-off").status_code == 303
    browser.post(f"{here}/switch-on")
    on = page(browser, here)
    browser.post(f"{here}/remove")

    assert "You switched it off" in off
    assert "You switched it off" not in on
    assert browser.get(here).status_code == 404
    assert webhooks.endpoints_of(person.account_id) == []


def test_a_test_event_leads_to_its_delivery(browser: FlaskClient, person: Person) -> None:
    add(browser)
    endpoint = only(person)

    answer = browser.post(f"/webhooks/{endpoint.id}/test", data={"event": "key.created"})

    text = page(browser, answer.headers["Location"])
    assert '"is_test": true' in text
    assert "Not tried yet" in text
    assert browser.post(f"/webhooks/{endpoint.id}/test", data={"event": "no.such"}).status_code == 303


def test_a_delivery_s_page_has_request_answer_and_timing_and_sends_it_again(browser: FlaskClient, person: Person) -> None:
    _, row = hooking.add(person)
    hooking.tell(person)
    [claimed] = hooking.claim()
    hooking.ended(claimed, 500, took_ms=1_234)
    here = f"/webhooks/deliveries/{claimed.delivery_id}"

    text = page(browser, here)
    browser.post(f"{here}/redeliver")

    assert claimed.message_id in text
    assert hooking.URL in text
    assert "1,234 ms" in text
    assert "said" in text
    assert [claimed.delivery_id for claimed in hooking.claim()] == [claimed.delivery_id]


def test_deliveries_are_listed_by_state_and_page_by_page(browser: FlaskClient, person: Person) -> None:
    _, row = hooking.add(person)
    hooking.tell(person, 27)
    hooking.ended(hooking.claim()[0], 200)

    first, delivered = page(browser, f"/webhooks/{row.id}"), page(browser, f"/webhooks/{row.id}?state=delivered")
    older = re.search(r'href="(\?after=[^"]+)" rel="next"', first)
    assert older

    assert first.count("/webhooks/deliveries/") == 25
    assert delivered.count("/webhooks/deliveries/") == 1
    assert page(browser, f"/webhooks/{row.id}{older[1]}").count("/webhooks/deliveries/") == 2
    assert page(browser, f"/webhooks/{row.id}?state=nonsense&after=x").count("/webhooks/deliveries/") == 25


def test_what_was_given_up_is_sent_again_at_once(browser: FlaskClient, person: Person) -> None:
    _, row = hooking.add(person)
    hooking.tell(person, 2)
    webhooks.switch_off(row.id, account_id=person.account_id, because=OffBecause.BY_OWNER, actor="test")
    assert browser.post(f"/webhooks/{row.id}/redeliver").status_code == 303
    webhooks.switch_on(row.id, account_id=person.account_id, actor="test")

    answer = browser.post(f"/webhooks/{row.id}/redeliver")

    assert "2 deliveries are on the way" in page(browser, answer.headers["Location"])
    assert [row["state"] for row in hooking.deliveries()] == ["waiting", "waiting"]


@pytest.mark.parametrize("verb", ["", "/rotate", "/switch-off", "/switch-on", "/remove", "/test", "/redeliver"])
def test_an_endpoint_of_another_account_is_not_there(app: Flask, browser: FlaskClient, verb: str) -> None:
    """R23."""
    _, row = hooking.add(factories.make_person())

    data = {"version": "1", "url": URL, "which": "all", "event": "key.created", "overlap": "0"}
    answer = browser.post(f"/webhooks/{row.id}{verb}", data=data)

    assert answer.status_code == 404
    assert hooking.endpoint(row)["version"] == 1


def test_a_delivery_of_another_account_is_not_there(app: Flask, browser: FlaskClient) -> None:
    """R23."""
    other = factories.make_person()
    hooking.add(other)
    hooking.tell(other)
    [delivery] = hooking.deliveries()

    assert browser.get(f"/webhooks/deliveries/{delivery['id']}").status_code == 404
    assert browser.post(f"/webhooks/deliveries/{delivery['id']}/redeliver").status_code == 404


def test_a_delivery_of_what_everybody_is_told_has_a_page_for_each_who_heard_and_for_nobody_else(
    app: Flask, browser: FlaskClient, person: Person
) -> None:
    """R23: the event is no account's own."""
    other = factories.make_person()
    hooking.add(person)
    _, deaf = hooking.add(other, events=("key.created",))
    outbox.announce("model.withdrawn", None, models=["acme/one"])
    webhooks.fan_out()
    [delivery] = hooking.deliveries()
    here = f"/webhooks/deliveries/{delivery['id']}"

    text = page(browser, here)
    stranger = client_of(app, Role.CUSTOMER, person=other)

    assert "model.withdrawn" in text
    assert "acme/one" in text
    assert stranger.get(here).status_code == 404
    assert "/webhooks/deliveries/" not in page(stranger, f"/webhooks/{deaf.id}")


def test_hostile_answers_are_text(browser: FlaskClient, person: Person) -> None:
    hooking.add(person)
    hooking.tell(person)
    [claimed] = hooking.claim()
    hooking.ended(claimed, 500)
    scenes.execute("UPDATE webhook_attempts SET answer = '<script>alert(1)</script>', answer_headers = '{\"<b>\": \"<i>\"}'")

    text = browser.get(f"/webhooks/deliveries/{claimed.delivery_id}").get_data(as_text=True)

    assert "<script>alert(1)" not in text
    assert "<b>" not in text

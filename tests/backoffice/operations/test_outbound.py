"""Staff follow a delivery from event to answer, send it again with a reason, and never see a secret of the owner."""

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain import webhooks
from reseller.domain.accounts import Person, Role
from reseller.domain.webhooks import Claimed
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.staff import client_of

STAFF = (Role.SUPPORT, Role.FINANCE, Role.ADMIN)


@pytest.fixture
def person(app: Flask) -> Person:
    return factories.make_person(email="ann@example.com")


@pytest.fixture
def failed(person: Person) -> Claimed:
    """A delivery that the receiver did not take."""
    hooking.add(person)
    hooking.tell(person)
    [claimed] = hooking.claim()
    hooking.ended(claimed, 500, took_ms=1_234)
    return claimed


def page(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return html.unescape(answer.get_data(as_text=True))


def actions(kind: str) -> list[Any]:
    return scenes.rows("SELECT actor, reason FROM staff_actions WHERE action = :kind", kind=kind)


@pytest.mark.parametrize("role", STAFF)
def test_a_customer_s_question_leads_to_the_receiver_s_own_answer(app: Flask, failed: Claimed, person: Person, role: Role) -> None:
    """From the customer's page to the list, to one delivery."""
    browser = client_of(app, role)

    customer = page(browser, f"/admin/customers/{person.account_id}/")
    found = page(browser, "/admin/deliveries/?account=ann@example.com&state=waiting&event=key.revoked")
    story = page(browser, f"/admin/deliveries/details/?id={failed.delivery_id}")
    endpoint = page(browser, f"/admin/endpoints/details/?id={failed.endpoint_id}")
    [account] = scenes.rows("SELECT name FROM accounts WHERE id = :id", id=person.account_id)
    by_name = re.compile(rf"<a [^>]*/admin/customers/{person.account_id}/[^>]*>{re.escape(account['name'])}</a>")

    assert by_name.search(story)
    assert by_name.search(endpoint)
    assert f"/admin/endpoints/details/?id={failed.endpoint_id}" in customer
    assert f"/admin/deliveries/details/?id={failed.delivery_id}" in found
    assert failed.message_id in story
    assert "1,234 ms" in story
    assert "said" in story


@pytest.mark.parametrize("query", ["account=nobody@example.com", "state=delivered", "event=key.created", f"endpoint_id={'0' * 32}"])
def test_filters_leave_out_what_does_not_match(app: Flask, failed: Claimed, query: str) -> None:
    text = page(client_of(app, Role.SUPPORT), f"/admin/deliveries/?{query}")

    assert str(failed.delivery_id) not in text


@pytest.mark.parametrize("role", STAFF)
def test_nobody_of_staff_sees_what_may_be_a_secret(app: Flask, person: Person, role: Role) -> None:
    secret, row = hooking.add(person, url="https://hooks.example.com/T0/very-secret?token=more")
    hooking.tell(person)
    [claimed] = hooking.claim()
    headers = webhooks.signed_headers(claimed.message_id, 1, claimed.body, claimed.secret_texts)
    webhooks.record_outcome(claimed, webhooks.Outcome(200, 5, headers, {}, "ok"))
    browser = client_of(app, role)
    shown = [
        page(browser, path)
        for path in (
            f"/admin/customers/{person.account_id}/",
            "/admin/deliveries/",
            f"/admin/deliveries/details/?id={claimed.delivery_id}",
            "/admin/endpoints/",
            f"/admin/endpoints/details/?id={row.id}",
            "/admin/audit-log/",
        )
    ]
    if role != Role.SUPPORT:
        shown += [page(browser, "/admin/deliveries/export/csv/"), page(browser, "/admin/endpoints/export/csv/")]

    for secret_text in (secret, "very-secret", "token=more", headers["webhook-signature"]):
        assert not any(secret_text in text for text in shown)
    assert all("hooks.example.com" in text for text in shown)


def test_sending_again_takes_a_reason_and_leaves_it(app: Flask, failed: Claimed) -> None:
    browser = client_of(app, Role.SUPPORT)
    here = f"/admin/deliveries/{failed.delivery_id}/redeliver/"

    without = browser.post(here)
    answer = browser.post(here, data={"reason": "ticket 7"})

    assert (without.status_code, answer.status_code) == (400, 302)
    assert [action["reason"] for action in actions("webhook.redeliver")] == ["ticket 7"]
    assert [claimed.message_id for claimed in hooking.claim()] == [failed.message_id]


def test_an_endpoint_is_switched_off_and_on_with_reasons(app: Flask, failed: Claimed, person: Person) -> None:
    browser = client_of(app, Role.SUPPORT)
    here = f"/admin/endpoints/{failed.endpoint_id}"

    assert browser.post(f"{here}/switch-off/").status_code == 400
    browser.post(f"{here}/switch-off/", data={"reason": "it floods them"})
    off = page(browser, f"/admin/endpoints/details/?id={failed.endpoint_id}")
    owner = page(client_of(app, Role.CUSTOMER, person=person), f"/webhooks/{failed.endpoint_id}")
    browser.post(f"{here}/switch-on/", data={"reason": "mended"})
    browser.post(f"{here}/redeliver/", data={"reason": "they missed it"})

    assert "switched off by staff" in off
    assert "Our staff switched it off" in owner
    assert [action["reason"] for action in actions("webhook.switch_off")] == ["it floods them"]
    assert [action["reason"] for action in actions("webhook.switch_on")] == ["mended"]
    assert [claimed.message_id for claimed in hooking.claim()] == [failed.message_id]


def test_who_views_as_a_customer_sees_no_token(app: Flask, failed: Claimed, person: Person) -> None:
    browser = client_of(app, Role.SUPPORT)
    browser.post(f"/admin/customers/{person.account_id}/view-as/", data={"reason": "ticket 7"})

    shown = [page(browser, path) for path in ("/webhooks", f"/webhooks/{failed.endpoint_id}", f"/webhooks/deliveries/{failed.delivery_id}")]

    assert not any("token=secret" in text for text in shown)
    assert all("hooks.example.com" in text for text in shown)

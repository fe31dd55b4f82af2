"""The overview says how the account stands, what is in the way and what to do, and nothing of others or of what is only for staff."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import now
from reseller.database import acting_as_operator
from reseller.domain import accounts, ledger
from reseller.domain.accounts import Person, Role
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.staff import client_of

HREF = re.compile(r'href="(/[^"#]*)')
EVIL = "<img src=x onerror=alert(1)>"


def page_of(app: Flask, person: Person) -> str:
    browser: FlaskClient = client_of(app, Role.CUSTOMER, person=person)
    answer = browser.get("/overview")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def call(app: Flask, person: Person, *, model: str = "acme/one", settle: Any = scenes.settlement) -> None:
    key = factories.mint_key(person)[1]
    op = scenes.admission(scenes.Customer(person.account_id, key.id), model=model)
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(settle(op))


def test_somebody_new_sees_first_steps_and_nobody_else_does(app: Flask) -> None:
    person = factories.make_person(usd="5")
    new = page_of(app, person)
    call(app, person)
    used = page_of(app, person)

    assert "Your first steps" in new
    assert "/v1/chat/completions" in new
    assert "Your first steps" not in used


def test_a_call_that_failed_is_told_and_the_first_steps_stay(app: Flask) -> None:
    person = factories.make_person(usd="5")
    call(app, person, settle=scenes.failure)

    page = page_of(app, person)

    assert "Last errors" in page
    assert "provider was not reachable" in page
    assert "Your first steps" in page


def test_every_link_of_overview_and_billing_opens(app: Flask) -> None:
    person = factories.make_person(usd="5")
    new = page_of(app, person)
    call(app, person)
    call(app, person, settle=scenes.failure)
    scenes.execute("UPDATE balances SET usage_day = usage_day - 1")
    scenes.execute("UPDATE usage_logs SET posted_on = posted_on - 1")
    ledger.post_usage_day(person.account_id, now().date())
    [entry] = scenes.rows("SELECT id FROM ledger_entries WHERE kind = 'usage'")
    browser = client_of(app, Role.CUSTOMER, person=person)
    paths = ("/overview", "/billing", f"/billing/entries/{entry['id']}", "/billing/statements", f"/billing/statements/{now():%Y-%m}")

    pages = [new, *(browser.get(path).get_data(as_text=True) for path in paths)]
    links = {unescape(link) for page in pages for link in HREF.findall(page)}

    assert any(link.startswith("/usage/calls/req_") for link in links)
    assert any(link.startswith("/usage/calls?from=") for link in links)
    assert {link: status for link in links if (status := browser.get(link).status_code) >= 400} == {}


STATES = {
    "empty": ("You have no credit", "Add credit"),
    "frozen": ("below zero: a payment was taken back by your bank in a dispute", "Add credit"),
    "suspended": ("Your account is suspended", "balance is untouched"),
    "halted": ("paused while we check", "need not do anything"),
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_says_what_it_is_and_what_to_do(app: Flask, state: str) -> None:
    person = factories.make_person(usd=None if state == "empty" else "5")
    if state == "frozen":
        ledger.post(EntryDraft(person.account_id, EntryKind.DISPUTE, -6 * 10**9, "r", "test"))
    elif state == "suspended":
        accounts.suspend(person.account_id, reason="card fraud suspected", actor="user:x")
    elif state == "halted":
        accounts.halt(person.account_id, reason="sum differs by 3")

    page = page_of(app, person)

    for words in STATES[state]:
        assert words in page
    assert "fraud" not in page  # staff's reason is theirs
    assert "sum differs" not in page
    assert "Your next call is let in" not in page


def test_a_full_window_says_when_the_next_call_is_let_in(app: Flask) -> None:
    person = factories.make_person(usd="5")
    factories.set_limits(person, rpm=1)
    call(app, person)

    page = page_of(app, person)

    assert "Your 1 call for this minute is used." in page
    assert "The next one gets through in about" in page


def test_support_is_named_where_only_they_can_help(make_app: Any) -> None:
    app = make_app(BRAND_SUPPORT_EMAIL="help@shop.example")
    with app.app_context(), acting_as_operator():
        person = factories.make_person()
        accounts.suspend(person.account_id, reason="x", actor="test")
        page = page_of(app, person)

    assert page.count("mailto:help@shop.example") >= 2


def test_other_tenants_are_not_in_it(app: Flask) -> None:
    """R23."""
    other = factories.make_person(usd="77")
    call(app, other, model="others/model")

    page = page_of(app, factories.make_person(usd="5"))

    assert "others/model" not in page
    assert "$77" not in page


def test_names_are_text(app: Flask) -> None:
    """Stored XSS in names of keys, models and accounts."""
    person = factories.make_person(usd="5", full_name=EVIL, company=EVIL)
    key = factories.mint_key(person, name=EVIL)[1]
    op = scenes.admission(scenes.Customer(person.account_id, key.id), model=EVIL)
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op))

    page = page_of(app, person)

    assert EVIL not in page
    assert page.count("&lt;img src=x") >= 3


def test_the_upstream_and_its_cost_are_not_named(app: Flask) -> None:
    person = factories.make_person(usd="5")
    call(app, person)

    page = page_of(app, person).lower()

    for word in ("openrouter", "upstream", "margin", "markup", "cost_usd"):
        assert word not in page


def test_what_is_left_of_the_first_steps_stays_until_it_is_done_or_put_away(app: Flask) -> None:
    person = factories.make_person()
    key = factories.mint_key(person)[1]
    op = scenes.admission(scenes.Customer(person.account_id, key.id, is_test=True))
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op))
    browser: FlaskClient = client_of(app, Role.CUSTOMER, person=person)

    called = browser.get("/overview").text
    factories.grant(person, usd="1")
    paid = browser.get("/overview").text
    put_away = browser.post("/overview/rest")
    after = browser.get("/overview").text

    assert "Left to do" in called
    assert "To billing" in called
    assert "Turn on two-factor" in called
    assert "Turn on two-factor" in paid
    assert "To billing" not in paid
    assert put_away.status_code == 302
    assert "Left to do" not in after


def test_a_second_factor_and_credit_leave_nothing_to_do(app: Flask) -> None:
    person = factories.make_person(usd="5")
    call(app, person)
    scenes.execute(
        "INSERT INTO second_factors (user_id, sealed_secret, created_at, confirmed_at, last_step)"
        " SELECT id, 'x', now(), now(), 0 FROM users"
    )

    assert "Left to do" not in page_of(app, person)

"""Pages of keys: made, shown once, changed, rotated, revoked; and what attackers try on each of them."""

import html
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id, now
from reseller.domain import keys
from reseller.domain.accounts import Person, Role
from reseller.domain.keys import ApiKey, KeyState, SpendPeriod, has_key_shape, making
from reseller.portal.keys import sale
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.staff import client_of

KEY = re.compile(r"sk_(?:live|test)_[0-9A-Za-z]{49}")
EVIL = '=HYPERLINK("x")<script>alert(1)</script>'
TAG, FORM_TOKEN = re.compile(r"<[^>]+>"), re.compile(r'name="csrf_token" value="[^"]+"')
KEPT = ("id", "account_id", "is_test", "spent_nano", "held_nano", "total_nano", "calls", "key_hash", "replaces_id", "spends_as_id")


@pytest.fixture
def person(app: Flask) -> Person:
    factories.make_rule()
    for slug in ("acme/one", "acme/two", "other/three"):
        factories.make_model(slug=slug)
    return factories.make_person(usd="10")


@pytest.fixture
def browser(app: Flask, person: Person) -> FlaskClient:
    return client_of(app, Role.CUSTOMER, person=person)


def make(browser: FlaskClient, **fields: str) -> Any:
    return browser.post("/keys/new", data={"nonce": str(new_id()), "name": "site", "kind": "live", "expires": "never", **fields})


def text_of(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def page(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return text_of(answer)


def fields_of(key: ApiKey, **changes: str) -> dict[str, str]:
    """What the form of a key sends."""
    return {"name": key.name, "expires": "keep", "limit": "", "period": "month", "models": "", "version": str(key.version), **changes}


def only_key(person: Person) -> keys.ListedKey:
    [key] = keys.keys_of(person.account_id)
    return keys.listed_key(person.account_id, key.id)


def test_a_name_alone_makes_a_key_that_is_shown_on_this_page_only(browser: FlaskClient, person: Person) -> None:
    """R21: shown once: not in an address, a cookie or any later page."""
    answer = make(browser)

    [token] = set(KEY.findall(text_of(answer)))
    assert answer.status_code == 200
    assert has_key_shape(token)
    assert answer.headers["Cache-Control"] == "no-store"
    assert token not in str(answer.headers)
    key = only_key(person)
    assert (key.terms, key.is_test) == (keys.KeyTerms("site"), False)
    for path in ("/keys", f"/keys/{key.id}", "/keys/new", "/keys/try"):
        assert token not in page(browser, path)
        assert token[12:] not in page(browser, path)


def test_the_page_prints_the_snippets_with_this_key(browser: FlaskClient) -> None:
    text = html.unescape(text_of(make(browser)))

    token = KEY.findall(text)[0]
    assert f"-H 'Authorization: Bearer {token}'" in text
    assert f'api_key="{token}",' in text
    assert "http://localhost:8000/v1" in text


def test_a_reload_makes_no_second_key_does_not_show_the_first_and_says_what_to_do(browser: FlaskClient, person: Person) -> None:
    """R15, R21."""
    nonce = str(new_id())
    token = KEY.findall(text_of(make(browser, nonce=nonce)))[0]

    again = make(browser, nonce=nonce)
    text = page(browser, again.location)

    assert (again.status_code, again.location) == (303, "/keys")
    assert "shown once" in text
    assert "rotate it" in text
    assert token not in text
    assert len(keys.keys_of(person.account_id)) == 1


@pytest.mark.parametrize("nonce", ["", "x", "01900000-0000-7000-8000-00000000d0e5", "00000000-0000-0000-0000-000000000000", "\x00"])
def test_a_nonce_that_is_not_ours_makes_no_key(browser: FlaskClient, person: Person, nonce: str) -> None:
    assert make(browser, nonce=nonce).status_code == 400
    assert keys.keys_of(person.account_id) == []


def test_everything_that_can_be_chosen_is_kept_and_shown(browser: FlaskClient, person: Person) -> None:
    day = (now() + timedelta(days=40)).date()

    models = " acme/*\n\nacme/*\nother/three "
    answer = make(browser, kind="test", expires="date", expires_on=day.isoformat(), limit="$12.50", period="week", models=models)

    assert "3 of 3 for sale" in text_of(answer)
    key = only_key(person)
    assert key.prefix.startswith("sk_test_")
    assert key.terms.expires_at is not None
    assert key.terms.expires_at.date() == day + timedelta(days=1)
    assert key.terms.spend == keys.SpendLimit(Decimal("12.50"), SpendPeriod.WEEK)
    assert key.terms.model_patterns == ("acme/*", "other/three")
    listed = TAG.sub("", page(browser, "/keys"))
    for shown in ("$0.00 of $12.50 this week", "acme/*, other/three", "test", "Never"):
        assert shown in listed


def test_patterns_are_counted_before_the_key_is_made(browser: FlaskClient, person: Person) -> None:
    answer = make(browser, models="acme/*\nacme/one", count="1")

    assert "2 of the 3 models for sale match" in TAG.sub("", text_of(answer))
    assert keys.keys_of(person.account_id) == []


@pytest.mark.parametrize("button", ["", "count"])
@pytest.mark.parametrize("models", ["\n".join(f"*{number}*" for number in range(60)), "acme/one\n" + "*a" * 50], ids=["many", "stars"])
def test_patterns_that_no_key_may_have_are_never_tried(
    browser: FlaskClient, person: Person, monkeypatch: pytest.MonkeyPatch, models: str, button: str
) -> None:
    """R31: neither in making nor in changing a key, nor by the button that only counts."""
    make(browser)
    key, tried = keys.keys_of(person.account_id)[0], []
    monkeypatch.setattr(sale, "matches", lambda *given: tried.append(given))
    pressed = {button: "1"} if button else {}

    answers = [
        make(browser, models=models, **pressed),
        browser.post(f"/keys/{key.id}", data=fields_of(key, models=models, **pressed)),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert all('class="errors"' in text_of(answer) for answer in answers)
    assert tried == []


WRONG = {
    "no name": {"name": ""},
    "blanks": {"name": "   "},
    "a name of 10,000 characters": {"name": "x" * 10_000},
    "two lines": {"name": "a\nb"},
    "another kind": {"kind": "admin"},
    "no number": {"limit": "NaN"},
    "endless": {"limit": "Infinity"},
    "negative": {"limit": "-5"},
    "nothing": {"limit": "0"},
    "an exponent": {"limit": "1e5"},
    "huge": {"limit": "9" * 25},
    "a million and more": {"limit": "1000000.01"},
    "fractions of nano-dollars": {"limit": "0.0000000001"},
    "other digits": {"limit": "٣"},
    "another span": {"limit": "5", "period": "decade"},
    "another expiry": {"expires": "1000000"},
    "a day in the past": {"expires": "date", "expires_on": "2020-01-01"},
    "a day without a day": {"expires": "date", "expires_on": ""},
    "no day": {"expires": "date", "expires_on": "2027-02-31"},
    "a day too far away": {"expires": "date", "expires_on": "9999-12-31"},
    "the first year": {"expires": "date", "expires_on": "0001-01-01"},
    "a pattern that matches nothing": {"models": "nobody/*"},
    "stars": {"models": "*a" * 50},
    "many patterns": {"models": "\n".join(f"acme/{number}*" for number in range(60)) + "\nacme/one"},
    "a long pattern": {"models": "acme/*\n" + "x" * 5_000},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_form_that_makes_no_sense_comes_back_with_a_word_at_the_field(
    browser: FlaskClient, person: Person, fields: dict[str, str]
) -> None:
    answer = make(browser, **fields)

    assert answer.status_code == 400
    assert 'class="errors"' in text_of(answer)
    assert not KEY.search(text_of(answer))
    assert keys.keys_of(person.account_id) == []


@pytest.mark.parametrize("field", ["name", "models", "limit", "expires", "kind", "nonce"])
def test_a_field_with_nul_makes_no_key(browser: FlaskClient, person: Person, field: str) -> None:
    assert make(browser, **{field: "a\x00b"}).status_code == 400
    assert keys.keys_of(person.account_id) == []


def test_fields_that_no_form_has_change_nothing(browser: FlaskClient, person: Person) -> None:
    """Mass assignment, when making and when changing."""
    other = factories.make_person()
    extra = {
        "account_id": str(other.account_id), "is_test": "1", "id": str(new_id()), "spent_nano": "0", "spent_usd": "-5", "held_nano": "-5",
        "total_nano": "-5", "calls": "7", "key_hash": "0" * 64, "key_prefix": "sk_live", "replaces_id": str(new_id()), "revoked_at": "",
        "spends_as_id": str(new_id()), "kind_": "test", "expires_at": "2099-01-01", "spend_limit_nano": "5",
    }  # fmt: skip
    make(browser, **extra)
    [key] = keys.keys_of(person.account_id)
    scenes.execute("UPDATE api_keys SET spent_nano = 7, total_nano = 9, calls = 3")
    before = scenes.rows("SELECT * FROM api_keys")[0]

    answer = browser.post(f"/keys/{key.id}", data=fields_of(key, name="other", kind="test", **extra))

    after = scenes.rows("SELECT * FROM api_keys")[0]
    assert answer.status_code == 302
    assert after["name"] == "other"
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert (after["account_id"], after["is_test"], after["expires_at"], after["spend_limit_nano"]) == (person.account_id, False, None, None)
    assert keys.keys_of(other.account_id) == []


def test_a_name_is_text_wherever_it_is_shown(browser: FlaskClient, person: Person) -> None:
    """Stored XSS: the list, the key's page, the rotation, the dialog, the back office."""
    _, key = factories.mint_key(person, name=EVIL)
    keys.rotate(str(factories.mint_key(person, name=EVIL)[1].id), grace=timedelta(days=1), actor="user:1")
    staff = client_of(browser.application)

    pages = [page(browser, path) for path in ("/keys", f"/keys/{key.id}", f"/keys/{key.id}/rotate")]
    pages.append(page(staff, f"/admin/customers/{person.account_id}/"))
    pages.append(text_of(make(browser, name=EVIL)))

    for text in pages:
        assert "<script>alert" not in text
        assert html.escape("<script>alert(1)</script>") in text


def routes_of(key_id: UUID | str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/keys/{key_id}"), ("POST", f"/keys/{key_id}"), ("GET", f"/keys/{key_id}/rotate"), ("POST", f"/keys/{key_id}/rotate"),
        ("POST", f"/keys/{key_id}/revoke"),
    ]  # fmt: skip


@pytest.mark.parametrize("which", range(5))
def test_another_customers_key_is_not_found_by_any_route(browser: FlaskClient, which: int) -> None:
    """R23: the same answer as for a key that nobody has, and nothing is changed."""
    _, key = factories.mint_key(factories.make_person(), name="theirs")
    before = scenes.rows("SELECT * FROM api_keys")
    method, path = routes_of(key.id)[which]
    nobodys = routes_of(new_id())[which][1]

    answer, unknown = (browser.open(each, method=method, data=fields_of(key, grace="0", name="mine")) for each in (path, nobodys))

    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert FORM_TOKEN.sub("", text_of(answer)) == FORM_TOKEN.sub("", text_of(unknown))
    assert "theirs" not in text_of(answer)
    assert scenes.rows("SELECT * FROM api_keys") == before


@pytest.mark.parametrize("key_id", ["x", "%00", "1", "../1", "sk_live_abcd", "0" * 400])
def test_what_is_no_id_is_not_found(browser: FlaskClient, key_id: str) -> None:
    assert {browser.open(path, method=method).status_code for method, path in routes_of(key_id)} <= {404, 405}


def test_looking_changes_nothing(browser: FlaskClient, person: Person) -> None:
    """No GET makes, rotates or revokes."""
    _, key = factories.mint_key(person)
    before = scenes.rows("SELECT * FROM api_keys"), scenes.rows("SELECT * FROM staff_actions")

    for path in ("/keys", "/keys/new?name=x&kind=live&nonce=1", "/keys/try", f"/keys/{key.id}?name=x", f"/keys/{key.id}/rotate?grace=0"):
        assert browser.get(path).status_code == 200
    assert browser.get(f"/keys/{key.id}/revoke").status_code == 405

    assert (scenes.rows("SELECT * FROM api_keys"), scenes.rows("SELECT * FROM staff_actions")) == before


def test_a_key_is_rotated_and_the_new_one_shown_once(browser: FlaskClient, person: Person) -> None:
    old_token, old = factories.mint_key(person, name="site", spend=(Decimal(5), SpendPeriod.MONTH))

    answer = browser.post(f"/keys/{old.id}/rotate", data={"grace": "24"})
    again = browser.post(f"/keys/{old.id}/rotate", data={"grace": "24"})

    text = text_of(answer)
    [token] = set(KEY.findall(text))
    assert token != old_token
    assert f'It replaces <span class="mono">{old_token[:12]}…</span>, which works until' in text
    assert "same spend limit" in text
    assert (again.status_code, again.location) == (303, "/keys")
    listed = page(browser, "/keys")
    assert f"has been replaced by {token[:12]}…" in listed
    assert f"replaces {old_token[:12]}…" in listed
    assert f"replaced by {token[:12]}…" in listed
    assert f"shared with {token[:12]}…" in listed
    assert token not in listed
    assert len(keys.keys_of(person.account_id)) == 2


def test_revoking_says_so_and_again_is_told(browser: FlaskClient, person: Person) -> None:
    _, key = factories.mint_key(person)

    first, second = (browser.post(f"/keys/{key.id}/revoke") for _ in range(2))

    assert (first.status_code, second.status_code) == (302, 303)
    listed = page(browser, "/keys")
    assert "is refused from now on" in listed
    assert "has been revoked already" in listed
    assert only_key(person).state == KeyState.REVOKED


def test_the_second_of_two_editors_keeps_what_they_typed_and_is_told(browser: FlaskClient, person: Person) -> None:
    _, key = factories.mint_key(person)
    form = fields_of(key)
    browser.post(f"/keys/{key.id}", data=form | {"name": "first"})

    answer = browser.post(f"/keys/{key.id}", data=form | {"name": "second"})

    assert answer.status_code == 409
    assert "Somebody else changed this in the meantime" in text_of(answer)
    assert 'value="second"' in text_of(answer)
    assert only_key(person).terms.name == "first"


def test_an_expiry_that_is_kept_stays_to_the_second_and_any_other_can_be_chosen(browser: FlaskClient, person: Person) -> None:
    _, key = factories.mint_key(person, expires_in=timedelta(days=3))
    before = only_key(person).terms.expires_at

    browser.post(f"/keys/{key.id}", data=fields_of(key, name="a", limit="7.5"))
    kept = only_key(person)
    browser.post(f"/keys/{key.id}", data=fields_of(key, expires="never", version="2"))

    assert (kept.terms.expires_at, kept.terms.spend) == (before, keys.SpendLimit(Decimal("7.5"), SpendPeriod.MONTH))
    assert (only_key(person).terms.expires_at, only_key(person).terms.spend) == (None, None)


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30, "٣"])
def test_a_form_without_a_version_changes_nothing(browser: FlaskClient, person: Person, version: str) -> None:
    _, key = factories.mint_key(person)

    assert browser.post(f"/keys/{key.id}", data=fields_of(key, name="other", version=version)).status_code == 400
    assert only_key(person).terms.name == "test key"


def test_one_key_too_many_is_refused_with_what_to_do(browser: FlaskClient, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MAX_ACTIVE_KEYS", 1)
    make(browser)

    answer = make(browser, name="one more")

    assert answer.status_code == 409
    assert "Revoke one that is not used any more" in text_of(answer)
    assert 'value="one more"' in text_of(answer)


def test_a_new_customer_is_led_to_the_first_key(browser: FlaskClient) -> None:
    assert "Make your first key." in page(browser, "/keys")
    assert "Your first API key" in page(browser, "/keys/new")


@pytest.mark.parametrize("path", ["/keys", "/keys/new", "/keys/try"])
def test_strangers_are_sent_to_sign_in(app: Flask, path: str) -> None:
    """R24."""
    assert app.test_client().get(path).location.startswith("/sign-in")


def test_a_pattern_holds_in_the_gateway_from_the_next_call_on(browser: FlaskClient, person: Person, app: Flask) -> None:
    """Edited on the page, refused at admission, by the code that clients see."""
    _, key = factories.mint_key(person)
    who, till = scenes.Customer(person.account_id, key.id), wiring_of(app).till
    version = scenes.rows("SELECT max(version) AS version FROM price_versions")[0]["version"]
    terms = scenes.PriceTerms(price_version=version, rule_id=None, markup_percent=Decimal(25), min_cost_nano=0)
    till.admit(scenes.admission(who, model="other/three", terms=terms))

    browser.post(f"/keys/{key.id}", data=fields_of(key, models="acme/*"))

    till.admit(scenes.admission(who, model="acme/two", terms=terms))
    assert scenes.refused(till, scenes.admission(who, model="other/three", terms=terms)).code == "model_not_allowed"


def test_staff_see_rotation_and_where_a_key_was_used(app: Flask, person: Person, browser: FlaskClient) -> None:
    token, key = factories.mint_key(person)
    scenes.execute("UPDATE api_keys SET last_used_at = now(), last_used_address = '203.0.113.77'")
    browser.post(f"/keys/{key.id}/rotate", data={"grace": "1"})

    text = page(client_of(app), f"/admin/customers/{person.account_id}/")

    assert f'replaces <span class="mono">{token[:12]}…</span>' in text
    assert "203.0.113.77" in text
    assert "expiring" in text
    assert "Key rotated" in text


CHECKED = re.compile(r'<input checked [^>]*value="(live|test)"')


def test_without_credit_a_new_key_is_a_test_key_unless_it_is_told_otherwise(app: Flask, browser: FlaskClient) -> None:
    """Whose first call is to be refused should know it before."""
    factories.make_rule()
    poor = client_of(app, Role.CUSTOMER, person=factories.make_person())

    form, rich_form = page(poor, "/keys/new"), page(browser, "/keys/new")
    live, test, rich = (text_of(make(who, kind=kind)) for who, kind in ((poor, "live"), (poor, "test"), (browser, "live")))

    assert (CHECKED.findall(form), CHECKED.findall(rich_form)) == (["test"], ["live"])
    assert "Nothing is available on your balance" in form
    assert "Nothing is available on your balance" in live
    assert not [text for text in (rich_form, test, rich) if "Nothing is available on your balance" in text]

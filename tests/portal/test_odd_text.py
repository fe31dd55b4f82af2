"""Names and addresses that are endless, or hold what cannot be seen: refused on a page or kept clean, never an error of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from tests import factories
from tests.domain import scenes
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]

PROFILE = {"full_name": "Ann", "time_zone": "UTC"}
COMPANY = {"account_name": "Acme", "company": "Acme Ltd", "tax_id": "ATU1", "billing_address": "Ring 1\r\n1010 Wien"}
SIGN_UP = {"email": "new@example.com", "password": "a long password", "full_name": "Ann", "company": "Acme"}
KEY = {"name": "site", "kind": "live", "expires": "never"}
MOST = {
    ("/settings/profile", "full_name"): 200,
    ("/settings/company", "account_name"): 200,
    ("/settings/company", "company"): 200,
    ("/settings/company", "tax_id"): 40,
    ("/settings/company", "billing_address"): 500,
    ("/sign-up", "full_name"): 200,
    ("/sign-up", "company"): 200,
    ("/sign-up", "password"): 1_000,
    ("/keys/new", "name"): 100,
}
"""Characters of each field that a form of ours takes."""

FIELDS = {"/settings/profile": PROFILE, "/settings/company": COMPANY, "/sign-up": SIGN_UP, "/keys/new": KEY}
UNSEEN = "\u202e\u2066\u200b\x01\x7f\x1b[31m\ufeff\u2028"
WRITTEN = "Ac\u202eme\x07"


def sent(visitor: Visitors, path: str, **changes: str) -> Any:
    """The answer to the form of somebody who may send it."""
    browser = visitor()
    if path != "/sign-up":
        browser.sign_in("ann@example.com")
    nonce = {"nonce": str(new_id())} if path == "/keys/new" else {}
    seen = "/settings" if path == "/settings/profile" else None
    return browser.post(path, seen=seen, **(FIELDS[path] | nonce | changes))


def everything() -> list[Any]:
    tables = ("users", "accounts", "memberships", "api_keys", "staff_actions", "letters", "links")
    ours = "action NOT LIKE 'user.sign_in%'"
    return [scenes.rows(f"SELECT * FROM {table} WHERE {ours if table == 'staff_actions' else 'true'}") for table in tables]


@pytest.fixture(autouse=True)
def _ann(app: Flask) -> None:
    factories.make_rule()
    factories.make_model()
    factories.make_person(email="ann@example.com", full_name="Ann", usd="10")


@pytest.mark.parametrize(("path", "field"), MOST)
def test_what_is_endless_is_refused_and_its_bound_is_not(app: Flask, visitor: Visitors, path: str, field: str) -> None:
    before = everything()

    refused = [sent(visitor, path, **{field: text}) for text in ("x" * (MOST[path, field] + 1), "é" * 20_000)]
    between = everything()
    done = sent(visitor, path, **{field: "é" * MOST[path, field]})

    assert [answer.status_code for answer in refused] == [400, 400]
    assert all("<h1" in answer.get_data(as_text=True) for answer in refused)
    assert between == before
    assert done.status_code in (200, 302)
    assert everything() != before


@pytest.mark.parametrize("path", FIELDS)
def test_a_form_that_no_longer_fits_a_page_is_not_read(app: Flask, visitor: Visitors, path: str) -> None:
    """R29."""
    before = everything()

    answer = sent(visitor, path, **{next(iter(FIELDS[path])): "x" * 300_000})

    assert answer.status_code == 413
    assert "The form is too large." in answer.get_data(as_text=True)
    assert everything() == before


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields])
def test_no_field_takes_nul(app: Flask, visitor: Visitors, path: str, field: str) -> None:
    """The one character that no text in PostgreSQL can hold."""
    before = everything()

    answer = sent(visitor, path, **{field: FIELDS[path][field] + "\x00"})

    assert answer.status_code == 400
    assert "<h1" in answer.get_data(as_text=True)
    assert everything() == before


@pytest.mark.parametrize(
    ("path", "field", "kept"),
    [
        ("/settings/profile", "full_name", "SELECT full_name FROM users"),
        ("/settings/company", "account_name", "SELECT name FROM accounts"),
        ("/settings/company", "company", "SELECT company FROM accounts"),
        ("/settings/company", "tax_id", "SELECT tax_id FROM accounts"),
        ("/settings/company", "billing_address", "SELECT billing_address FROM accounts"),
        ("/sign-up", "full_name", "SELECT full_name FROM users WHERE email LIKE 'new@%'"),
        ("/sign-up", "company", "SELECT company FROM accounts WHERE company <> ''"),
    ],
)
def test_what_cannot_be_seen_is_not_kept(app: Flask, visitor: Visitors, path: str, field: str, kept: str) -> None:
    """No name turns the writing of a page, a statement or a terminal around."""
    answer = sent(visitor, path, **{field: WRITTEN})

    assert answer.status_code == 302
    assert [list(row.values()) for row in scenes.rows(kept)] == [["Ac me"]]


def test_an_account_is_not_called_by_what_cannot_be_seen(app: Flask, visitor: Visitors) -> None:
    before = everything()

    nameless = sent(visitor, "/settings/company", account_name="\u202e\u200b\x01")
    key = sent(visitor, "/keys/new", name=f"site{UNSEEN}")

    assert (nameless.status_code, key.status_code) == (400, 400)
    assert "The account needs a name." in nameless.get_data(as_text=True)
    assert everything() == before

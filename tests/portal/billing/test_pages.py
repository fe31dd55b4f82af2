"""Billing pages: every line opens what made it, files add up to the balance, and nobody sees another's."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import month_start, new_id, now
from reseller.database import acting_as_operator
from reseller.domain import ledger
from reseller.domain.accounts import Person, Role
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.money import fixed_usd
from tests import factories
from tests.domain import scenes
from tests.domain.ledger import histories
from tests.domain.usage import calls
from tests.staff import client_of

AMOUNT_OF_OTHERS = re.compile(r"[$,]77\b")
EVIL = '=HYPERLINK("https://evil.example";"x")<script>alert(1)</script>'


@pytest.fixture
def owner(app: Flask) -> Person:
    return factories.make_person(usd="10", company="Able <b>Ltd</b>")


@pytest.fixture
def browser(app: Flask, owner: Person) -> FlaskClient:
    return client_of(app, Role.CUSTOMER, person=owner)


def charge(who: Person, charges: list[int]) -> None:
    """Calls of today."""
    key: ApiKey = factories.mint_key(who)[1]
    histories.charge(scenes.Customer(who.account_id, key.id), now().date(), charges)


def text_of(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def rows_of(browser: FlaskClient, path: str) -> list[dict[str, str]]:
    answer = browser.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def this_month() -> str:
    return f"{now():%Y-%m}"


def test_the_ledger_shows_each_movement_with_the_balance_after_it(app: Flask, owner: Person, browser: FlaskClient) -> None:
    """R25: the customer sees credit from us and why."""
    ledger.grant(owner.account_id, Decimal("2.5"), reason="sorry for the outage", actor="user:somebody")
    charge(owner, [500_000_000])

    page = text_of(browser, "/billing")

    assert "sorry for the outage" in page
    assert "somebody" not in page
    for amount in ("+$2.50", "$12.50", "-$0.50", "$12.00"):
        assert amount in page


def test_a_line_opens_what_made_it(app: Flask, owner: Person, browser: FlaskClient) -> None:
    entry = ledger.grant(owner.account_id, Decimal("2.5"), reason="a present", actor="cli:op")

    page = text_of(browser, "/billing")
    opened = text_of(browser, f"/billing/entries/{entry.id}")

    assert f"/billing/entries/{entry.id}" in page
    assert "a present" in opened
    assert ("$10.00" in opened, "$12.50" in opened) == (True, True)


def test_a_day_of_usage_opens_its_models(app: Flask, owner: Person, browser: FlaskClient) -> None:
    yesterday = now().date() - timedelta(days=1)
    histories.charge(scenes.Customer(owner.account_id, factories.mint_key(owner)[1].id), yesterday, [70, 30, 50])
    ledger.post_usage_day(owner.account_id, now().date())
    [entry] = scenes.rows("SELECT id FROM ledger_entries WHERE kind = 'usage'")
    charged = scenes.rows("SELECT model, sum(charge_nano) AS nano FROM usage_logs GROUP BY model")

    opened = text_of(browser, f"/billing/entries/{entry['id']}")

    for row in charged:
        assert row["model"] in opened
        assert fixed_usd(int(row["nano"]), 9) in opened
    assert "$0.000000150" in opened


def test_the_file_of_the_ledger_adds_up_to_the_balance(app: Flask, owner: Person, browser: FlaskClient) -> None:
    ledger.grant(owner.account_id, Decimal("2.000000001"), reason="exact", actor="cli:op")
    charge(owner, [3])

    rows = rows_of(browser, "/billing/entries.csv")

    assert sum(Decimal(row["amount_usd"]) for row in rows) == Decimal("11.999999998")
    assert rows[0]["balance_usd"] == "11.999999998"
    assert [row["kind"] for row in rows_of(browser, "/billing/entries.csv?kind=usage")] == ["Usage"]
    assert [row["amount_usd"] for row in rows_of(browser, "/billing/entries.csv?kind=adjustment")] == ["2.000000001", "10"]


def test_the_statement_file_adds_up_from_opening_to_closing(app: Flask, browser: FlaskClient, owner: Person) -> None:
    chance = Random(7)
    first = month_start(month_start(now().date()) - timedelta(days=1))
    scenes.execute("UPDATE accounts SET created_at = :at WHERE id = :id", at=histories.midnight(first), id=owner.account_id)
    key = factories.mint_key(owner)[1]
    histories.live(scenes.Customer(owner.account_id, key.id), chance, first)

    for month in (f"{first:%Y-%m}", this_month()):
        opening, *lines, closing = rows_of(browser, f"/billing/statements/{month}.csv")

        moved = sum(Decimal(row["amount_usd"]) for row in lines)
        assert Decimal(opening["balance_usd"]) + moved == Decimal(closing["balance_usd"]) == Decimal(lines[-1]["balance_usd"])
        assert {row["model"] for row in lines if row["kind"] == "Usage"} <= set(calls.MODELS)
    assert closing["balance_usd"] == ledger.balance_now(owner.account_id).as_json()["balance"]


def test_what_stands_on_a_statement_adds_up_as_it_is_read(app: Flask, browser: FlaskClient, owner: Person) -> None:
    ledger.grant(owner.account_id, Decimal("0.000000001"), reason="exact", actor="cli:op")
    charge(owner, [3, 1])

    summary = text_of(browser, f"/billing/statements/{this_month()}").partition('id="sums"')[2].partition("</table>")[0]
    opening, *moved, closing = (Decimal(sign + digits) for sign, digits in re.findall(r">([+-]?)\$([0-9.]+)<", summary))

    assert len(moved) == 2
    assert opening + sum(moved) == closing == Decimal("9.999999997")


def test_a_statement_is_for_the_company_and_says_what_a_month_is(app: Flask, browser: FlaskClient) -> None:
    page = text_of(browser, f"/billing/statements/{this_month()}")

    assert "Able &lt;b&gt;Ltd&lt;/b&gt;" in page
    assert "Midnight to midnight UTC" in page
    assert "so far" in page
    assert "$10.00" in page
    assert this_month() in text_of(browser, "/billing/statements")


MONTHS = (
    "2026-13", "2026-00", "0000-01", "9999-12", "1970-01", "2026-1", "2026-1-1", "-2026-01", "99999-01", "２０２６-０１", "x",
    "2026-01%0A", "%00", "2026-11.pdf", "..%2f..%2fetc",
)  # fmt: skip


@pytest.mark.parametrize("month", MONTHS)
def test_months_that_never_were_are_not_found(app: Flask, browser: FlaskClient, month: str) -> None:
    answers = [browser.get(f"/billing/statements/{month}"), browser.get(f"/billing/statements/{month}.csv")]

    assert {answer.status_code for answer in answers} <= {404, 400}


@pytest.mark.parametrize("given", ["x", "-1", "1e9", "9" * 19, "１２", "0x10", "1 OR 1=1"])
def test_places_in_the_ledger_that_cannot_be_are_not_found(app: Flask, browser: FlaskClient, given: str) -> None:
    assert browser.get("/billing", query_string={"after": given}).status_code == 404


def test_another_accounts_entries_are_not_found_and_not_counted(app: Flask, owner: Person, browser: FlaskClient) -> None:
    """R23."""
    other = factories.make_person(usd="77")
    [theirs] = scenes.rows("SELECT id FROM ledger_entries WHERE account_id = :id", id=other.account_id)

    answers = {
        path: browser.get(f"/billing/entries/{path}").status_code for path in (theirs["id"], new_id(), "x", "../entries", UUID(int=0))
    }

    assert set(answers.values()) == {404}
    for path in ("/billing", "/billing/entries.csv", f"/billing/statements/{this_month()}", "/billing/statements"):
        assert not AMOUNT_OF_OTHERS.search(text_of(browser, path))


def test_reasons_are_text_on_pages_and_in_files(app: Flask, owner: Person, browser: FlaskClient) -> None:
    """Stored XSS, and formulas in CSV."""
    entry = ledger.grant(owner.account_id, Decimal(1), reason=EVIL, actor="cli:op")

    pages = [text_of(browser, path) for path in ("/billing", f"/billing/entries/{entry.id}", f"/billing/statements/{this_month()}")]
    files = [rows_of(browser, path) for path in ("/billing/entries.csv", f"/billing/statements/{this_month()}.csv")]

    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
    for rows in files:
        notes = [row["note"] for row in rows if "HYPERLINK" in row["note"]]
        assert notes
        assert all(note.startswith("'=") for note in notes)


def test_lists_go_on_where_the_page_ended(app: Flask, owner: Person, browser: FlaskClient) -> None:
    for number in range(60):
        ledger.post(EntryDraft(owner.account_id, EntryKind.TOP_UP, 1_000_000_000, f"r{number}", "test", reason=f"number {number:02}"))

    first = text_of(browser, "/billing")
    place = first.split("after=")[1].split('"')[0]
    second = text_of(browser, f"/billing?after={place}")

    shown = [{number for number in range(60) if f"number {number:02}" in page} for page in (first, second)]
    assert shown == [set(range(10, 60)), set(range(10))]


@pytest.mark.parametrize(("usd", "words"), [(None, "Nothing is available"), ("10", None)])
def test_an_empty_balance_says_what_to_do(app: Flask, usd: str | None, words: str | None) -> None:
    page = text_of(client_of(app, Role.CUSTOMER, person=factories.make_person(usd=usd)), "/billing")

    assert ("Nothing is available" in page) == bool(words)
    assert "Buying credit on this page is not switched on" in page


def test_a_balance_below_zero_says_why(app: Flask, owner: Person, browser: FlaskClient) -> None:
    ledger.post(EntryDraft(owner.account_id, EntryKind.REFUND, -20_000_000_000, "refund", "test"))

    assert "Your balance is below zero: a payment was refunded" in text_of(browser, "/billing")


def test_staff_who_view_as_the_customer_see_the_same_books(app: Flask, owner: Person) -> None:
    """Read-only, also where a page asks for a snapshot of its own."""
    charge(owner, [5])
    staff = client_of(app, Role.FINANCE)
    staff.post(f"/admin/customers/{owner.account_id}/view-as/", data={"reason": "a ticket"})

    for path in ("/billing", "/billing/entries.csv", "/billing/statements", f"/billing/statements/{this_month()}", "/overview"):
        answer = staff.get(path)
        assert (answer.status_code, "10" in answer.get_data(as_text=True)) == (200, True)


PATHS = ("/billing", "/billing/entries.csv", "/billing/statements", "/billing/statements/2026-11", f"/billing/entries/{UUID(int=1)}")


@pytest.mark.parametrize("path", PATHS)
def test_strangers_are_sent_to_sign_in(app: Flask, path: str) -> None:
    answer: Any = app.test_client().get(path)

    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/sign-in")


def test_whoever_signed_up_is_not_sent_to_whoever_gave_the_account(make_app: Any) -> None:
    """Nobody did. In development the page says what gives credit, and nowhere else."""
    texts = {}
    for env in ("development", "testing"):
        app = make_app(RESELLER_ENV=env)
        with app.app_context(), acting_as_operator():
            person = factories.make_person(email=f"{env}@example.com")
            texts[env] = text_of(client_of(app, Role.CUSTOMER, person=person), "/billing")

    assert "flask credits grant development@example.com 10 --reason trying" in texts["development"]
    assert "flask credits" not in texts["testing"]
    for text in texts.values():
        assert "has not said yet where to ask for credit" in text
        assert "gave you this account" not in text

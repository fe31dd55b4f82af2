"""The ledger's page: every line leads to what made it, nothing on it is a hash, and no text of it is a formula."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id, now
from reseller.domain import ledger
from reseller.domain.accounts import Person, Role
from reseller.domain.ledger import EntryDraft, EntryKind, LedgerEntry
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying
from tests.staff import client_of

FORMULA = '=HYPERLINK("https://evil.example","click")'


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.FINANCE)


@pytest.fixture
def ann(app: Flask) -> Person:
    return factories.make_person(email="ann@example.com", company="Ann & Co")


def post(who: Person, kind: EntryKind = EntryKind.TOP_UP, usd: str = "5", **facts: str) -> LedgerEntry:
    reference = facts.pop("reference", str(new_id()))
    amount = int(Decimal(usd).scaleb(9))
    return ledger.post(EntryDraft(who.account_id, kind, amount, reference, facts.pop("actor", "cli:root"), **facts))


def page(client: FlaskClient, address: str = "/admin/ledger/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def exported(client: FlaskClient, address: str = "/admin/ledger/export/csv/") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page(client, address))))


def test_a_line_says_who_when_why_how_much_and_what_is_left(client: FlaskClient, ann: Person) -> None:
    post(ann, usd="5")
    post(ann, EntryKind.ADJUSTMENT, "-1.25", reason="typed twice")

    text = page(client)

    for words in ("Ann &amp; Co", "typed twice", "command line (root)", "-$1.25", "$3.75", "adjustment", "top-up"):
        assert words in text


def test_no_page_or_file_shows_a_hash(client: FlaskClient, ann: Person) -> None:
    entry = post(ann)
    entry_hash, previous = entry.entry_hash, entry.previous_hash

    shown = page(client) + page(client, f"/admin/ledger/details/?id={entry.id}") + page(client, "/admin/ledger/export/csv/")

    assert entry_hash not in shown
    assert previous not in shown
    assert "hash" not in shown.lower()


def test_a_correction_leads_to_what_it_corrects(client: FlaskClient, ann: Person) -> None:
    wrong = post(ann, EntryKind.ADJUSTMENT, "5")
    right = ledger.post(EntryDraft(ann.account_id, EntryKind.ADJUSTMENT, -1, str(new_id()), "cli:root", corrects_id=wrong.id))

    assert f"/admin/ledger/details/?id={wrong.id}" in page(client, f"/admin/ledger/details/?id={right.id}")


def test_usage_leads_to_the_calls_of_that_account_and_day(client: FlaskClient, ann: Person) -> None:
    post(ann)
    day = (now() - timedelta(days=1)).date()
    spent = "UPDATE balances SET unposted_nano = 7, settled_nano = settled_nano - 7, usage_day = :day WHERE account_id = :id"
    scenes.execute(spent, day=day, id=ann.account_id)
    ledger.post_usage_day(ann.account_id, now().date())

    text = page(client, "/admin/ledger/?kind=usage")

    assert f"calls of {day}" in text


def test_a_top_up_leads_to_its_payment_and_payments_are_nothing_else(client: FlaskClient, ann: Person) -> None:
    begun = paying.buy(ann, "5")
    post(ann, EntryKind.ADJUSTMENT, "1", reference="adj-1")

    payments = page(client, "/admin/payments/")

    leads = f"/admin/payments/details/?id={begun.payment_id}"
    assert leads in page(client)
    assert leads in payments
    assert "adj-1" not in payments


def test_an_entry_that_is_no_payment_is_not_found_among_payments(client: FlaskClient, ann: Person) -> None:
    entry = post(ann, EntryKind.ADJUSTMENT, "1")

    assert client.get(f"/admin/payments/details/?id={entry.id}").status_code == 404


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("kind=refund", {"r"}),
        ("account=bob@example.com", {"b"}),
        ("account=nobody@example.com", set()),
        ("reference=t", {"t"}),
        ("actor=boss@example.com", {"b"}),
        ("actor=cli:root", {"t", "r"}),
        ("kind=top_up&account=bob@example.com", {"b"}),
        ("from=2199-01-01", set()),
        ("to=2020-01-01", set()),
    ],
)
def test_filters_leave_what_they_say(client: FlaskClient, ann: Person, filters: str, found: set[str]) -> None:
    bob = factories.make_person(email="bob@example.com")
    boss = factories.make_person(email="boss@example.com", role=Role.FINANCE)
    post(ann, reference="t")
    post(ann, EntryKind.REFUND, "-1", reference="r")
    post(bob, reference="b", actor=f"user:{boss.user_id}")

    assert {row["Reference"] for row in exported(client, f"/admin/ledger/export/csv/?{filters}")} == found


def test_the_days_of_a_filter_are_whole_days_of_the_viewer(client: FlaskClient, ann: Person) -> None:
    post(ann, reference="today")
    today = now().date()

    both = exported(client, f"/admin/ledger/export/csv/?from={today}&to={today}")
    before = exported(client, f"/admin/ledger/export/csv/?to={today - timedelta(days=1)}")

    assert [row["Reference"] for row in both] == ["today"]
    assert before == []


def test_no_text_of_the_books_is_a_formula_in_a_spreadsheet(client: FlaskClient) -> None:
    who = factories.make_person(company=FORMULA)
    post(who, EntryKind.ADJUSTMENT, "2", reference=FORMULA, reason=FORMULA, actor=FORMULA)

    (row,) = exported(client)

    assert {row["Account"], row["Reference"], row["Reason"], row["Actor"], row["By whom"]} == {f"'{FORMULA}"}
    assert row["Amount"] == "2"


def test_the_pages_of_the_ledger_follow_each_other_without_gap_or_repeat(client: FlaskClient, ann: Person) -> None:
    references = [f"ref-{number:03}" for number in range(120)]
    for reference in references:
        post(ann, reference=reference)

    seen: list[str] = []
    address = "/admin/ledger/?kind=top_up"
    while address:
        text = page(client, address)
        seen += [reference for reference in reversed(references) if f">{reference}<" in text]
        after = text.partition("&amp;after=")[2] or text.partition("after=")[2]
        address = f"/admin/ledger/?kind=top_up&after={after[:36]}" if 'rel="next"' in text else ""

    assert seen == list(reversed(references))


@pytest.mark.parametrize(
    "address", ["details/?id=zzz", "details/?id=", "details/", "details/?id=99999999999999999999", "?after=zzz", "export/xlsx/", "nowhere/"]
)
def test_what_is_not_there_is_not_found(client: FlaskClient, ann: Person, address: str) -> None:
    post(ann)

    for view in ("ledger", "payments"):
        assert client.get(f"/admin/{view}/{address}").status_code == 404


def test_a_filter_that_cannot_be_meant_is_named_and_left_out(client: FlaskClient, ann: Person) -> None:
    post(ann, reference="t")

    text = page(client, "/admin/ledger/?kind=bribe&from=yesterday")

    assert "cannot be “bribe”" in text
    assert ">t<" in text


def test_support_reads_the_books_and_takes_no_file_home(app: Flask, ann: Person) -> None:
    """R24."""
    client = client_of(app, Role.SUPPORT)
    entry = post(ann)

    assert client.get("/admin/ledger/").status_code == 200
    assert client.get(f"/admin/ledger/details/?id={entry.id}").status_code == 200
    assert client.get("/admin/ledger/export/csv/").status_code == 403


@pytest.mark.parametrize("address", ["new/", "edit/", "delete/", "ajax/update/", "action/"])
def test_nobody_edits_the_ledger(app: Flask, ann: Person, address: str) -> None:
    """R2."""
    client = client_of(app, Role.ADMIN)
    entry = post(ann)

    answers = {client.open(f"/admin/ledger/{address}?id={entry.id}", method=method).status_code for method in ("GET", "POST")}

    assert answers <= {403, 404, 405}

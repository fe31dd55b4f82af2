"""The audit log in words: who, what, from what to what, why, from where; found by each of these (R37)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.accounts import Person, Role
from reseller.domain.desk.audit_log import words_of
from tests import factories
from tests.backoffice.operations.desk import exported, page, queries
from tests.domain import scenes
from tests.staff import client_of

FORMULA = '=HYPERLINK("https://evil.example")'


@pytest.fixture
def admin(app: Flask) -> Person:
    return factories.make_person(email="ann@example.com", role=Role.ADMIN)


@pytest.fixture
def client(app: Flask, admin: Person) -> FlaskClient:
    made = client_of(app, person=admin)
    scenes.execute("DELETE FROM staff_actions")
    return made


def record(actor: str = "cli:root", action: str = "upstream.switch", **facts: object) -> None:
    with transaction(), staff.acting_from(str(facts.pop("address", ""))):
        staff.record(actor, action, str(facts.pop("kind", "upstream")), facts.pop("subject", "acme"), **facts)  # type: ignore[arg-type]


def test_a_row_says_everything_in_words(client: FlaskClient, admin: Person) -> None:
    customer = factories.make_person(company="Bob & Co")
    changes = {"is_active": [True, False], "priority": [None, 3]}
    record(staff.actor_of(admin.user_id), reason="it fails", address="192.0.2.9", account_id=customer.account_id, changes=changes)

    text = page(client, "/admin/audit-log/")

    for words in (
        "ann@example.com",
        "switched upstream",
        "acme",
        "Bob &amp; Co",
        "it fails",
        "192.0.2.9",
        "is active",
        "<strong>no</strong>",
    ):
        assert words in text
    row = next(row for row in exported(client, "audit-log") if row["Why"])
    assert row["From → to"] == "priority: – → 3; is active: yes → no"


def test_what_was_written_is_text_and_nothing_else(client: FlaskClient) -> None:
    evil = "<script>alert(1)</script>"
    record(actor=evil, action=evil, subject=evil, kind=evil, reason=evil, changes={evil: ["", evil]})

    assert evil not in page(client, "/admin/audit-log/")


def test_changes_of_any_shape_are_shown(client: FlaskClient) -> None:
    """Rows are for ever; those of an older version are read, too."""
    for changes in ({}, {"ended": 3}, {"by": "totp"}, {"list": [1, 2, 3]}, {"map": {"a": 1}}, {"x": [{"a": 1}, None]}):
        record(changes=changes)

    texts = [row["From → to"] for row in exported(client, "audit-log")]

    # Ids of the same millisecond have no order.
    assert sorted(texts) == ["", "by: – → totp", "ended: – → 3", "list: – → [1, 2, 3]", "map: – → {'a': 1}", "x: {'a': 1} → –"]


def test_what_stayed_is_left_out_and_money_and_moments_are_words(client: FlaskClient) -> None:
    record(
        changes={
            "rpd": [10_000, 10_000],
            "rpm": [300, 2_000],
            "amount_usd": [None, "12.5"],
            "reverts_at": [None, "2026-11-26T05:15:46+00:00"],
        }
    )

    (row,) = exported(client, "audit-log")

    assert sorted(row["From → to"].split("; ")) == ["amount: – → $12.50", "reverts at: – → 2026-11-26 05:15 UTC", "rpm: 300 → 2,000"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("limit_preset.change", "changed limit preset"),
        ("user.change_role", "changed role of user"),
        ("credit.grant", "granted credit"),
        ("user.sign_in", "signed in"),
        ("user.enrol_second_factor", "enrolled second factor of user"),
        ("thing.ponder", "ponder thing"),
        ("odd", "odd "),
    ],
)
def test_actions_in_words(action: str, words: str) -> None:
    assert words_of(action) == words


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("actor=ann@example.com", {"b"}),
        ("actor=cli:root", {"a", "c"}),
        ("action=upstream", {"a", "b"}),
        ("action=limit preset", {"c"}),
        ("action=upstream.switch", {"a"}),
        ("subject=b", {"b"}),
        ("account=customer@example.com", {"c"}),
        ("to=2020-01-01", set()),
        ("from=2199-01-01", set()),
        ("from=TODAY&to=TODAY", {"a", "b", "c"}),
    ],
)
def test_filters_leave_what_they_say(client: FlaskClient, admin: Person, filters: str, found: set[str]) -> None:
    customer = factories.make_person(email="customer@example.com")
    scenes.execute("DELETE FROM staff_actions")
    today = now().date().isoformat()
    record(subject="a")
    record(staff.actor_of(admin.user_id), "upstream.add", subject="b")
    record(action="limit_preset.add", subject="c", account_id=customer.account_id)

    assert {row["Subject"] for row in exported(client, "audit-log", filters.replace("TODAY", today))} == found


def test_no_text_of_the_log_is_a_formula(client: FlaskClient) -> None:
    record(FORMULA, FORMULA, kind=FORMULA, subject=FORMULA, reason=FORMULA, address=FORMULA, changes={FORMULA: ["a", "b"]})

    (row,) = exported(client, "audit-log")

    assert [name for name, value in row.items() if value.startswith(("=", "+", "-", "@"))] == []
    assert row["Why"] == f"'{FORMULA}"


def test_a_page_of_the_log_costs_a_fixed_number_of_queries(app: Flask, client: FlaskClient) -> None:
    """Fifty rows by fifty people: names are read once."""
    for _ in range(3):
        record(staff.actor_of(factories.make_person(role=Role.SUPPORT).user_id))
    with queries() as few:
        page(client, "/admin/audit-log/")
    for _ in range(40):
        record(staff.actor_of(new_id()), account_id=factories.make_person().account_id)
    with queries() as many:
        page(client, "/admin/audit-log/")

    assert len(many) <= len(few) + 1


def test_support_reads_the_log_and_only_admins_take_it_home(app: Flask) -> None:
    """R24."""
    assert client_of(app, Role.SUPPORT).get("/admin/audit-log/").status_code == 200
    assert client_of(app, Role.FINANCE).get("/admin/audit-log/export/csv/").status_code == 403


@pytest.mark.parametrize("address", ["?after=zzz", "export/xlsx/", "details/?id=zzz", "edit/?id=zzz", "new/"])
def test_what_is_not_there_is_not_found_and_nothing_is_edited(client: FlaskClient, address: str) -> None:
    assert client.get(f"/admin/audit-log/{address}").status_code in (403, 404)

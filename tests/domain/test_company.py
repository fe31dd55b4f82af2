"""Whom statements are made out to: what the owner wrote, tidy and bounded, with its audit row (R37)."""

import pytest
from flask import Flask

from reseller.database import acting_for
from reseller.domain import company
from reseller.domain.company import Details
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound
from tests import factories
from tests.domain import scenes

WHOLE = Details("Acme", "Acme GmbH & Co <b>", "DE 123", "Ring 1\n\n  10115   Berlin \r\nGermany")


def test_what_the_owner_wrote_stands_tidily_and_is_recorded(app: Flask) -> None:
    who = factories.make_person(full_name="Ann")

    company.change(who.account_id, WHOLE, by=who.user_id, seen_version=1)

    found = company.of(who.account_id)
    assert found.version == 2
    assert found.addressee == ("Acme GmbH & Co <b>", "Ring 1", "10115 Berlin", "Germany", "Tax ID DE 123")
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'account.change_company'")
    assert row["actor"] == f"user:{who.user_id}"
    assert row["account_id"] == who.account_id
    assert row["changes"]["tax_id"] == ["", "DE 123"]
    assert row["changes"]["account_name"] == ["Ann", "Acme"]


def test_what_cannot_be_seen_is_kept_in_no_field(app: Flask) -> None:
    """A name must not turn the writing of a page or a statement around, nor end it."""
    who = factories.make_person()
    details = Details("Ac\x01me", "Good\u202eevil\u2066", "DE\x7f1\u200b", "Ring\u202e 1\n\u2067Wien\x00")

    company.change(who.account_id, details, by=who.user_id, seen_version=1)

    assert company.of(who.account_id).details == Details("Ac me", "Good evil", "DE 1", "Ring 1\nWien")


def test_an_account_without_a_company_is_addressed_by_its_name(app: Flask) -> None:
    who = factories.make_person(full_name="Ann")

    assert company.of(who.account_id).addressee == ("Ann",)


def test_saving_what_stands_there_changes_nothing(app: Flask) -> None:
    who = factories.make_person(full_name="Ann", company="Acme")
    details = company.of(who.account_id).details

    company.change(who.account_id, details, by=who.user_id, seen_version=7)

    assert details.company == "Acme"
    assert company.of(who.account_id).version == 1
    assert scenes.rows("SELECT * FROM staff_actions WHERE action = 'account.change_company'") == []


def test_the_second_of_two_editors_learns_of_the_first(app: Flask) -> None:
    who = factories.make_person()
    company.change(who.account_id, Details("First"), by=who.user_id, seen_version=1)

    with pytest.raises(Conflict):
        company.change(who.account_id, Details("Second"), by=who.user_id, seen_version=1)

    assert company.of(who.account_id).details.account_name == "First"


def test_nobody_but_the_owner_changes_it(app: Flask) -> None:
    """R23, R24."""
    who, other = factories.make_person(full_name="Ann"), factories.make_person()

    with pytest.raises(Forbidden):
        company.change(who.account_id, WHOLE, by=other.user_id, seen_version=None)
    with acting_for(other.account_id), pytest.raises(NotFound):
        company.change(who.account_id, WHOLE, by=who.user_id, seen_version=None)

    assert company.of(who.account_id).details == Details("Ann")


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (Details("  "), "account_name"),
        (Details("n" * 201), "account_name"),
        (Details("Acme", company="n" * 201), "company"),
        (Details("Acme", tax_id="1" * 41), "tax_id"),
        (Details("Acme", billing_address="s" * 501), "billing_address"),
        (Details("Acme", billing_address="street\n" * 9), "billing_address"),
    ],
)
def test_what_is_too_long_is_refused_with_its_field(app: Flask, details: Details, field: str) -> None:
    who = factories.make_person()

    with pytest.raises(InvalidRequest) as refused:
        company.change(who.account_id, details, by=who.user_id, seen_version=None)

    assert refused.value.param == field

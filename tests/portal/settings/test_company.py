"""/settings/company: the owner's words about their account, and nobody else's (R23, R37)."""

from collections.abc import Callable

from flask import Flask

from reseller.domain import company
from reseller.domain.company import Details
from tests import factories
from tests.portal.visitor import Visitor
from tests.staff import client_of

Visitors = Callable[..., Visitor]

FIELDS = {"account_name": "Able <i>", "company": "Able & Co", "tax_id": "ATU1", "billing_address": "Ring 1\r\n1010 Wien"}


def test_the_company_is_saved_and_shown_to_its_owner_and_to_staff(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(full_name="Ann"), visitor()
    browser.sign_in(person.email)

    answer = browser.post("/settings/company", version="1", **FIELDS)

    page = browser.get("/settings/company").get_data(as_text=True)
    assert answer.location == "/settings/company"
    assert 'value="Able &amp; Co"' in page
    assert "Ring 1\n1010 Wien</textarea>" in page
    desk = client_of(app).get(f"/admin/customers/{person.account_id}/").get_data(as_text=True)
    assert "Able &amp; Co\nRing 1\n1010 Wien\nTax ID ATU1</address>" in desk
    assert "Able &lt;i&gt;" in desk
    assert "Able <i>" not in desk


def test_a_second_tab_that_saves_later_is_told(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)
    browser.post("/settings/company", version="1", **FIELDS)

    answer = browser.post("/settings/company", version="1", **(FIELDS | {"tax_id": "other"}))

    assert answer.status_code == 409
    assert company.of(person.account_id).details.tax_id == "ATU1"


def test_fields_of_one_s_own_making_change_nothing_else(app: Flask, visitor: Visitors) -> None:
    """Mass assignment, and the account of somebody else in the form (R23)."""
    person, other, browser = factories.make_person(), factories.make_person(full_name="Bob"), visitor()
    browser.sign_in(person.email)

    browser.post("/settings/company", account_id=str(other.account_id), status="suspended", id=str(other.account_id), **FIELDS)

    assert company.of(other.account_id).details == Details("Bob")
    assert company.of(person.account_id).details.company == "Able & Co"


def test_what_is_too_long_is_said_beside_its_field(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(full_name="Ann"), visitor()
    browser.sign_in(person.email)

    answer = browser.post("/settings/company", **(FIELDS | {"tax_id": "1" * 41}))

    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert 'aria-describedby="tax_id-help tax_id-errors"' in page
    assert company.of(person.account_id).details == Details("Ann")

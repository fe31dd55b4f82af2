"""What all forms of staff have in common: versions that are numbers, and the way back after the second factor was asked for."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from reseller.database import transaction
from reseller.domain.accounts import Role
from tests import factories
from tests.staff import client_of

ENDLESS = "9" * 5_000


def test_a_version_without_end_is_a_conflict_and_no_error_of_ours(app: Flask) -> None:
    """Python refuses to read a number of so many digits."""
    admin, customer = client_of(app, Role.ADMIN), factories.make_person()

    limits = admin.post(
        f"/admin/customers/{customer.account_id}/limits/", data={"version": ENDLESS, "span": "1", "rpm": "5", "reason": "x"}
    )
    rule = admin.post("/admin/prices/publish/", data={"version": ENDLESS, "pattern": "*", "markup": "5", "reason": "x"})
    profile = admin.post("/settings/profile", data={"version": ENDLESS, "full_name": "Ann", "time_zone": "Europe/Berlin"})

    assert [answer.status_code for answer in (limits, rule, profile)] == [409, 409, 400]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_form_that_asks_for_the_second_factor_leads_back_to_its_page(app: Flask, scheme: str) -> None:
    """TLS ends in front of us: the browser says https where we see http."""
    admin = _not_confirmed(app)

    answer = admin.post("/admin/prices/retire/", headers={"Referer": f"{scheme}://localhost/admin/prices/?state=all"})

    assert answer.location == "/sign-in/confirm?next=/admin/prices/?state%3Dall"


@pytest.mark.parametrize(
    "referrer", ["", "https://localhost.evil.example/a", "https://evil.example/localhost/", "ftp://localhost/a", "localhost/a"]
)
def test_the_page_of_somebody_else_is_not_led_back_to(app: Flask, referrer: str) -> None:
    admin = _not_confirmed(app)

    answer = admin.post("/admin/prices/retire/", headers={"Referer": referrer})

    assert answer.location == "/sign-in/confirm?next=/"


def _not_confirmed(app: Flask) -> FlaskClient:
    admin = client_of(app, Role.ADMIN)
    with transaction() as session:
        session.execute(text("UPDATE sessions SET confirmed_at = now() - interval '1 day'"))
    return admin

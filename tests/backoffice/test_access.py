"""Who gets into the back office (R24, R26)."""

from flask import Flask

from reseller.domain.accounts import Role
from tests.staff import client_of


def test_staff_with_a_second_factor_get_in(app: Flask) -> None:
    assert client_of(app, Role.SUPPORT).get("/admin/").status_code == 200


def test_a_password_alone_does_not_open_the_back_office(app: Flask) -> None:
    """R26."""
    answer = client_of(app, Role.ADMIN, has_second_factor=False).get("/admin/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in")


def test_a_customer_is_told_that_this_is_not_for_them(app: Flask) -> None:
    answer = client_of(app, Role.CUSTOMER).get("/admin/")

    assert answer.status_code == 403
    assert "This page is for staff" in answer.text

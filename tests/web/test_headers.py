"""What every answer of a page says to browsers and to whoever stands between."""

from collections.abc import Callable

import pytest
from flask import Flask

from reseller.domain.accounts import Role
from tests.staff import client_of


@pytest.mark.parametrize(
    "path", ["/admin/customers/", "/admin/customers/export/csv/", "/admin/business/export/", "/admin/people/details/", "/nowhere"]
)
def test_nobody_keeps_what_was_behind_a_sign_in(app: Flask, path: str) -> None:
    """A file of everybody's addresses, too, stays in no cache of a shared machine."""
    answer = client_of(app, Role.ADMIN).get(path)

    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("/admin", "/admin/"),
        ("/admin/customers?status=active", "/admin/customers/?status=active"),
    ],
)
def test_a_redirect_to_the_address_with_its_slash_names_no_host(dry_app: Flask, asked: str, answered: str) -> None:
    """Behind TLS it would lead to http://, and a forged Host would lead elsewhere."""
    answer = dry_app.test_client().get(asked, headers={"Host": "evil.example"})

    assert answer.status_code == 308
    assert answer.headers["Location"] == answered


def test_browsers_come_back_by_tls_only_where_there_is_tls(dry_app: Flask, make_app: Callable[..., Flask]) -> None:
    behind_tls = make_app(PUBLIC_URL="https://api.example.com")

    assert "Strict-Transport-Security" not in dry_app.test_client().get("/sign-in").headers
    assert behind_tls.test_client().get("/nowhere").headers["Strict-Transport-Security"] == "max-age=31536000"

"""What every answer of a page says to browsers and to whoever stands between."""

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

"""Errors of pages are pages, in plain words, with the right status."""

import pytest
from flask import Flask, abort
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from reseller.domain.accounts import Role
from reseller.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refusal
from reseller.web import error_pages
from tests.staff import client_of


def assert_page(answer: TestResponse, status: int) -> None:
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert answer.text.startswith("<!doctype html>")
    assert f"Error {status}" in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_a_path_that_leads_nowhere(app: Flask) -> None:
    assert_page(app.test_client().get("/nowhere"), 404)


def test_a_page_of_another_role(app: Flask) -> None:
    assert_page(client_of(app, Role.CUSTOMER).get("/admin/"), 403)


def test_a_form_without_its_token(app: Flask) -> None:
    """R25."""
    answer = app.test_client().post("/sign-out")

    assert_page(answer, 400)
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize(("kind", "status"), [(NotFound, 404), (Conflict, 409), (Forbidden, 403), (InvalidRequest, 400)])
def test_a_refusal_of_the_domain(app: Flask, kind: type[Refusal], status: int) -> None:
    with app.test_request_context("/"):
        answer = error_pages.of_refusal(kind("No <b>such</b> thing."))

    assert answer.status_code == status
    assert "No &lt;b&gt;such&lt;/b&gt; thing." in answer.get_data(as_text=True)


def test_a_failure_of_ours_is_shown_without_asking_the_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that says "something went wrong" must not need what went wrong."""

    def gone(*_: object) -> None:
        raise ConnectionError

    client = client_of(app, Role.ADMIN)
    monkeypatch.setattr("reseller.domain.identity.sessions.find", gone)

    @app.get("/breaks")
    def breaks() -> str:
        abort(500)

    answer = client.get("/breaks")

    assert_page(answer, 500)


def test_a_database_that_does_not_answer_is_said_so_and_when_to_come_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """R13, for people: not a failure of the page, and not "nothing was changed" where nobody knows."""
    client = client_of(app, Role.ADMIN)
    monkeypatch.setattr("reseller.domain.identity.sessions.find", gone_away)

    answer = client.get("/settings")

    assert_page(answer, 503)
    assert answer.headers["Retry-After"] == "5"


def gone_away(*_: object, **__: object) -> None:
    raise OperationalError("SELECT 1", {}, ConnectionError("gone"))

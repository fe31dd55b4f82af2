"""Staff tell of an incident in the back office; the other doors show it."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain import uptime
from reseller.domain.accounts import Role
from tests.backoffice.operations.desk import audited, page
from tests.staff import client_of

FORM: dict[str, Any] = {
    "title": "Some calls fail",
    "impact": "major",
    "parts": ["api", "payments"],
    "words": "Since nine; we look into it.",
}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.SUPPORT)


def tell(client: FlaskClient, **changes: Any) -> Any:
    return client.post("/admin/incidents/new/", data=FORM | changes)


def test_what_support_tells_stands_on_the_status_page_at_once(app: Flask, client: FlaskClient) -> None:
    assert app.test_client().get("/status").status_code == 200

    answer = tell(client)

    assert answer.status_code == 302
    assert "Since nine; we look into it." in page(client, answer.headers["Location"])
    assert "Since nine; we look into it." in app.test_client().get("/status").text
    assert "Some calls fail" in app.test_client().get("/").text
    assert [row["address"] for row in audited("incident.open")] == ["127.0.0.1"]


def test_an_update_and_its_end(app: Flask, client: FlaskClient) -> None:
    address = tell(client).headers["Location"]
    update = {"state": "watching", "impact": "minor", "words": "Mended.", "version": "1"}

    assert client.post(f"{address}update/", data=update).status_code == 302
    stale = client.post(f"{address}update/", data=update | {"words": "Typed for long."})
    assert client.post(f"{address}update/", data=update | {"state": "resolved", "version": "2"}).status_code == 302

    assert stale.status_code == 409
    assert "Typed for long." in stale.text
    assert "Tell what is new" not in page(client, address)
    assert "Some calls fail" not in app.test_client().get("/").text
    assert [len(audited(f"incident.{verb}")) for verb in ("update", "resolve")] == [1, 1]


@pytest.mark.parametrize("changes", [{"title": ""}, {"parts": []}, {"words": " "}, {"impact": "awful"}, {"parts": ["moon"]}])
def test_what_cannot_be_told_stays_on_the_form(client: FlaskClient, changes: dict[str, Any]) -> None:
    answer = tell(client, **changes)

    assert answer.status_code == 400
    assert uptime.open_now() == ()
    assert ("Since nine" in answer.text) == ("words" not in changes)


def test_finance_reads_and_does_not_tell(app: Flask) -> None:
    finance = client_of(app, Role.FINANCE)

    assert tell(finance).status_code == 403
    assert "Tell of an incident" not in page(finance, "/admin/incidents/")


def test_before_the_first_one_the_page_says_so(client: FlaskClient) -> None:
    assert "None in 90 days" in page(client, "/admin/incidents/")

"""Upstreams in pages: switching asks for a reason, an admin and a fresh second factor; a key is never shown (R24, R37)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain import pricing
from reseller.domain.accounts import Role
from tests import factories
from tests.backoffice.operations.desk import audited, confirmations_are_old, job_ran, page
from tests.deployment import UPSTREAM_KEY
from tests.staff import client_of

ACME = {
    "name": "acme",
    "base_url": "https://api.acme.example/v1",
    "key_variable": "UPSTREAM_ACME_KEY",
    "priority": "3",
    "reason": "cheaper",
}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    factories.make_upstream()
    return client_of(app, Role.ADMIN)


def switch(client: FlaskClient, to: str = "off", **changes: Any) -> Any:
    form = {"name": "openrouter", "to": to, "version": "1", "reason": "it fails"}
    return client.post("/admin/upstreams/switch/", data=form | changes)


def is_on(name: str = "openrouter") -> bool:
    return name in pricing.active_upstreams()


def test_the_list_says_what_can_be_sold_and_reached_and_shows_no_key(client: FlaskClient) -> None:
    factories.make_model()
    job_ran("sync catalogue", result="openrouter: 3 added")
    pricing.register_upstream("far", pricing.UpstreamKind.OPENAI, base_url="https://far.example/v1", key_variable="UPSTREAM_FAR_KEY")

    text = page(client, "/admin/upstreams/")

    for words in ("openrouter", "OPENROUTER_API_KEY", "set here", "UPSTREAM_FAR_KEY", "missing here", "openrouter: 3 added"):
        assert words in text
    assert UPSTREAM_KEY not in text


def test_an_open_breaker_of_this_process_is_seen(app: Flask, client: FlaskClient) -> None:
    before = page(client, "/admin/upstreams/")
    breaker = app.extensions["reseller"].upstreams["openrouter"].breaker
    for _ in range(20):
        breaker.failed(breaker.enter())

    assert "calls are refused" not in before
    assert "calls are refused" in page(client, "/admin/upstreams/")


def test_switching_is_traced_and_of_two_the_second_learns_of_the_first(client: FlaskClient) -> None:
    off, on = switch(client), switch(client, "on", version="2")
    late = switch(client)

    assert (off.status_code, on.status_code, late.status_code) == (302, 302, 409)
    assert is_on()
    assert [(row["reason"], row["address"], row["changes"]) for row in audited("upstream.switch")] == [
        ("it fails", "127.0.0.1", {"is_active": [True, False]}),
        ("it fails", "127.0.0.1", {"is_active": [False, True]}),
    ]


@pytest.mark.parametrize("changes", [{"reason": " "}, {"to": "sideways"}, {"version": ""}, {"version": "٣"}, {"name": "nobody"}])
def test_a_form_that_is_not_whole_switches_nothing(client: FlaskClient, changes: dict[str, str]) -> None:
    assert switch(client, **changes).status_code in (400, 404)
    assert is_on()


def test_an_added_upstream_is_listed(client: FlaskClient) -> None:
    answer = client.post("/admin/upstreams/new/", data=ACME)

    assert answer.status_code == 302
    assert "UPSTREAM_ACME_KEY" in page(client, "/admin/upstreams/")
    assert [row["reason"] for row in audited("upstream.add")] == ["cheaper"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("name", "openrouter", 409),
        ("name", "", 400),
        ("base_url", "http://api.acme.example/v1", 400),
        ("key_variable", "SECRET_KEY", 400),
        ("priority", "high", 400),
        ("reason", "", 400),
    ],
)
def test_what_cannot_be_is_told_at_its_field(client: FlaskClient, field: str, value: str, status: int) -> None:
    answer = client.post("/admin/upstreams/new/", data=ACME | {field: value})

    assert answer.status_code == status
    assert f'id="{field}-errors"' in answer.text
    assert "acme" not in pricing.active_upstreams()


def test_switching_and_adding_ask_for_the_second_factor_again(client: FlaskClient) -> None:
    """R24."""
    confirmations_are_old()

    answers = [switch(client), client.get("/admin/upstreams/new/"), client.post("/admin/upstreams/new/", data=ACME)]

    assert [(answer.status_code, answer.headers["Location"].startswith("/sign-in/confirm")) for answer in answers] == [(302, True)] * 3
    assert is_on()
    assert not is_on("acme")


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_others_look_and_change_nothing(app: Flask, client: FlaskClient, role: Role) -> None:
    """R24."""
    other = client_of(app, role)

    assert switch(other).status_code == 403
    assert other.post("/admin/upstreams/new/", data=ACME).status_code == 403
    assert "Switch off" not in page(other, "/admin/upstreams/")

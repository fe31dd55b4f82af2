"""Limit presets in forms: two editors, figures that cannot be, roles, and who left which trace (R24, R37)."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain import limits
from reseller.domain.accounts import Role
from tests.backoffice.operations.desk import audited, exported, page
from tests.staff import client_of

FORM = {"name": "Starter", "requests_per_minute": "60", "requests_per_day": "", "reason": "for newcomers"}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.ADMIN)


@pytest.fixture
def preset(app: Flask) -> UUID:
    return limits.add_preset("Starter", {"requests_per_minute": 60}, actor="test", reason="for newcomers")


def edit(client: FlaskClient, preset: UUID, **changes: Any) -> Any:
    return client.post(f"/admin/presets/edit/?id={preset}", data=FORM | {"version": "1"} | changes)


def figures() -> list[tuple[str, int | None]]:
    return [(row.name, row.requests_per_minute) for row in limits.all_presets()]


def test_a_preset_made_in_the_form_stands_in_the_list(client: FlaskClient) -> None:
    answer = client.post("/admin/presets/new/", data=FORM)

    text = page(client, "/admin/presets/")
    assert answer.status_code == 302
    assert "Starter" in text
    assert "no limit" in text
    (row,) = audited("limit_preset.add")
    assert (row["reason"], row["address"], row["actor"].startswith("user:")) == ("for newcomers", "127.0.0.1", True)


def test_the_second_of_two_editors_sees_what_they_typed_and_a_warning(client: FlaskClient, preset: UUID) -> None:
    edit(client, preset, requests_per_minute="90")

    late = edit(client, preset, requests_per_minute="10", name="Mine")

    assert late.status_code == 409
    assert "in the meantime" in late.text
    assert 'value="Mine"' in late.text
    assert figures() == [("Starter", 90)]


def test_a_name_that_is_taken_is_told_at_its_field(client: FlaskClient, preset: UUID) -> None:
    answer = client.post("/admin/presets/new/", data=FORM)

    assert answer.status_code == 409
    assert "named “Starter” already" in answer.text
    assert 'id="name-errors"' in answer.text


@pytest.mark.parametrize("figure", ["0", "-1", "1.5", "1_000", "٣", "1e3", "99999999999", "x"])
def test_a_figure_that_is_none_is_told_at_its_field(client: FlaskClient, figure: str) -> None:
    answer = client.post("/admin/presets/new/", data=FORM | {"requests_per_minute": figure})

    assert answer.status_code == 400
    assert 'id="requests_per_minute-errors"' in answer.text
    assert figures() == []


@pytest.mark.parametrize("version", ["", "x", "٣", "-1"])
def test_a_form_without_its_version_changes_nothing(client: FlaskClient, preset: UUID, version: str) -> None:
    assert edit(client, preset, version=version, requests_per_minute="1").status_code == 409
    assert client.post("/admin/presets/delete/", data={"id": preset, "version": version, "reason": "x"}).status_code == 409
    assert figures() == [("Starter", 60)]


def test_deleting_wants_a_reason_and_the_version_that_was_seen(client: FlaskClient, preset: UUID) -> None:
    without = client.post("/admin/presets/delete/", data={"id": preset, "version": "1", "reason": " "})
    stale = client.post("/admin/presets/delete/", data={"id": preset, "version": "7", "reason": "unused"})
    done = client.post("/admin/presets/delete/", data={"id": preset, "version": "1", "reason": "unused"})

    assert (without.status_code, stale.status_code, done.status_code) == (400, 409, 302)
    assert figures() == []
    assert [row["reason"] for row in audited("limit_preset.remove")] == ["unused"]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_only_admins_change_presets(app: Flask, preset: UUID, role: Role) -> None:
    """R24."""
    client = client_of(app, role)

    statuses = [
        client.get("/admin/presets/new/").status_code,
        client.post("/admin/presets/new/", data=FORM).status_code,
        edit(client, preset).status_code,
        client.post("/admin/presets/delete/", data={"id": preset, "version": "1", "reason": "x"}).status_code,
        client.get("/admin/presets/export/csv/").status_code,
    ]

    assert statuses == [403] * 5
    assert "Starter" in page(client, "/admin/presets/")


@pytest.mark.parametrize("row_id", ["", "zzz", "99999999999999999999", "01900000-0000-7000-8000-000000000000"])
def test_a_preset_that_is_not_there_is_not_found(client: FlaskClient, row_id: str) -> None:
    assert client.get(f"/admin/presets/edit/?id={row_id}").status_code == 404
    assert client.post("/admin/presets/delete/", data={"id": row_id, "version": "1", "reason": "x"}).status_code == 404


def test_a_name_is_no_formula_in_a_spreadsheet(client: FlaskClient) -> None:
    client.post("/admin/presets/new/", data=FORM | {"name": "=HYPERLINK(1)"})

    (row,) = exported(client, "presets")
    assert (row["Name"], row["Requests per minute"]) == ("'=HYPERLINK(1)", "60")

"""Jobs and the set-up list in pages: run now really runs, confirmations are people's, and roles hold (R24, R37)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Role
from reseller.worker import loop
from reseller.worker.schedule import JOBS
from tests import factories
from tests.backoffice.operations.desk import audited, job_ran, page
from tests.domain import scenes
from tests.staff import client_of

WAITING = "as soon as a worker looks"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.ADMIN)


def run(client: FlaskClient, name: str = "verify ledger", reason: str = "the figures look odd") -> Any:
    return client.post("/admin/jobs/run/", data={"name": name, "reason": reason})


def test_before_a_worker_ran_the_list_says_what_to_start(client: FlaskClient) -> None:
    assert "flask worker" in page(client, "/admin/jobs/")


def test_after_one_round_of_a_worker_every_job_is_listed_with_its_interval(app: Flask, client: FlaskClient) -> None:
    loop.run_once(app)

    text = page(client, "/admin/jobs/")

    assert [job.name for job in JOBS if f"<td>{job.name}</td>" not in text] == []
    assert scenes.rows("SELECT name FROM job_runs WHERE every_seconds IS NULL") == []


def test_run_now_really_runs_in_the_next_worker_though_the_job_is_not_due(app: Flask, client: FlaskClient) -> None:
    loop.run_once(app)
    before = scenes.rows("SELECT started_at FROM job_runs WHERE name = 'verify ledger'")

    answer = run(client)
    waiting = page(client, "/admin/jobs/")
    lines: list[str] = []
    loop.run_once(app, lines.append)

    assert answer.status_code == 302
    assert WAITING in waiting
    assert any(line.startswith("verify ledger: ") and "all agree" in line for line in lines)
    assert scenes.rows("SELECT started_at FROM job_runs WHERE name = 'verify ledger'") != before
    assert WAITING not in page(client, "/admin/jobs/")
    assert [(row["reason"], row["address"]) for row in audited("job.request")] == [("the figures look odd", "127.0.0.1")]


def test_a_second_click_while_the_first_waits_is_told_so(client: FlaskClient) -> None:
    job_ran("verify ledger")
    run(client)

    again = run(client)

    assert again.status_code == 409
    assert "already" in again.text
    assert len(audited("job.request")) == 1


@pytest.mark.parametrize(("name", "reason", "status"), [("no such job", "x", 404), ("", "x", 404), ("verify ledger", " ", 400)])
def test_what_cannot_be_asked_for_is_told(client: FlaskClient, name: str, reason: str, status: int) -> None:
    job_ran("verify ledger")

    assert run(client, name, reason).status_code == status


def test_a_failure_is_shown_with_its_error_and_the_last_success(client: FlaskClient) -> None:
    job_ran("tidy", result="3 tidied")
    scenes.execute("UPDATE job_runs SET started_at = started_at - interval '1 hour', finished_at = finished_at - interval '1 hour'")
    job_ran("tidy", error="RuntimeError: <b>disk</b> on fire")

    text = page(client, "/admin/jobs/")

    assert "RuntimeError: &lt;b&gt;disk&lt;/b&gt; on fire" in text
    assert "last went well" in text


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_others_look_and_run_nothing(app: Flask, role: Role) -> None:
    """R24."""
    job_ran("tidy")
    client = client_of(app, role)

    assert run(client, "tidy").status_code == 403
    assert "Run now" not in page(client, "/admin/jobs/")


def test_the_set_up_list_counts_and_leads_to_where_it_is_mended(client: FlaskClient) -> None:
    text = page(client, "/admin/set-up/")

    assert "of 15" in text
    assert 'href="/admin/jobs/"' in text
    assert 'href="/admin/people/"' in text
    assert "Not production" in text


def test_a_confirmation_is_shown_with_its_author_and_withdrawn_again(app: Flask) -> None:
    client = client_of(app, person=factories.make_person(email="ann@example.com", role=Role.ADMIN))
    form = {"name": "upstream_agreement", "reason": "letter of 1 May <i>"}

    given, twice = client.post("/admin/set-up/confirm/", data=form), client.post("/admin/set-up/confirm/", data=form)
    text = page(client, "/admin/set-up/")
    withdrawn = client.post("/admin/set-up/withdraw/", data=form | {"reason": "they cancelled"})

    assert (given.status_code, twice.status_code, withdrawn.status_code) == (302, 409, 302)
    assert "ann@example.com" in text
    assert "letter of 1 May &lt;i&gt;" in text
    assert [row["address"] for row in audited("set_up.confirm") + audited("set_up.withdraw")] == ["127.0.0.1"] * 2


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
@pytest.mark.parametrize("what", ["confirm", "withdraw"])
def test_only_admins_confirm(app: Flask, role: Role, what: str) -> None:
    """R24."""
    answer = client_of(app, role).post(f"/admin/set-up/{what}/", data={"name": "upstream_agreement", "reason": "x"})

    assert answer.status_code == 403

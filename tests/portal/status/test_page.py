"""The public status page: what happened at one door is told at this one, to strangers, without a look at the database for each."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller import tally
from reseller.domain import uptime
from reseller.domain.accounts import Role
from reseller.domain.uptime import IncidentDraft
from reseller.heart import Heart
from reseller.web import service_news
from reseller.worker import loop
from reseller.worker.schedule import JOBS
from tests import factories
from tests.backoffice.operations.desk import queries
from tests.staff import client_of

EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    tally.take()
    yield
    tally.take()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept between two looks."""
    monkeypatch.setattr(service_news, "KEPT_SECONDS", -1.0)


def add_up(app: Flask) -> None:
    """A second of the heart and a round of the clock's job."""
    Heart(app, "web").tick()
    next(job for job in JOBS if job.name == "sum up service").run(None)  # type: ignore[arg-type]


def status(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/status.json")
    assert answer.status_code == 200
    found = answer.json
    assert found is not None
    return found


def part(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["components"] if each["id"] == name)


def opened(app: Flask, **changes: Any) -> Any:
    draft: dict[str, Any] = {"title": "Some calls fail", "impact": "minor", "parts": ["api"], "words": "We look into it."}
    return uptime.open_incident(IncidentDraft(**(draft | changes)), user_id=factories.make_person(role=Role.SUPPORT).user_id)


@pytest.mark.usefixtures("fresh")
def test_pages_that_strangers_open_are_the_website(app: Flask) -> None:
    """From a page's answer over the heart and the clock to the status."""
    for path in ("/", "/prices", "/docs"):
        assert app.test_client().get(path).status_code == 200
    app.test_client().get("/status")  # whoever polls the status is no visitor
    client_of(app, Role.ADMIN).get("/admin/")  # and staff are no customers

    add_up(app)

    assert part(status(app.test_client()), "website")["windows"]["hour"]["good_percent"] == "100.00"
    assert service_news.HISTORY.days == 90
    assert [(row.part, row.good, row.bad) for row in service_rows()] == [("website", 3, 0)]


def service_rows() -> list[Any]:
    return service_news.db.session.query(uptime.ServiceSlot).all()


@pytest.mark.usefixtures("fresh")
def test_a_page_that_breaks_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("a bug")

    monkeypatch.setitem(app.view_functions, "price_list.show", broken)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    for _ in range(3):
        assert app.test_client().get("/prices").status_code == 500

    add_up(app)

    website = part(status(app.test_client()), "website")
    assert (website["status"], website["windows"]["hour"]["good_percent"]) == ("down", "0.00")
    assert status(app.test_client())["status"] == "down"
    assert "Something is down" in app.test_client().get("/status").text


@pytest.mark.usefixtures("fresh")
def test_calls_that_found_no_database_are_told_of_the_api(app: Flask, make_app: Any) -> None:
    alone = make_app(DATABASE_URL="postgresql://reseller@127.0.0.1:9/none")
    key = factories.make_key(factories.make_person())
    for _ in range(3):
        answer = alone.test_client().get("/v1/credits", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 503

    add_up(app)

    assert part(status(app.test_client()), "api")["status"] == "down"


@pytest.mark.usefixtures("fresh")
def test_an_incident_is_told_on_the_page_and_above_others_until_it_is_resolved(app: Flask) -> None:
    add_up(app)
    incident_id = opened(app, title=f"Some calls fail {EVIL}", words=f"Since nine. {EVIL}", impact="major")
    client = client_of(app, person=factories.make_person())

    found = status(app.test_client())
    page, portal = app.test_client().get("/status").text, client.get("/overview").text

    assert part(found, "api")["status"] == "down"
    assert found["incidents"][0]["updates"][0]["words"] == f"Since nine. {EVIL}"
    assert "Some calls fail" in page
    assert f"/status#{incident_id}" in portal
    assert EVIL not in page + portal

    author = factories.make_person(role=Role.SUPPORT).user_id
    uptime.add_update(incident_id, state="resolved", impact="major", words="Over.", user_id=author, seen_version=1)

    assert "Some calls fail" not in client.get("/overview").text
    assert part(status(app.test_client()), "api")["status"] == "operational"
    assert "Over." in app.test_client().get("/status").text


@pytest.mark.usefixtures("fresh")
def test_nobody_learns_who_wrote_it_or_how_much_is_sold(app: Flask) -> None:
    author = factories.make_person(role=Role.SUPPORT)
    draft = IncidentDraft("Slow", "minor", ["website"], "We look into it.")
    uptime.open_incident(draft, user_id=author.user_id)
    add_up(app)

    told = app.test_client().get("/status").text + app.test_client().get("/status.json").text

    assert "example.com" not in told
    assert set(re.findall(r'"(\w+)":', app.test_client().get("/status.json").text)) == {
        "status", "as_of", "is_fresh", "components", "incidents", "id", "name", "windows", "hour", "day", "quarter", "good_percent",
        "median_ms", "p95_ms", "title", "impact", "created_at", "resolved_at", "updates", "words",
    }  # fmt: skip


def test_a_crowd_of_strangers_is_one_look_at_the_database(app: Flask) -> None:
    add_up(app)
    status(app.test_client())

    with queries() as sent:
        for _ in range(20):
            assert app.test_client().get("/status").status_code == 200
            assert app.test_client().get("/status.json").headers["Cache-Control"] == "public, max-age=15"

    assert sent == []


@pytest.mark.usefixtures("fresh")
def test_without_a_database_it_says_that_it_cannot_tell(make_app: Any) -> None:
    alone = make_app(DATABASE_URL="postgresql://reseller@127.0.0.1:9/none").test_client()

    assert status(alone)["status"] == "unknown"
    page = alone.get("/status")
    assert page.status_code == 200
    assert "We cannot tell just now" in page.text


def test_payments_are_told_of_where_they_are_sold(app: Flask, make_app: Any) -> None:
    sells = make_app(STRIPE_SECRET_KEY="sk_test_x", STRIPE_WEBHOOK_SECRET="whsec_x")

    assert "payments" not in {each["id"] for each in status(app.test_client())["components"]}
    assert "payments" in {each["id"] for each in status(sells.test_client())["components"]}


def test_the_clock_adds_it_up_every_minute(app: Flask) -> None:
    told: list[str] = []

    loop.run_once(app, told.append)

    assert any(line.startswith("sum up service: 4 parts") for line in told)

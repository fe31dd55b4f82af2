"""View as the customer: staff look, at pages about the account alone, and change nothing (R23, R24, R37)."""

import uuid
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from reseller.database import acting_for, transaction
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import roles, viewings
from reseller.portal import PAGES
from reseller.portal.viewing import OWN_STEPS
from reseller.web import streams
from tests import factories
from tests.authenticator import standing_clock
from tests.domain import scenes
from tests.staff import ApartClient, client_of

TABLES = ("users", "accounts", "memberships", "api_keys", "balances", "ledger_entries", "sessions", "rate_limits", "staff_actions")


@pytest.fixture
def clock(app: Flask) -> Iterator[time_machine.Traveller]:
    with standing_clock() as standing:
        yield standing


def test_what_staff_do_as_themselves_is_still_there(app: Flask) -> None:
    assert set(app.view_functions) >= OWN_STEPS


def viewer_of(app: Flask, customer: Person, role: Role = Role.SUPPORT, person: Person | None = None) -> FlaskClient:
    """Somebody of staff who has begun to view as this customer."""
    client = client_of(app, role, person=person)
    begun = client.post(f"/admin/customers/{customer.account_id}/view-as/", data={"reason": "a ticket"})
    assert begun.location == "/overview"
    return client


def text_of(client: FlaskClient, path: str) -> str:
    return str(client.get(path).get_data(as_text=True))


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.ADMIN])
def test_staff_see_the_account_of_the_customer_below_a_banner(app: Flask, role: Role) -> None:
    customer = factories.make_person(usd="12.34", full_name="Ann <b>")

    client = viewer_of(app, customer, role)

    page = text_of(client, "/overview")
    assert "$12.34" in page
    assert "You see Ann &lt;b&gt; as the customer does." in page
    assert "End viewing" in page
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'viewing.begin'")
    assert (row["account_id"], row["reason"], row["address"]) == (customer.account_id, "a ticket", "127.0.0.1")
    assert "Viewed as the customer" in text_of(client, f"/admin/customers/{customer.account_id}/")


def test_the_end_leads_back_and_nothing_of_the_customer_is_seen_any_more(app: Flask) -> None:
    customer = factories.make_person(usd="12.34")
    client = viewer_of(app, customer)

    answer = client.post("/viewing/end")

    assert answer.location == f"/admin/customers/{customer.account_id}/"
    page = text_of(client, "/overview")
    assert "$12.34" not in page
    assert "End viewing" not in page
    assert client.post("/viewing/end").location == "/", "ended twice"


def changing_routes(app: Flask) -> list[tuple[str, str, str]]:
    """Every way to change something in the portal: method, address, endpoint."""
    names = {blueprint.name for blueprint in PAGES}
    return [
        (
            method,
            app.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, uuid.uuid4()), method=method),
            rule.endpoint,
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] in names
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
    ]


def test_every_form_of_the_portal_is_refused_and_changes_nothing(app: Flask) -> None:
    customer = factories.make_person(usd="5")
    client = viewer_of(app, customer)
    before = {table: scenes.rows(f"SELECT * FROM {table}") for table in TABLES}
    routes = changing_routes(app)

    answers = {
        path: client.open(path, method=method, data={"account_name": "Mallory", "full_name": "Mallory", "time_zone": "UTC"})
        for method, path, endpoint in routes
        if endpoint not in OWN_STEPS
    }

    assert len(answers) > 5
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 403} == {}
    assert all("You view as a customer, which is looking only" in answer.get_data(as_text=True) for answer in answers.values())
    assert {table: scenes.rows(f"SELECT * FROM {table}") for table in TABLES} == before


def test_even_a_page_that_would_write_cannot_while_somebody_looks(app: Flask) -> None:
    """The second wall: PostgreSQL itself refuses."""
    customer = factories.make_person()

    def rename() -> None:
        with acting_for(customer.account_id), transaction() as session:
            session.execute(text("UPDATE accounts SET name = 'Mallory'"))

    with acting_for(customer.account_id, may_write=False), pytest.raises(InternalError, match="read-only"):
        rename()
    unchanged = scenes.name_of(customer.account_id)
    rename()

    assert unchanged != "Mallory"
    assert scenes.name_of(customer.account_id) == "Mallory"


@pytest.mark.parametrize("path", ["/settings"])
def test_pages_about_a_person_are_neither_the_customers_nor_the_viewers(app: Flask, path: str) -> None:
    customer, person = factories.make_person(full_name="Ann"), factories.make_person(role=Role.SUPPORT)
    client = viewer_of(app, customer, person=person)

    answer = client.get(path)

    page = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "about a person" in page
    assert customer.email not in page
    assert "this browser" not in page


def test_the_company_is_shown_and_its_form_is_shut(app: Flask) -> None:
    customer = factories.make_person(company="Able Ltd")

    page = text_of(viewer_of(app, customer), "/settings/company")

    assert 'value="Able Ltd"' in page
    assert 'title="You are looking only"' in page
    assert 'href="/settings"' not in page


def test_a_viewing_lasts_half_an_hour(app: Flask, clock: time_machine.Traveller) -> None:
    customer = factories.make_person(usd="12.34")
    client = viewer_of(app, customer)
    clock.shift(viewings.LASTS)

    stream = client.get("/overview", headers={"Accept": "text/event-stream"})
    sent = client.post("/settings/company", data={"account_name": "Mallory"})
    after = text_of(client, "/overview")

    assert stream.status_code == 204
    assert sent.location == f"/admin/customers/{customer.account_id}/"
    assert "$12.34" not in after
    assert "Mallory" not in str(scenes.rows("SELECT name FROM accounts"))
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'viewing.end'")
    assert row["account_id"] == customer.account_id


def test_it_ends_with_the_role_and_with_the_session(app: Flask) -> None:
    """R24, R26."""
    customer = factories.make_person(usd="12.34")
    demoted, leaver = factories.make_person(role=Role.SUPPORT), factories.make_person(role=Role.SUPPORT)
    first, second = viewer_of(app, customer, person=demoted), viewer_of(app, customer, person=leaver)

    roles.change_role(demoted.user_id, Role.CUSTOMER, seen_version=None, actor="cli:test", reason="left")
    left = second.post("/sign-out")
    again = client_of(app, person=leaver)

    assert first.get("/overview").status_code == 302
    assert left.location == "/sign-in"
    assert "$12.34" not in text_of(client_of(app, person=demoted), "/overview")
    assert "$12.34" not in text_of(again, "/overview")


def test_other_sessions_and_other_people_see_what_they_saw(app: Flask) -> None:
    customer, person = factories.make_person(usd="12.34"), factories.make_person(role=Role.SUPPORT)
    viewer_of(app, customer, person=person)

    assert "$12.34" not in text_of(client_of(app, person=person), "/overview")
    own = client_of(app, person=customer, has_second_factor=False)
    assert "End viewing" not in text_of(own, "/overview")
    assert own.post("/settings/company", data={"account_name": "Still mine"}).status_code == 302
    assert scenes.name_of(customer.account_id) == "Still mine"


def test_a_customer_cannot_forge_a_viewing(app: Flask) -> None:
    """R23: neither by the page of staff, nor with words in the address, nor with a row of an earlier role."""
    victim, customer = factories.make_person(usd="12.34"), factories.make_person()
    client = client_of(app, person=customer, has_second_factor=False)

    asked = client.post(f"/admin/customers/{victim.account_id}/view-as/", data={"reason": "curious"})
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO viewings (id, session_id, user_id, account_id, reason, until, created_at) "
                "SELECT gen_random_uuid(), id, user_id, :account_id, 'x', now() + interval '1 hour', now() FROM sessions"
            ),
            {"account_id": victim.account_id},
        )

    assert asked.status_code == 403
    for path in ("/overview", f"/overview?account_id={victim.account_id}&account={victim.account_id}", "/settings/company"):
        assert "$12.34" not in text_of(client, path)
        assert "End viewing" not in text_of(client, path)


def test_without_a_second_factor_nobody_views(app: Flask) -> None:
    customer = factories.make_person()
    client = client_of(app, Role.ADMIN, has_second_factor=False)

    answer = client.post(f"/admin/customers/{customer.account_id}/view-as/", data={"reason": "a ticket"})

    assert answer.location.startswith("/sign-in")
    assert scenes.rows("SELECT * FROM viewings") == []


def test_nobody_views_without_a_reason_or_an_account(app: Flask) -> None:
    customer, client = factories.make_person(), client_of(app, Role.SUPPORT)

    silent = client.post(f"/admin/customers/{customer.account_id}/view-as/", data={"reason": " "})
    nobody = client.post(f"/admin/customers/{uuid.uuid4()}/view-as/", data={"reason": "a ticket"})

    assert (silent.status_code, nobody.status_code) == (400, 404)
    assert scenes.rows("SELECT * FROM viewings") == []


def test_a_live_figure_ends_with_the_viewing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.1)
    customer = factories.make_person(usd="12.34")
    client = viewer_of(app, customer)
    answer: Any = client.get("/overview/live", buffered=False, headers={"Accept": "text/event-stream"})
    stream = iter(answer.response)
    shown = next(event for event in stream if event.startswith(b"event: now"))

    client.post("/viewing/end")

    assert b"$12.34" in shown
    assert list(stream)[-1].startswith(b"event: over")


def press(client: FlaskClient, customer: Person) -> int:
    return client.post(f"/admin/customers/{customer.account_id}/view-as/", data={"reason": "a ticket"}).status_code


def in_same_browser(client: FlaskClient) -> FlaskClient:
    """Another request of the same browser, which may run at the same time."""
    app, name = client.application, client.application.config["SESSION_COOKIE_NAME"]
    cookie = client.get_cookie(name)
    assert cookie is not None
    twin = ApartClient(app, app.response_class, use_cookies=True)
    twin.set_cookie(name, cookie.value)
    return twin


def whose_sessions() -> set[UUID]:
    """Who is signed in, anywhere."""
    return {row["user_id"] for row in scenes.rows("SELECT user_id FROM sessions")}


def audited() -> list[str]:
    return sorted(row["action"] for row in scenes.rows("SELECT action FROM staff_actions WHERE action LIKE 'viewing.%'"))


def still_open() -> list[UUID]:
    return [row["account_id"] for row in scenes.rows("SELECT account_id FROM viewings WHERE ended_at IS NULL")]


def test_pressing_the_button_twice_leaves_one_viewing_and_one_way_out(app: Flask) -> None:
    """The same form again, as after "back"; then one end is the end."""
    customer, person = factories.make_person(usd="12.34"), factories.make_person(role=Role.SUPPORT)
    client = viewer_of(app, customer, person=person)

    again = press(client, customer)
    seen, changed = text_of(client, "/overview"), client.post("/settings/company", data={"account_name": "Mallory"}).status_code
    open_then = still_open()
    ended, after = client.post("/viewing/end").location, text_of(client, "/overview")

    assert (again, changed, open_then) == (302, 403, [customer.account_id])
    assert seen.count("End viewing") == 1
    assert ended == f"/admin/customers/{customer.account_id}/"
    assert "$12.34" not in after
    assert "End viewing" not in after
    assert audited() == ["viewing.begin", "viewing.begin", "viewing.end", "viewing.end"]
    assert whose_sessions() == {person.user_id}
    assert person.email in text_of(client, "/settings"), "the browser is the viewer's own, as before"


def test_pressing_it_many_times_at_once_leaves_one_viewing(app: Flask) -> None:
    """Guard: the lock on the session's row. Nobody sees a mistake of ours, and nobody sees two customers."""
    first, second = factories.make_person(usd="12.34"), factories.make_person(usd="56.78")
    person = factories.make_person(role=Role.SUPPORT)
    client = client_of(app, person=person)
    customers = iter([first, second] * 4)

    answers = scenes.in_threads(8, lambda: press(in_same_browser(client), next(customers)))

    assert answers == [302] * 8
    [seen] = still_open()
    page = text_of(client, "/overview")
    assert ("$12.34" in page, "$56.78" in page) == (seen == first.account_id, seen == second.account_id)
    assert audited() == ["viewing.begin"] * 8 + ["viewing.end"] * 7
    assert whose_sessions() == {person.user_id}


def test_nothing_is_changed_between_one_viewing_and_the_next(app: Flask) -> None:
    """R24: a form of the first customer's page must find neither a gap in which the viewer acts nor the second customer's account."""
    first, second = factories.make_person(full_name="Ann"), factories.make_person(full_name="Bob")
    person = factories.make_person(role=Role.SUPPORT, full_name="Sue")
    client = viewer_of(app, first, person=person)
    turns = iter(range(16))

    def step() -> int:
        browser, turn = in_same_browser(client), next(turns)
        if turn % 2:
            return press(browser, second if turn % 4 == 1 else first)
        return browser.post("/settings/company", data={"account_name": "Mallory"}).status_code

    answers = scenes.in_threads(8, step) + scenes.in_threads(8, step)

    assert sorted(answers) == [302] * 8 + [403] * 8
    assert sorted(row["name"] for row in scenes.rows("SELECT name FROM accounts")) == ["Ann", "Bob", "Sue"]
    assert len(still_open()) == 1


def test_two_browsers_of_one_viewer_see_a_customer_each_and_end_one_each(app: Flask) -> None:
    first, second = factories.make_person(usd="12.34"), factories.make_person(usd="56.78")
    person = factories.make_person(role=Role.SUPPORT)
    here, there = viewer_of(app, first, person=person), viewer_of(app, second, person=person)
    pages = [text_of(browser, "/overview") for browser in (here, there)]

    left = here.post("/viewing/end").location
    own, other = here.post("/settings/company", data={"account_name": "Sue's"}), there.post("/settings/company", data={"account_name": "x"})

    assert [("$12.34" in page, "$56.78" in page) for page in pages] == [(True, False), (False, True)]
    assert left == f"/admin/customers/{first.account_id}/"
    assert (own.status_code, other.status_code) == (302, 403)
    assert scenes.name_of(person.account_id) == "Sue's", "who views nobody acts as themselves"
    assert still_open() == [second.account_id]
    assert whose_sessions() == {person.user_id}
    assert scenes.name_of(second.account_id) != "x"


def test_the_form_of_an_ended_viewing_ends_no_other_persons(app: Flask) -> None:
    """Two members of staff look at the same customer; one goes, twice."""
    customer = factories.make_person(usd="12.34")
    one, other = viewer_of(app, customer), viewer_of(app, customer, Role.FINANCE)

    left = [one.post("/viewing/end").location for _ in range(2)]

    assert left == [f"/admin/customers/{customer.account_id}/", "/"]
    assert "End viewing" in text_of(other, "/overview")
    assert other.post("/settings/company", data={"account_name": "Mallory"}).status_code == 403

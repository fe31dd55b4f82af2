"""Every page of the back office, by every method, for everybody (R24): a walk over the routes that the app really has.

The table is the app's own: views, their addresses, and the roles that `access` declares. A page that nobody
declared, an address that belongs to no view and a table without a row fail here, so nothing can be forgotten.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from reseller.database import Base, acting_as_operator, transaction
from reseller.domain.accounts import Role
from tests import factories
from tests.backoffice import estate as estates
from tests.backoffice.addresses import address_of
from tests.backoffice.estate import Estate
from tests.backoffice.routes import Route, routes_of, strangers_below
from tests.deployment import Cluster, running_app, settings_over
from tests.staff import client_of

PARTS = 4  # so that two processes share the longest part
WITHOUT, LONG_AGO = " without second factor", " long ago"
STAFF = (Role.SUPPORT, Role.FINANCE, Role.ADMIN)
NO_SUCH = "01900000-0000-7000-8000-000000000000"
BAD_VALUES = ("zzz", "-1", "99999999999999999999999", NO_SUCH, "\x00", "%", "٣", "9999-99-99", "x" * 3_000, "")
NUMBER = re.compile(r"[+-]?\d[\d.,]*%?")
QUOTED = r"""(?:[^>"']|"[^"]*"|'[^']*')*?"""
INLINE = re.compile(rf"<(?:style\b|script(?!{QUOTED}\s(?:src=|type=.application/json))|[a-z]+{QUOTED}\s(?:style|on[a-z]+)=)", re.IGNORECASE)


PEOPLE = ("stranger", *(f"{role}{state}" for role in Role for state in ("", WITHOUT, LONG_AGO)))


@dataclass(slots=True)
class Walk:
    """The app on an estate of its own, and the people who walk through it."""

    app: Flask
    estate: Estate
    clients: dict[str, FlaskClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clients = {who: self._client(who) for who in PEOPLE}

    def __repr__(self) -> str:
        return "a walk"

    @property
    def routes(self) -> list[Route]:
        return routes_of(self.app)

    def _client(self, who: str) -> FlaskClient:
        """`stranger`, a role, that with ` without second factor`, or with ` long ago`: it was shown yesterday."""
        if who == "stranger":
            return self.app.test_client()
        with self.app.app_context(), acting_as_operator():
            person = factories.make_person(role=Role(who.split(" ")[0]))
            client = client_of(self.app, person=person, has_second_factor=not who.endswith(WITHOUT))
            if who.endswith(LONG_AGO):
                with transaction() as session:
                    session.execute(
                        text("UPDATE sessions SET confirmed_at = now() - interval '1 day' WHERE user_id = :id"), {"id": person.user_id}
                    )
        return client

    def ask(self, who: str, method: str, address: str, **more: Any) -> TestResponse:
        """The answer; an endless one is not read to its end."""
        return FlaskClient.open(self.clients[who], address, method=method, **more)

    def address(self, route: Route, **given: str) -> str:
        return address_of(route, self.estate, **given)


@pytest.fixture(scope="module")
def walk(cluster: Cluster, module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    settings = settings_over(module_database_url, tmp_path_factory.mktemp("walk"))
    with running_app(settings) as app:
        yield Walk(app, estates.settle(app, cluster.admin_url_of(module_database_url)))


@pytest.fixture(autouse=True)
def _forms_without_tokens(walk: Walk) -> None:
    """One test asks for the token; to the others only the access rule matters."""
    walk.app.config["WTF_CSRF_ENABLED"] = False


def shut_for(walk: Walk, who: str, is_shut: Callable[[TestResponse], bool], routes: Sequence[Route]) -> list[str]:
    """The routes and methods whose answer is not a shut door, or behind whose door something has changed."""
    before = walk.estate.fingerprints()
    wrong = []
    for route in routes:
        address = walk.address(route)
        for method in route.methods - {"OPTIONS"}:
            answer = walk.ask(who, method, address)
            if not is_shut(answer):
                wrong.append(f"{method} {route}: {answer.status_code}")
    after = walk.estate.fingerprints()
    return wrong + [f"{table} has changed" for table in before if before[table] != after[table]]


def is_forbidden(answer: TestResponse) -> bool:
    return answer.status_code == 403


def to_sign_in(answer: TestResponse) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in?")


def to_confirm(answer: TestResponse) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in/confirm")


# Nothing is forgotten


def test_every_address_below_admin_belongs_to_a_guarded_view(walk: Walk) -> None:
    assert strangers_below(walk.app, "/admin") == []


def test_every_page_declares_who_may_open_it(walk: Walk) -> None:
    """R24. A page that came with the base class may stay undeclared: it is shut, as the walk shows."""
    undeclared = [str(route) for route in walk.routes if route.page not in route.view.access and not route.is_inherited]

    assert not undeclared, f"Name the page in `access` of its view: {undeclared}"


def test_every_declared_page_exists(walk: Walk) -> None:
    """A misspelt name would leave the real page shut, and the table in README wrong."""
    there = {(route.view.endpoint, route.page) for route in walk.routes}
    views = {route.view.endpoint: route.view for route in walk.routes}
    missing = [
        (endpoint, page) for endpoint, view in views.items() for page in (*view.access, *view.confirmed) if (endpoint, page) not in there
    ]

    assert not missing


def test_every_table_has_a_row_that_pages_could_show(walk: Walk) -> None:
    empty = [table.name for table in Base.metadata.sorted_tables if not walk.estate.query(f"SELECT 1 FROM {table.name} LIMIT 1")]

    assert not empty, f"Give the table a row in tests/backoffice/estate.py: {empty}"


# Who may


@pytest.mark.parametrize("who", ["stranger", *(f"{role}{WITHOUT}" for role in STAFF)])
def test_whoever_has_not_shown_two_factors_is_sent_to_the_sign_in_page(walk: Walk, who: str) -> None:
    """R26."""
    assert shut_for(walk, who, to_sign_in, walk.routes) == []


def test_a_customer_finds_every_page_shut(walk: Walk) -> None:
    assert shut_for(walk, Role.CUSTOMER, is_forbidden, walk.routes) == []


@pytest.mark.parametrize("role", STAFF)
def test_pages_of_other_roles_are_shut_and_change_nothing(walk: Walk, role: Role) -> None:
    """R24: also edits inside lists, bulk actions, exports and details."""
    shut = [route for route in walk.routes if role not in route.roles]

    assert len(shut) > 3
    assert shut_for(walk, role, is_forbidden, shut) == []


@pytest.mark.parametrize("role", STAFF)
def test_pages_of_the_role_open(walk: Walk, role: Role) -> None:
    wrong = []
    for route in walk.routes:
        if role in route.roles and "GET" in route.methods:
            for method in ("GET", "HEAD"):
                answer = walk.ask(role, method, walk.address(route), buffered=False)
                if answer.status_code not in (200, 302):
                    wrong.append(f"{method} {route}: {answer.status_code}")
                answer.close()

    assert not wrong


@pytest.mark.parametrize("role", STAFF)
def test_what_prices_and_roles_hang_on_asks_for_the_second_factor_again(walk: Walk, role: Role) -> None:
    """R26: it was shown at sign-in, yesterday."""
    asked = [route for route in walk.routes if route.is_confirmed and role in route.roles]

    assert shut_for(walk, f"{role}{LONG_AGO}", to_confirm, asked) == []


def test_methods_that_a_page_does_not_have_are_refused(walk: Walk) -> None:
    wrong = []
    for route in walk.routes:
        address = walk.address(route)
        for method in sorted({"GET", "POST", "PUT", "DELETE"} - route.methods):
            answer = walk.ask(Role.ADMIN, method, address)
            if answer.status_code not in (404, 405):
                wrong.append(f"{method} {route}: {answer.status_code}")
        if set(walk.ask("stranger", "OPTIONS", address).allow) != route.methods:
            wrong.append(f"OPTIONS {route}")

    assert not wrong


def test_a_form_without_its_token_changes_nothing(walk: Walk) -> None:
    """A form of another site cannot know the token."""
    walk.app.config["WTF_CSRF_ENABLED"] = True
    before = walk.estate.fingerprints()
    forms = [route for route in walk.routes if "POST" in route.methods]

    wrong = []
    for route in forms:
        answer = walk.ask(Role.ADMIN, "POST", walk.address(route), data={"id": NO_SUCH, "csrf_token": "made up"})
        if answer.status_code != 400:
            wrong.append(f"{route}: {answer.status_code}")

    assert forms
    assert not wrong
    assert walk.estate.fingerprints() == before


# Nothing breaks


@pytest.mark.parametrize("part", range(PARTS))
def test_bad_ids_pages_cursors_and_filters_are_answered(walk: Walk, part: int) -> None:
    broken = []
    for route in walk.routes[part::PARTS]:
        if not ("GET" in route.methods and Role.ADMIN in route.roles):
            continue
        for address in [*bad_addresses(walk, route)]:
            answer = walk.ask(Role.ADMIN, "GET", address, buffered=False)
            if answer.status_code >= 500:
                broken.append(f"GET {address[:200]}: {answer.status_code}")
            answer.close()

    assert not broken


def bad_addresses(walk: Walk, route: Route) -> Iterator[str]:
    """The route with each bad value in each of its places."""
    good = walk.address(route)
    for value in BAD_VALUES:
        for name in route.rule.arguments:
            if value:
                yield walk.address(route, **{name: value})
        for name in route.arguments():
            yield (
                f"{good.partition('?')[0]}?{name}={quote(value)}"
                if name == "id"
                else f"{good}{'&' if '?' in good else '?'}{name}={quote(value)}"
            )


# Nothing leaks


@pytest.mark.parametrize("role", STAFF)
def test_no_page_and_no_export_shows_a_hash_a_digest_or_a_sealed_secret(walk: Walk, role: Role) -> None:
    unknown = [column for column, values in walk.estate.secrets.items() if not values]

    leaks = [
        f"{route} shows {column}"
        for route, body in pages(walk, role)
        for column, values in walk.estate.secrets.items()
        if any(value in body for value in values)
    ]

    assert not unknown, f"Give it a value in tests/backoffice/estate.py: {unknown}"
    assert not leaks


def test_what_outsiders_write_is_text_in_every_page(walk: Walk) -> None:
    """No tag, no attribute and no script of theirs, and none of ours inside a page."""
    wrong, shown = [], 0
    for route, body in pages(walk, Role.ADMIN):
        if "<html" not in body:
            continue
        shown += "evil.example" in body
        if "<img src=x" in body or "<a href=https://evil.example" in body:
            wrong.append(f"{route} renders a customer's text as HTML")
        if INLINE.search(body):
            wrong.append(f"{route} has inline script or style: {INLINE.search(body)}")

    assert shown
    assert not wrong


def test_no_cell_of_an_export_is_a_formula(walk: Walk) -> None:
    exports, formulas, hostile = 0, [], 0
    for route, body in pages(walk, Role.ADMIN, mimetype="text/csv"):
        exports += 1
        for row in csv.reader(io.StringIO(body, newline="")):
            hostile += any("evil.example" in cell for cell in row)
            formulas += [
                f"{route}: {cell!r}"
                for cell in row
                if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not NUMBER.fullmatch(cell)
            ]

    assert exports
    assert hostile
    assert not formulas


def pages(walk: Walk, role: Role, *, mimetype: str | None = None) -> Iterator[tuple[Route, str]]:
    """What the role reads at each address, whole; endless streams to their first lines."""
    for route in walk.routes:
        if role not in route.roles or "GET" not in route.methods:
            continue
        answer = walk.ask(role, "GET", walk.address(route), buffered=False)
        if mimetype is None or answer.mimetype == mimetype:
            is_endless = answer.mimetype == "text/event-stream"
            yield route, (next(answer.iter_encoded()).decode() if is_endless else answer.text)
        answer.close()


# What is sent in may change the estate, so it comes last


@pytest.mark.parametrize("role", STAFF)
def test_forms_with_nothing_or_nonsense_in_them_are_answered(walk: Walk, role: Role) -> None:
    broken = []
    for route in walk.routes:
        if "POST" not in route.methods or role not in route.roles:
            continue
        for data in ({}, *(dict.fromkeys(["id", *route.fields()], value) for value in ("zzz", NO_SUCH, "\x00", "-1", "9" * 30, "=1+1"))):
            answer = walk.ask(role, "POST", walk.address(route), data=data)
            if answer.status_code >= 500 or to_sign_in(answer):
                broken.append(f"POST {route} {data}: {answer.status_code}")

    assert not broken

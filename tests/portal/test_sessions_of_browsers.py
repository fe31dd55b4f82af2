"""Cookies and where pages lead: fixation, stale cookies, forged forms, foreign hosts, open redirects (R26)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from reseller.domain.accounts import Role
from reseller.domain.identity import sessions
from reseller.web.signed_in import own_path
from tests import factories
from tests.domain import scenes
from tests.portal.visitor import TOKEN, Visitor

Visitors = Callable[..., Visitor]

ELSEWHERE = (
    "https://evil.example/", "//evil.example", "///evil.example", "\\\\evil.example", "/\\evil.example", "\\/evil.example",
    "/\\/evil.example", "http:evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "/\t/evil.example",
    "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example", "/\x00", "/\r\nSet-Cookie: x=1", "", "?next=/x",
    "//[::1", "/\u2028", "/\u00a0/evil.example", "/\uff0fevil.example", "/" + "a" * 3000,
)  # fmt: skip
OURS = ("/", "/admin/", "/settings?tab=1", "/admin/customers/?q=a%20b&after=x%2Fy", "/admin/calls/req_1", "/a//b")


@pytest.mark.parametrize("given", ELSEWHERE)
def test_next_never_leads_elsewhere(given: str) -> None:
    """R26: open redirects, as browsers read them."""
    assert own_path(given, "/default") == "/default"


def test_no_step_of_signing_in_leads_elsewhere(app: Flask, visitor: Visitors) -> None:
    """R26."""
    browser = visitor()
    steps = {"next": "//evil.example", "with": "recovery"}

    shown = browser.client.get("/sign-in", query_string=steps)
    first = browser.sign_in(factories.make_person(role=Role.SUPPORT).email, path="/sign-in?next=//evil.example")
    page = browser.get("/sign-in/enrol?next=/%5Cevil.example")
    phone, _ = browser.enrol("/sign-in/enrol?next=https://evil.example", steps=-1)
    confirmed = browser.post("/sign-in/confirm?next=%09//evil.example", code=phone.code())
    after = browser.client.get("/sign-in", query_string=steps)

    assert "evil" not in shown.get_data(as_text=True)
    assert "evil" not in page.get_data(as_text=True)
    assert first.location == "/sign-in/enrol"
    assert (confirmed.location, after.location) == ("/admin/", "/admin/")


@pytest.mark.parametrize("given", OURS)
def test_next_leads_to_pages_of_ours(given: str) -> None:
    assert own_path(given, "/default") == given


def test_a_session_that_somebody_planted_is_not_the_one_signed_in(app: Flask, visitor: Visitors) -> None:
    """R26: fixation, at the password step and at the second one."""
    person, victim, attacker = factories.make_person(role=Role.ADMIN), visitor(), visitor()
    attacker.get("/sign-in")
    victim.put_cookie(attacker.cookie() or "")
    victim.sign_in(person.email)
    with_password = victim.cookie() or ""
    victim.enrol()

    for planted in (attacker.cookie() or "", with_password):
        attacker.put_cookie(planted)

        assert not attacker.is_in()
        assert attacker.get("/admin/").status_code == 302
        assert attacker.get("/sign-in/code").location.startswith("/sign-in")
    assert victim.is_in()


def test_a_cookie_is_worth_nothing_after_sign_out(app: Flask, visitor: Visitors) -> None:
    """R26: a captured cookie, sent again."""
    browser, thief = visitor(), visitor()
    browser.sign_in(factories.make_person().email)
    stolen = browser.cookie() or ""

    answer = browser.post("/sign-out", seen="/overview")
    thief.put_cookie(stolen)

    assert answer.location == "/sign-in"
    assert not thief.is_in()
    assert scenes.rows("SELECT * FROM sessions") == []


def test_showing_the_code_again_gives_a_new_cookie_and_the_old_one_is_worth_nothing(app: Flask, visitor: Visitors) -> None:
    """R26: privilege change."""
    person, browser, thief = factories.make_person(role=Role.ADMIN), visitor(), visitor()
    browser.sign_in(person.email)
    phone, _ = browser.enrol(steps=-1)
    thief.put_cookie(browser.cookie() or "")

    answer = browser.post("/sign-in/confirm?next=/settings", code=phone.code())

    assert answer.location == "/settings"
    assert browser.is_in()
    assert not thief.is_in()


def test_a_form_of_before_the_second_factor_is_worth_nothing_after_it(app: Flask, visitor: Visitors) -> None:
    """R26: whatever the browser's session held before is gone, the token of its forms included."""
    person, browser = factories.make_person(role=Role.SUPPORT), visitor()
    browser.sign_in(person.email)
    [before, *_] = TOKEN.findall(browser.get("/sign-in/enrol").get_data(as_text=True))
    browser.enrol()

    answer = browser.client.post("/settings/profile", data={"csrf_token": before, "full_name": "Mallory", "time_zone": "UTC"})

    assert answer.status_code == 400
    assert browser.is_in()


def test_signing_in_anew_ends_the_session_that_was_there(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    first, second = factories.make_person(), factories.make_person()
    browser.sign_in(first.email)
    page = browser.get("/settings").get_data(as_text=True)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]

    browser.client.post("/sign-in", data={"csrf_token": token, "email": second.email, "password": factories.PASSWORD})

    assert len(sessions.sessions_of(first.user_id)) == 0
    assert len(sessions.sessions_of(second.user_id)) == 1


NOWHERE = "01900000-0000-7000-8000-000000000000"
FORMS = {
    "/sign-in": {"email": "a@example.com", "password": "x"},
    "/sign-out": {},
    "/sign-in/code": {"code": "123456"},
    "/sign-in/confirm": {"code": "123456"},
    "/sign-in/enrol": {"code": "123456"},
    "/sign-in/address": {},
    "/sign-up": {"email": "b@example.com", "password": "a long password", "full_name": "Mallory"},
    "/verify/x": {"password": "x"},
    "/reset": {"email": "a@example.com"},
    "/reset/x": {"password": "a new long password", "again": "a new long password"},
    "/address/x": {},
    "/settings/address": {"email": "b@example.com"},
    "/settings/profile": {"full_name": "Mallory", "time_zone": "UTC"},
    "/settings/password": {"current": factories.PASSWORD, "new": "a new long password", "again": "a new long password"},
    "/settings/password/first": {"new": "a new long password", "again": "a new long password"},
    "/settings/recovery-codes": {},
    "/settings/authenticator/remove": {},
    "/settings/sessions/x/end": {},
    "/settings/sessions/end-others": {},
    "/settings/sessions/end-all": {},
    "/settings/company": {"account_name": "Mallory Ltd"},
    "/keys/new": {"name": "Mallory", "kind": "live", "expires": "never"},
    f"/keys/{NOWHERE}": {"name": "Mallory", "version": "1", "expires": "keep"},
    f"/keys/{NOWHERE}/rotate": {"grace": "24"},
    f"/keys/{NOWHERE}/revoke": {},
    "/sign-in/with/x/link": {},
    "/sign-in/with/x/confirm": {},
    "/sign-in/identities/x/unlink": {},
    "/settings/notifications": {"tells_key_expiry": "y", "version": "0"},
    "/viewing/end": {},
    "/overview/rest": {},
    "/settings/alerts": {"kind": "balance_amount", "line": "5", "subject": ""},
    f"/settings/alerts/{NOWHERE}": {"kind": "balance_amount", "line": "5", "subject": "", "version": "1"},
    f"/settings/alerts/{NOWHERE}/remove": {},
    f"/alerts/{NOWHERE}/dismiss": {},
    "/webhooks/new": {"url": "https://example.com/", "which": "all"},
    f"/webhooks/{NOWHERE}": {"url": "https://example.com/", "which": "all", "version": "1"},
    f"/webhooks/{NOWHERE}/rotate": {"overlap": "24"},
    f"/webhooks/{NOWHERE}/switch-off": {},
    f"/webhooks/{NOWHERE}/switch-on": {},
    f"/webhooks/{NOWHERE}/remove": {},
    f"/webhooks/{NOWHERE}/test": {},
    f"/webhooks/{NOWHERE}/redeliver": {},
    f"/webhooks/deliveries/{NOWHERE}/redeliver": {},
}


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_token_changes_nothing(app: Flask, visitor: Visitors, path: str) -> None:
    browser = visitor()
    person = factories.make_person()
    browser.sign_in(person.email)
    visitor("198.51.100.1").sign_in(person.email)
    tables: tuple[str, ...] = (
        "users",
        "accounts",
        "sessions",
        "identities",
        "second_factors",
        "recovery_codes",
        "throttles",
        "staff_actions",
    )
    tables += ("links", "letters", "api_keys", "alert_rules", "alerts", "webhook_endpoints")
    before = {table: scenes.rows(f"SELECT * FROM {table}") for table in tables}

    answer = browser.client.post(path, data=FORMS[path])

    assert answer.status_code == 400
    assert "Nothing was changed" in answer.get_data(as_text=True)
    assert {table: scenes.rows(f"SELECT * FROM {table}") for table in tables} == before


def test_every_form_of_the_portal_is_in_the_table_above(app: Flask) -> None:
    pages = {"sign_in", "sign_up", "providers", "settings", "overview", "view_as", "own_usage", "keys", "webhooks"}
    posts = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and rule.endpoint.split(".")[0] in pages}

    paths = {re.sub("<uuid:[a-z_]+>", NOWHERE, path) for path in posts}
    assert {re.sub("<[a-z_]+>", "x", path) for path in paths} == set(FORMS)


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/sign-in/enrol", "/sign-in/confirm", "/settings", "/overview", "/admin/"])
def test_pages_answer_only_under_the_public_address(make_app: Callable[..., Flask], path: str) -> None:
    """A poisoned Host header must not make links of ours."""
    app = make_app(RESELLER_ENV="production", SECRET_KEY="s" * 40, PUBLIC_URL="https://shop.example")

    statuses = {
        host: app.test_client().get(path, headers={"Host": host}).status_code for host in ("shop.example", "evil.example", "localhost")
    }

    assert statuses["shop.example"] in (200, 302)
    assert (statuses["evil.example"], statuses["localhost"]) == (400, 400)


def test_the_cookie_of_a_https_deployment_is_bound_to_its_host(make_app: Callable[..., Flask]) -> None:
    app = make_app(RESELLER_ENV="production", SECRET_KEY="s" * 40, PUBLIC_URL="https://shop.example")

    answer = app.test_client().get("/sign-in", headers={"Host": "shop.example"}, base_url="https://shop.example")

    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-session=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_the_cookie_by_which_a_browser_is_known_is_sealed_and_opens_nothing(app: Flask, visitor: Visitors) -> None:
    person, browser, other = factories.make_person(), visitor(), visitor()
    browser.sign_in(person.email)
    known = browser.cookie(known=True) or ""

    other.client.set_cookie(app.config["SESSION_COOKIE_NAME"] + "-known", known)

    assert person.email not in known
    assert len(known) > 100
    assert not other.is_in()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/api/v1/key", "/v1/nowhere", "/healthz", "/readyz"])
def test_programs_get_no_cookie(app: Flask, path: str) -> None:
    client = app.test_client()

    answers: list[Any] = [client.get(path), client.post(path, json={}), client.get(path, headers={"Cookie": "session=garbage"})]

    assert [answer.headers.getlist("Set-Cookie") for answer in answers] == [[], [], []]
    assert "Cookie" not in str([answer.headers.get("Vary", "") for answer in answers if path.startswith(("/v1", "/api"))])


def test_a_garbled_cookie_is_no_session(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    for value in ("garbage", "", "a.b.c", "\x7f", "eyJfdXNlcl9pZCI6ICJ4In0.x.x"):
        browser.put_cookie(value)

        assert browser.get("/settings").status_code == 302

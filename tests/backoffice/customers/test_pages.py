"""Customers in the back office: who may do what, once, with a reason."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reseller.clock import new_id
from reseller.domain import accounts, limits
from reseller.domain.accounts import Role
from reseller.wiring import wiring_of
from tests import factories
from tests.backoffice.customers.conftest import Subject
from tests.domain import scenes
from tests.staff import client_of

STAFF = (Role.SUPPORT, Role.FINANCE, Role.ADMIN)
REASON = {"reason": "a ticket"}


def status(customer: Subject) -> str:
    return str(scenes.rows("SELECT status FROM accounts WHERE id = :id", id=customer.person.account_id)[0]["status"])


@pytest.mark.parametrize("role", STAFF)
def test_everybody_of_staff_sees_the_page_and_the_list(app: Flask, customer: Subject, role: Role) -> None:
    """R24."""
    client = client_of(app, role)

    pages = [client.get(path) for path in ("/admin/customers/", customer.url(), customer.url("credit/"), customer.url("limits/"))]

    assert [page.status_code for page in pages] == [200] * 4
    assert "Able &lt;b&gt;Ltd&lt;/b&gt;" in pages[1].text
    assert all("<b>Ltd" not in page.text for page in pages)


@pytest.mark.parametrize(
    "path", ["", "credit/", "limits/", "note/", "suspend/", "restore/", "resume/", "keys/6f9619ff-8b86-4011-b42d-00cf4fc964ff/revoke/"]
)
def test_customers_and_strangers_see_none_of_it(app: Flask, customer: Subject, path: str) -> None:
    """R24."""
    outsider = client_of(app, Role.CUSTOMER)
    before = scenes.rows("SELECT * FROM staff_actions")

    answers = [client.open(customer.url(path), method=method) for client in (outsider, app.test_client()) for method in ("GET", "POST")]

    assert {answer.status_code for answer in answers} <= {302, 403, 405}
    assert all("/sign-in" in answer.headers["Location"] for answer in answers if answer.status_code == 302)
    assert scenes.rows("SELECT * FROM staff_actions") == before


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("suspend/", REASON),
        ("restore/", REASON),
        ("note/", {"nonce": str(new_id()), "body": "words"}),
        ("credit/", {"nonce": str(new_id()), "direction": "credit", "amount": "1", **REASON}),
        ("limits/", {"version": "1", "rpm": "5", "span": "1", **REASON}),
    ],
)
def test_nothing_is_done_to_an_account_that_is_not_there(app: Flask, customer: Subject, path: str, form: dict[str, str]) -> None:
    answer = client_of(app).post(f"/admin/customers/{uuid4()}/{path}", data=form)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    ["suspend/", "restore/", "resume/", "revoke"],
)
@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_nothing_is_done_without_a_reason(app: Flask, customer: Subject, path: str, reason: str) -> None:
    where = f"keys/{customer.key.id}/revoke/" if path == "revoke" else path
    client, before = client_of(app), scenes.rows("SELECT * FROM staff_actions WHERE action <> 'user.create'")

    answer = client.post(customer.url(where), data={"reason": reason})

    assert answer.status_code == 400
    assert scenes.rows("SELECT * FROM staff_actions WHERE action <> 'user.create'") == before


@pytest.mark.parametrize("role", STAFF)
def test_suspending_twice_tells_the_second_and_is_recorded_once(app: Flask, customer: Subject, role: Role) -> None:
    client = client_of(app, role)

    first, second = (client.post(customer.url("suspend/"), data=REASON) for _ in range(2))

    assert (first.status_code, second.status_code, status(customer)) == (302, 409, "suspended")
    assert "suspended already" in second.text
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'account.suspend'")
    assert (row["reason"], row["actor"].startswith("user:"), row["address"]) == ("a ticket", True, "127.0.0.1")
    assert client.post(customer.url("restore/"), data=REASON).status_code == 302
    assert status(customer) == "active"


@pytest.mark.parametrize(("role", "expected"), [(Role.SUPPORT, 403), (Role.FINANCE, 403), (Role.ADMIN, 302)])
def test_only_admins_let_an_account_go_on_after_a_halt(app: Flask, customer: Subject, role: Role, expected: int) -> None:
    accounts.halt(customer.person.account_id, reason="entry 3")

    answer = client_of(app, role).post(customer.url("resume/"), data=REASON)

    assert answer.status_code == expected
    [account] = scenes.rows("SELECT halted_at FROM accounts WHERE id = :id", id=customer.person.account_id)
    assert (account["halted_at"] is None) == (expected == 302)


def test_revoking_twice_tells_the_second(app: Flask, customer: Subject) -> None:
    client, path = client_of(app, Role.SUPPORT), f"keys/{customer.key.id}/revoke/"

    answers = [client.post(customer.url(path), data=REASON).status_code for _ in range(2)]

    assert answers == [302, 409]
    assert [row["reason"] for row in scenes.rows("SELECT reason FROM staff_actions WHERE action = 'key.revoke'")] == ["a ticket"]


def test_a_key_is_revoked_on_its_own_customers_page_only(app: Flask, customer: Subject) -> None:
    """R23: a key's id under another account's address is not found."""
    stranger = Subject(factories.make_person(), customer.key)

    answer = client_of(app).post(stranger.url(f"keys/{customer.key.id}/revoke/"), data=REASON)

    assert answer.status_code == 404
    assert scenes.rows("SELECT revoked_at FROM api_keys")[0]["revoked_at"] is None


def test_a_note_sent_twice_stands_once_and_is_escaped(app: Flask, customer: Subject) -> None:
    client, form = client_of(app, Role.SUPPORT), {"nonce": str(new_id()), "body": "<script>alert(1)</script>"}

    answers = [client.post(customer.url("note/"), data=form).status_code for _ in range(2)]

    page = client.get(customer.url()).text
    assert answers == [302, 302]
    assert page.count('class="note"') == 1
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_no_digest_or_hash_is_on_the_page(app: Flask, customer: Subject) -> None:
    """R37."""
    secrets = scenes.rows("SELECT key_hash FROM api_keys") + scenes.rows("SELECT password_hash FROM users")
    entries = scenes.rows("SELECT entry_hash FROM ledger_entries")

    page = client_of(app).get(customer.url()).text

    assert not [value for row in (*secrets, *entries) for value in row.values() if value in page]


Save = Callable[..., TestResponse]


@pytest.fixture
def form_of(customer: Subject) -> Callable[..., dict[str, str]]:
    """What the limits form sends unless changed."""

    def form(**changes: Any) -> dict[str, str]:
        row = limits.limits_of(customer.person.account_id)
        whole = {"version": row.version, "rpm": 900, "rph": "", "rpd": 5000, "concurrent": 7, "max_tokens": "", "span": "24", **REASON}
        return {name: str(value) for name, value in (whole | changes).items()}

    return form


def limits_row(customer: Subject) -> dict[str, Any]:
    return dict(scenes.rows("SELECT * FROM rate_limits WHERE account_id = :id", id=customer.person.account_id)[0])


def test_support_changes_limits_for_a_while(app: Flask, customer: Subject, form_of: Callable[..., dict[str, str]]) -> None:
    answer = client_of(app, Role.SUPPORT).post(customer.url("limits/"), data=form_of())

    row = limits_row(customer)
    assert answer.status_code == 302
    assert (row["requests_per_minute"], row["requests_per_hour"], row["concurrent_requests"]) == (900, None, 7)
    assert row["reverts_at"] is not None


@pytest.mark.parametrize(("role", "expected"), [(Role.SUPPORT, 400), (Role.FINANCE, 302), (Role.ADMIN, 302)])
def test_for_good_is_for_finance_and_admins(
    app: Flask, customer: Subject, form_of: Callable[..., dict[str, str]], role: Role, expected: int
) -> None:
    """R24: also for a form that was edited by hand."""
    client = client_of(app, role)

    answer = client.post(customer.url("limits/"), data=form_of(span="good"))

    assert answer.status_code == expected
    assert (limits_row(customer)["requests_per_minute"] == 900) == (expected == 302)
    assert ('value="good"' in client.get(customer.url("limits/")).text) == (expected == 302)


def test_the_second_editor_of_limits_is_told_and_changes_nothing(
    app: Flask, customer: Subject, form_of: Callable[..., dict[str, str]]
) -> None:
    first, second = form_of(rpm=900), form_of(rpm=5)
    client = client_of(app, Role.SUPPORT)
    client.post(customer.url("limits/"), data=first)

    answer = client_of(app, Role.FINANCE).post(customer.url("limits/"), data=second)

    assert answer.status_code == 409
    assert "Somebody else changed this" in answer.text
    assert limits_row(customer)["requests_per_minute"] == 900


@pytest.mark.parametrize(
    "changes",
    [
        {"rpm": "0"}, {"rpm": "-1"}, {"rpm": "1.5"}, {"rpm": "٣"}, {"rpm": "1_000"}, {"rpm": "2000000001"}, {"span": "999999"},
        {"span": ""}, {"reason": " "}, {"preset": str(uuid4())},
    ],
)  # fmt: skip
def test_a_form_that_makes_no_sense_changes_nothing(
    app: Flask, customer: Subject, form_of: Callable[..., dict[str, str]], changes: dict[str, str]
) -> None:
    answer = client_of(app).post(customer.url("limits/"), data=form_of(**changes))

    assert answer.status_code == 400
    assert limits_row(customer)["version"] == 1


def test_a_preset_replaces_the_figures(app: Flask, customer: Subject, form_of: Callable[..., dict[str, str]]) -> None:
    scenes.execute(
        "INSERT INTO limit_presets (id, name, requests_per_minute, created_at) VALUES (:id, 'Startup', 77, now())", id=(preset := new_id())
    )

    answer = client_of(app).post(customer.url("limits/"), data=form_of(preset=preset, span="good"))

    assert answer.status_code == 302
    assert limits_row(customer)["requests_per_minute"] == 77


def test_the_list_is_filtered_by_text_and_status(app: Flask, customer: Subject) -> None:
    other = factories.make_person(company="Zeta")
    accounts.suspend(other.account_id, reason="x", actor="user:1")
    client = client_of(app, Role.SUPPORT)

    by_text, by_status = client.get("/admin/customers/?text=zet").text, client.get("/admin/customers/?status=suspended").text

    for page in (by_text, by_status):
        assert "Zeta" in page
        assert "Ann" not in page
        assert "Able" not in page
    assert "Zeta" not in client.get("/admin/customers/?status=frozen").text


def test_accounts_of_staff_say_so_and_can_be_left_out(app: Flask, customer: Subject) -> None:
    colleague = factories.make_person(role=Role.FINANCE)
    client = client_of(app, Role.SUPPORT)

    def listed(**filters: str) -> set[str]:
        page = client.get("/admin/customers/", query_string=filters).text
        return {str(who.account_id) for who in (colleague, customer.person) if str(who.account_id) in page}

    assert listed() == {str(colleague.account_id), str(customer.person.account_id)}
    assert listed(kind="staff") == {str(colleague.account_id)}
    assert listed(kind="customers") == {str(customer.person.account_id)}
    assert '<span class="tag tone-info">staff</span>' in client.get("/admin/customers/?kind=staff").text


def test_the_list_goes_on_where_a_page_ends(app: Flask, customer: Subject) -> None:
    for _ in range(51):
        factories.make_person()
    client: FlaskClient = client_of(app, Role.SUPPORT)

    first = client.get("/admin/customers/").text
    cursor = first.split("after=")[1].split('"')[0]
    second = client.get(f"/admin/customers/?after={cursor}").text

    assert first.count("<tr data-href") == 50
    assert "Able" in second
    assert second.count("<tr data-href") == 3  # fifty-three: the customer, fifty-one more, and whoever looks


def test_the_search_leads_straight_to_the_one_page(app: Flask, customer: Subject) -> None:
    client = client_of(app, Role.SUPPORT)

    answer = client.get("/admin/customers/search", query_string={"q": customer.person.email})
    many = client.get("/admin/customers/search", query_string={"q": "example.com"})

    assert answer.headers["Location"] == customer.url()
    assert (many.status_code, "Able" in many.text) == (200, True)


@pytest.mark.parametrize("query", ["?before=x", "?call=zzz", "?key=zzz&entry=1", "?call=" + "f" * 32])
def test_addresses_that_were_edited_break_nothing(app: Flask, customer: Subject, query: str) -> None:
    assert client_of(app).get(customer.url(query)).status_code in (200, 404)


def test_every_link_of_the_page_opens_for_support(app: Flask, customer: Subject) -> None:
    """Every number leads to what made it, and nobody is sent to a closed door."""
    whose = scenes.Customer(customer.person.account_id, customer.key.id)
    till, (right, wrong) = wiring_of(app).till, (scenes.admission(whose), scenes.admission(whose))
    for op, end in ((right, scenes.settlement(right)), (wrong, scenes.failure(wrong))):
        till.admit(op)
        till.settle(end)
    scenes.put_in(whose, 10**9, reference="pi_1")
    limits.change(customer.person.account_id, {"rpm": 5}, actor="user:1")
    client = client_of(app, Role.SUPPORT)
    client.post(customer.url("credit/"), data={"nonce": str(new_id()), "direction": "credit", "amount": "60", **REASON})

    page = client.get(customer.url("?call=" + right.call_id.hex)).text
    links = {unescape(href) for href in re.findall(r'href="(/admin/[^"#]*)', page)}

    assert len(links) > 20
    assert {href: client.get(href).status_code for href in links} == dict.fromkeys(links, 200)


@pytest.mark.parametrize("role", STAFF)
def test_staff_send_a_link_to_a_new_password_and_never_see_it(app: Flask, customer: Subject, role: Role) -> None:
    """R24, R37."""
    client = client_of(app, role)

    answer = client.post(customer.url("reset-link/"), data=REASON | {"person": customer.person.user_id}, follow_redirects=True)

    assert customer.person.email in answer.text
    assert "/reset/" not in answer.text
    assert scenes.rows("SELECT kind, recipient FROM letters") == [{"kind": "reset_password", "recipient": customer.person.email}]
    [row] = scenes.rows("SELECT reason, account_id, changes FROM staff_actions WHERE action = 'user.send_reset_link'")
    assert row == {"reason": "a ticket", "account_id": customer.person.account_id, "changes": {}}
    assert "Link to a new password sent" in answer.text


def test_a_link_goes_to_people_of_the_account_alone_and_with_a_reason(app: Flask, customer: Subject) -> None:
    """R23."""
    client, other = client_of(app, Role.SUPPORT), factories.make_person()
    given = [REASON | {"person": str(other.user_id)}, REASON | {"person": "x"}, {"person": str(customer.person.user_id), "reason": " "}]

    statuses = [client.post(customer.url("reset-link/"), data=data).status_code for data in given]

    assert statuses == [404, 400, 400]
    assert scenes.rows("SELECT * FROM letters") == []

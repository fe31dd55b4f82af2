"""Endpoints: what may be one, what becomes of their secrets, and who is told when they are switched off."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_for
from reseller.domain import webhooks
from reseller.domain.webhooks import EndpointOrder, EndpointTerms, OffBecause, shown_url
from reseller.errors import Conflict, InvalidRequest, NotFound, Refusal
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.domain.webhooks.hooking import SEAL, URL


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://example.com", "https://example.com/"),
        (" https://Example.com/a b?q=é#part ", "https://example.com/a%20b?q=%C3%A9"),
        ("https://bücher.example:8443/x", "https://xn--bcher-kva.example:8443/x"),
        ("https://8.8.8.8/x%20y", "https://8.8.8.8/x%20y"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_addresses_are_kept_in_one_form(given: str, kept: str) -> None:
    assert webhooks.normal_url(given, allows_loopback=False) == kept


@pytest.mark.parametrize(
    "given",
    ["", "example.com", "ftp://example.com/", "http://example.com/", "https://", "https://user:pw@example.com/", "https://localhost/"]
    + ["https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://intranet/", "https://printer.local/", "https://a.localhost/"]
    + ["https://metadata.google.internal/", "https://example.com:99999/", "https://[nonsense/", f"https://example.com/{'x' * 2_000}"]
    + ["https://a..b.example/", "javascript:alert(1)", "https://a\x00b.example/", "https://a b.example/", "https://127%2e0.0.1/"],
)
def test_what_is_no_public_https_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        webhooks.normal_url(given, allows_loopback=False)

    assert refused.value.param == "url"


def test_this_machine_may_be_named_where_the_deployment_allows_it() -> None:
    assert webhooks.normal_url("http://localhost:9000/in", allows_loopback=True) == "http://localhost:9000/in"
    assert webhooks.normal_url("http://127.0.0.1:9000", allows_loopback=True) == "http://127.0.0.1:9000/"
    with pytest.raises(InvalidRequest):
        webhooks.normal_url("http://10.0.0.1/", allows_loopback=True)


def test_staff_see_where_it_leads_and_no_token() -> None:
    assert shown_url(URL) == "https://hooks.example.com/…"
    assert shown_url("https://example.com/") == "https://example.com/"


def test_a_secret_is_shown_once_and_lies_sealed(app: Flask) -> None:
    secret, row = hooking.add(factories.make_person())

    kept = str(hooking.endpoint(row)) + str(scenes.rows("SELECT * FROM staff_actions"))

    assert secret.startswith("whsec_")
    assert secret not in kept
    assert secret.removeprefix("whsec_")[:20] not in kept
    assert SEAL.open(hooking.endpoint(row)["sealed_secret"]) == secret


def test_the_audit_log_names_the_host_and_not_the_whole_address(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    terms = EndpointTerms("https://other.example/token", "", ("key.created",))
    webhooks.change(row.id, terms, account_id=person.account_id, seen_version=1, allows_loopback=False, actor="test")

    actions = scenes.rows("SELECT action, changes, account_id FROM staff_actions WHERE action LIKE 'webhook.%' ORDER BY id")

    assert [action["action"] for action in actions] == ["webhook.add", "webhook.change"]
    assert actions[1]["changes"] == {"events": ["every event", "key.created"], "host": ["hooks.example.com", "other.example"]}
    assert {action["account_id"] for action in actions} == {person.account_id}
    assert "token" not in str([action["changes"] for action in actions])


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"events": ()}, "events"),
        ({"events": ("no.such",)}, "events"),
        ({"description": "x" * 201}, "description"),
        ({"url": "http://example.com/"}, "url"),
    ],
)
def test_terms_that_cannot_be_are_refused(app: Flask, terms: dict[str, Any], param: str) -> None:
    order = EndpointOrder(new_id(), factories.make_person().account_id, EndpointTerms(**({"url": URL} | terms)))

    with pytest.raises(InvalidRequest) as refused:
        webhooks.register(order, seal=SEAL, allows_loopback=False, actor="test")

    assert refused.value.param == param


def test_a_form_sent_twice_makes_one_endpoint_and_shows_no_second_secret(app: Flask) -> None:
    person, other = factories.make_person(), factories.make_person()
    order = EndpointOrder(new_id(), person.account_id, EndpointTerms(URL))
    webhooks.register(order, seal=SEAL, allows_loopback=False, actor="test")

    with pytest.raises(Conflict):
        webhooks.register(order, seal=SEAL, allows_loopback=False, actor="test")
    with acting_for(other.account_id), pytest.raises(Conflict):
        webhooks.register(EndpointOrder(order.id, other.account_id, order.terms), seal=SEAL, allows_loopback=False, actor="test")

    assert len(webhooks.endpoints_of(person.account_id)) == 1


def test_an_account_has_so_many_endpoints_and_no_more(app: Flask) -> None:
    person = factories.make_person()
    rows = [hooking.add(person)[1] for _ in range(webhooks.MAX_ENDPOINTS)]

    with pytest.raises(Conflict, match="at most 10"):
        hooking.add(person)
    webhooks.switch_off(rows[0].id, account_id=person.account_id, because=OffBecause.REMOVED, actor="test")
    hooking.add(person)

    assert len(webhooks.endpoints_of(person.account_id)) == webhooks.MAX_ENDPOINTS


@pytest.mark.parametrize("verb", ["change", "rotate", "switch_off", "switch_on", "send_test", "endpoint_of"])
def test_an_endpoint_of_somebody_else_is_not_there(app: Flask, verb: str) -> None:
    """R23."""
    _, row = hooking.add(factories.make_person())
    stranger = factories.make_person().account_id
    verbs: dict[str, Any] = {
        "change": lambda: webhooks.change(
            row.id, EndpointTerms(URL), account_id=stranger, seen_version=None, allows_loopback=False, actor="x"
        ),
        "rotate": lambda: webhooks.rotate(row.id, account_id=stranger, seal=SEAL, actor="x"),
        "switch_off": lambda: webhooks.switch_off(row.id, account_id=stranger, because=OffBecause.BY_OWNER, actor="x"),
        "switch_on": lambda: webhooks.switch_on(row.id, account_id=stranger, actor="x"),
        "send_test": lambda: webhooks.send_test(row.id, "key.created", account_id=stranger, actor="x"),
        "endpoint_of": lambda: webhooks.endpoint_of(row.id, stranger),
    }

    with pytest.raises(NotFound):
        verbs[verb]()

    assert hooking.endpoint(row)["version"] == 1


def test_two_who_edit_the_same_endpoint_learn_of_each_other(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)

    def change(description: str) -> None:
        terms = EndpointTerms(URL, description)
        webhooks.change(row.id, terms, account_id=person.account_id, seen_version=1, allows_loopback=False, actor="test")

    change("first")
    with pytest.raises(Refusal):
        change("second")

    assert hooking.endpoint(row)["description"] == "first"


def test_after_a_rotation_both_secrets_sign_for_a_while(app: Flask) -> None:
    person = factories.make_person()
    old, row = hooking.add(person)
    new = webhooks.rotate(row.id, account_id=person.account_id, seal=SEAL, actor="test")
    hooking.tell(person)

    [claimed] = hooking.claim()
    hooking.ended(claimed)
    hooking.let_pass(webhooks.OVERLAP + timedelta(seconds=1))
    hooking.tell(person)
    [later] = hooking.claim()

    assert claimed.secret_texts == (new, old)
    assert later.secret_texts == (new,)


def test_a_leaked_secret_ends_at_once(app: Flask) -> None:
    person = factories.make_person()
    old, row = hooking.add(person)
    new = webhooks.rotate(row.id, account_id=person.account_id, seal=SEAL, overlap=timedelta(0), actor="test")
    hooking.tell(person)

    [claimed] = hooking.claim()

    assert claimed.secret_texts == (new,)
    assert old not in repr(claimed)
    assert new not in repr(claimed)


def test_one_that_is_off_hears_nothing_and_one_that_is_on_again_what_comes(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    webhooks.switch_off(row.id, account_id=person.account_id, because=OffBecause.BY_OWNER, actor="test")
    hooking.tell(person)
    meanwhile = hooking.claim()
    webhooks.switch_on(row.id, account_id=person.account_id, actor="test")
    hooking.tell(person)

    assert meanwhile == []
    assert [row["state"] for row in hooking.deliveries()] == ["given_up", "waiting"]
    assert len(hooking.claim()) == 1
    with pytest.raises(Conflict):
        webhooks.switch_on(row.id, account_id=person.account_id, actor="test")


def test_what_staff_switched_off_no_owner_switches_on(app: Flask) -> None:
    """R24: staff stop what is a nuisance to others."""
    person = factories.make_person()
    _, row = hooking.add(person)
    webhooks.switch_off(row.id, account_id=None, because=OffBecause.BY_STAFF, actor="staff", reason="floods somebody else")

    with pytest.raises(Conflict, match="staff"):
        webhooks.switch_on(row.id, account_id=person.account_id, actor="test")

    webhooks.switch_on(row.id, account_id=None, actor="staff", reason="promised")
    assert hooking.endpoint(row)["off_because"] is None


def test_410_switches_off_at_once_and_owners_are_told(app: Flask) -> None:
    person = factories.make_person(email="ann@example.com")
    _, row = hooking.add(person)
    hooking.tell(person, 2)
    [claimed] = hooking.claim()

    off = hooking.ended(claimed, 410)

    assert off is OffBecause.GONE
    assert hooking.endpoint(row)["off_because"] == "gone"
    assert [row["state"] for row in hooking.deliveries()] == ["given_up", "given_up"]
    [letter] = scenes.rows("SELECT * FROM letters WHERE kind = 'webhook_off'")
    assert (letter["recipient"], letter["facts"]) == (
        "ann@example.com",
        {"endpoint": "hooks.example.com", "said": "answered 410"},
    )
    [action] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'webhook.switch_off'")
    assert (action["actor"], action["reason"]) == ("system:webhooks", "gone: answered 410")
    assert action["changes"] == {"off": [None, "gone"]}


def test_a_removed_endpoint_is_gone_for_its_owner_and_its_log_stays(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0])
    webhooks.switch_off(row.id, account_id=person.account_id, because=OffBecause.REMOVED, actor="test")

    with pytest.raises(NotFound):
        webhooks.endpoint_of(row.id, person.account_id)

    assert webhooks.endpoints_of(person.account_id) == []
    assert webhooks.endpoint_of(row.id, None).off_because is OffBecause.REMOVED
    assert len(hooking.deliveries()) == 1


def test_the_secrets_of_a_removed_endpoint_are_gone_and_those_of_one_that_is_off_stay(app: Flask) -> None:
    person = factories.make_person()
    rows = [hooking.add(person)[1] for _ in range(2)]
    own: dict[str, Any] = {"account_id": person.account_id, "actor": "test"}
    for row in rows:
        webhooks.rotate(row.id, seal=SEAL, **own)

    webhooks.switch_off(rows[0].id, because=OffBecause.REMOVED, **own)
    webhooks.switch_off(rows[1].id, because=OffBecause.BY_OWNER, **own)

    removed, off = map(hooking.endpoint, rows)
    assert (removed["sealed_secret"], removed["sealed_old_secret"], removed["old_secret_until"]) == ("", None, None)
    assert off["sealed_secret"]
    assert off["sealed_old_secret"]

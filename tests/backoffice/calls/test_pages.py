"""Pages of calls without a browser: ids in every shape, filters, CSV, and nothing that a customer wrote."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Role
from reseller.domain.calls import Till
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.staff import client_of


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.SUPPORT)


def settled(till: Till, who: scenes.Customer, **changes: Any) -> Any:
    op = scenes.admission(who, **changes)
    till.admit(op)
    till.settle(scenes.settlement(op))
    return op


@pytest.mark.parametrize("shape", ["{0.hex}", "{0}", "req_{0.hex}", "chatcmpl-{0.hex}", "cmpl-{0.hex}", "embd-{0.hex}"])
def test_a_call_opens_by_its_id_in_every_shape(client: FlaskClient, till: Till, shape: str) -> None:
    op = settled(till, scenes.customer())

    assert client.get(f"/admin/calls/{shape.format(op.call_id)}/").status_code == 200
    assert client.get("/admin/calls/find/", query_string={"id": f" {shape.format(op.call_id)} "}).status_code == 302


@pytest.mark.parametrize("shown", ["x" * 32, "01900000-0000-7000-8000-000000000000", "req_" + "f" * 32, "short"])
def test_what_is_no_id_of_a_call_is_not_found(client: FlaskClient, shown: str) -> None:
    assert client.get(f"/admin/calls/{shown}/").status_code == 404


def test_filters_leave_what_was_asked_for(client: FlaskClient, till: Till) -> None:
    first, second = scenes.customer(), scenes.customer(nano=0)
    charged = settled(till, first, model="acme/one")
    other = settled(till, first, model="other/one")
    refused = scenes.admission(second)
    scenes.refused(till, refused)

    def found(**filters: Any) -> set[Any]:
        page = client.get("/admin/calls/", query_string=filters).text
        return {op.call_id for op in (charged, other, refused) if op.call_id.hex in page}

    assert found() == {charged.call_id, other.call_id, refused.call_id}
    assert found(account=first.account_id) == found(key=first.key_id) == {charged.call_id, other.call_id}
    assert found(model="acme/*", account=first.account_id) == {charged.call_id}
    assert found(status="refused") == found(code="insufficient_credits") == {refused.call_id}
    assert found(key=second.key_id, account=first.account_id) == found(account="nobody@example.com") == set()
    assert found(flag="any") == found(keys="test") == found(upstream="nobody") == set()
    assert found(**{"from": "2020-01-01", "to": "2020-02-01"}) == set()


def test_the_address_of_somebody_in_it_names_an_account(client: FlaskClient, till: Till) -> None:
    person = factories.make_person(usd="10")
    _, key = factories.mint_key(person)
    theirs, other = settled(till, scenes.Customer(person.account_id, key.id)), settled(till, scenes.customer())

    page = client.get("/admin/calls/", query_string={"account": person.email.upper()}).text

    assert theirs.call_id.hex in page
    assert other.call_id.hex not in page


def test_csv_has_what_the_filters_leave_and_more_than_a_page(client: FlaskClient, till: Till) -> None:
    who = scenes.customer(nano=100_000)
    for _ in range(60):
        settled(till, who, hold=1)

    lines = client.get(f"/admin/calls/export/csv/?account={who.account_id}").text.splitlines()

    assert len(lines) == 61
    assert len(set(lines)) == 61


def test_pages_of_the_list_lead_on(client: FlaskClient, till: Till) -> None:
    who = scenes.customer(nano=100_000)
    ops = [settled(till, who, hold=1) for _ in range(60)]
    first = client.get("/admin/calls/").text

    older = first.split("after=")[-1].split('"')[0]
    second = client.get(f"/admin/calls/?after={older}").text

    shown = [op.call_id.hex in first for op in ops], [op.call_id.hex in second for op in ops]
    assert (sum(shown[0]), sum(shown[1])) == (50, 10)
    assert all(a != b for a, b in zip(*shown, strict=True))

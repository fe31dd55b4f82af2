"""What Stripe told, as staff see it: what waits, why, and another try (R17, R24)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Settings
from reseller.domain.accounts import Role
from tests.cashier.bank import Bank
from tests.deployment import settings_over
from tests.domain import scenes
from tests.fakes.stripe import FakeStripe
from tests.staff import client_of

LIST = "/admin/stripe-events/"


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as started:
        yield started


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeStripe) -> Settings:
    return settings_over(database_url, tmp_path, **fake.settings())


@pytest.fixture
def bank(app: Flask, fake: FakeStripe) -> Bank:
    return Bank(app, fake)


@pytest.fixture
def client(app: Flask, bank: Bank) -> FlaskClient:
    return client_of(app, Role.FINANCE)


def page(client: FlaskClient, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def waiting(bank: Bank) -> str:
    """An event that came while Stripe was down; its id."""
    bank.fake.pay(bank.session_of(bank.order()))
    (event,) = bank.fake.events_of("payment_intent.succeeded")
    bank.fake.is_down = True
    bank.tell(event)
    bank.fake.is_down = False
    return str(event["id"])


def try_again(client: FlaskClient, event_id: str) -> str:
    answer = client.post(f"{LIST}{event_id}/try-again/")
    assert answer.status_code == 302, answer.text
    return page(client, answer.location)


def test_an_event_that_waits_says_why_and_is_tried_again(bank: Bank, client: FlaskClient) -> None:
    assert "Stripe has told nothing yet." in page(client)
    event_id = waiting(bank)
    listed = page(client, f"{LIST}?state=received")

    after = try_again(client, event_id)

    assert event_id in listed
    assert "Stripe answers with status 5" in listed
    assert "Done: it waits no more." in after
    assert event_id not in after
    assert bank.balance == 20
    assert scenes.rows("SELECT subject_kind, subject_id FROM staff_actions WHERE action = 'stripe_event.try'") == [
        {"subject_kind": "stripe_event", "subject_id": event_id}
    ]
    assert client.post(f"{LIST}{event_id}/try-again/").status_code == 409
    assert client.post(f"{LIST}evt_nobody/try-again/").status_code == 404


def test_an_event_that_waits_on_says_so(bank: Bank, client: FlaskClient) -> None:
    event_id = waiting(bank)
    bank.fake.is_down = True

    after = try_again(client, event_id)

    assert "It waits on: Stripe answers with status 5" in after
    assert bank.waiting == ["payment_intent.succeeded"]


def test_the_first_page_counts_what_waits_and_what_lies_in_suspense(bank: Bank, client: FlaskClient) -> None:
    waiting(bank)
    bank.fake.foreign_payment(4_200)
    bank.tell(*bank.fake.events_of("payment_intent.succeeded")[-1:])

    text = page(client, "/admin/")

    for address, label in (
        (f"{LIST}?state=received", "Stripe’s events that wait"),
        ("/admin/suspense/?state=open", "In suspense"),
    ):
        tile = re.search(rf'<a[^>]*href="{re.escape(address)}"[^>]*>(.*?)</a>', text, re.S)
        assert tile is not None
        assert label in tile[1]
        assert re.search(r">\s*1\s*<", tile[1])


def test_the_search_box_finds_what_waits_and_what_lies_in_suspense_by_stripes_ids(bank: Bank, client: FlaskClient) -> None:
    event_id = waiting(bank)
    bank.fake.foreign_payment(4_200)
    bank.tell(*bank.fake.events_of("payment_intent.succeeded")[-1:])
    [item] = scenes.rows("SELECT subject FROM suspense_items")

    found = [client.get("/admin/customers/search", query_string={"q": id_}).location for id_ in (event_id, item["subject"])]

    assert found == [f"{LIST}?id={event_id}", f"/admin/suspense/?subject={item['subject']}"]
    assert event_id in page(client, found[0])
    assert "$42.00" in page(client, found[1])
    assert client.get("/admin/customers/search?q=evt_of_nobody").status_code == 200


def test_a_mistake_of_ours_is_kept_with_the_event(bank: Bank, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = waiting(bank)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bank.cashier, "learn", fail)

    assert "It waits on: Failed here: ZeroDivisionError" in try_again(client, event_id)
    assert bank.waiting == ["payment_intent.succeeded"]


def test_money_that_does_not_fit_is_dealt_with_and_not_in_the_books(bank: Bank, client: FlaskClient) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))
    event = bank.fake.events_of("checkout.session.completed")[0]
    event["data"]["object"]["amount_total"] = 50
    bank.tell(event)

    assert "dealt with" in page(client, f"{LIST}?state=applied")
    assert bank.balance == 0


def test_support_looks_and_tries_nothing(app: Flask, bank: Bank) -> None:
    event_id = waiting(bank)
    support = client_of(app, Role.SUPPORT)

    text = page(support)

    assert event_id in text
    assert "Try again" not in text
    assert support.post(f"{LIST}{event_id}/try-again/").status_code == 403


def test_many_events_are_paged_by_when_they_came(bank: Bank, client: FlaskClient) -> None:
    for number in range(60):
        scenes.execute(
            "INSERT INTO stripe_events (id, type, is_live, happened_at, received_at, state, problem, body)"
            " VALUES (:id, 'customer.created', false, now(), now() - CAST(:age AS interval), 'ignored', '', '{}')",
            id=f"evt_{number:02}",
            age=f"{number} minutes",
        )

    first = page(client)
    [received] = scenes.rows("SELECT received_at FROM stripe_events WHERE id = 'evt_49'")
    second = client.get(LIST, query_string={"after": received["received_at"].isoformat()}).text

    assert ("evt_00" in first, "evt_49" in first, "evt_50" in first) == (True, True, False)
    assert ("evt_49" in second, "evt_50" in second, "evt_59" in second) == (False, True, True)
    assert [client.get(f"{LIST}?after={what}").status_code for what in ("yesterday", "2026-11-01", "2026-11-01T10:00:00")] == [404] * 3

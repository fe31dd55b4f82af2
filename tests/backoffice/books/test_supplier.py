"""What the upstream billed, as staff see it: days, models, what differs, who looked at it, and the credit that is left (R20, R37)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Settings
from reseller.clock import first_id, new_id, now
from reseller.database import acting_as_operator
from reseller.domain import supplier
from reseller.domain.accounts import Role
from reseller.domain.supplier import Told
from reseller.domain.usage import request_id, rollup
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import supplier as jobs
from reseller.worker.context import Context
from tests import factories
from tests.deployment import settings_over
from tests.domain import scenes
from tests.domain.usage.calls import row, write
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_account import MANAGEMENT_KEY
from tests.staff import client_of

PAGE = "/admin/supplier/"
DAY = now().date() - timedelta(days=3)
NOON = datetime.combine(DAY, time(12), UTC)


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as running:
        yield running


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeOpenRouter) -> Settings:
    return settings_over(database_url, tmp_path, OPENROUTER_BASE_URL=fake.base_url, OPENROUTER_MANAGEMENT_KEY=MANAGEMENT_KEY)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.FINANCE)


def text_of(client: FlaskClient, address: str = PAGE) -> str:
    """What the page says, without its tags."""
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def differ() -> str:
    """A day on which the upstream billed more than we booked, and of which one call was voided; the id of that call."""
    account_id = factories.make_person().account_id
    call_id = UUID(int=first_id(NOON).int | 0x7 << 76 | 0b10 << 62)  # a UUIDv7 of that instant
    voided = row(NOON, account_id, id=call_id, cost_usd=None, status="voided", charge_nano=0)
    write([row(NOON, new_id(), cost_usd="1"), voided])
    rollup.run()
    supplier.record("openrouter", DAY, [Told("acme/one", ("acme/one",), 2, 14, 6, 0, Decimal("1.5"))], is_of_key=True)
    return request_id(voided["id"])


def test_a_bill_that_differs_comes_from_the_upstream_to_the_page_by_the_clock(
    app: Flask, client: FlaskClient, fake: FakeOpenRouter
) -> None:
    write([row(NOON, new_id(), cost_usd="1")])
    rollup.run()
    fake.account.bill(DAY, "acme/one", "1.5", requests=2)
    fake.account.used = "99.5"
    context = Context(wiring_of(app), Heart(app, "worker"), is_once=True)

    before = text_of(client)
    jobs.reconcile(context)
    jobs.watch_credit(context)
    after = text_of(client)

    assert "No day has been compared yet" in before
    assert "Nothing differs" not in before  # nor agrees: nothing was compared
    assert f"{DAY} $1.50 $1.00 $0.50 33.3%" in after
    assert "The credit with the upstream is low." in after
    assert "Credit upstream $0.50" in text_of(client, "/admin/")
    assert "Upstream’s bill differs 1" in text_of(client, "/admin/")


def test_a_day_shows_both_sides_and_leads_to_the_calls(client: FlaskClient) -> None:
    voided = differ()

    body = client.get(f"{PAGE}days/openrouter/{DAY}/").text

    assert f"/admin/calls/{voided}" in body
    assert "acme/one" in body
    assert "The two sides differ" in body
    assert client.get(f"/admin/calls/{voided}/").status_code == 200


def test_whoever_resolves_says_what_it_was_and_the_audit_log_keeps_it(client: FlaskClient) -> None:
    """R37."""
    differ()
    [item] = supplier.open_items()
    address = f"{PAGE}items/{item.id}/resolve/"

    silent = client.post(address, data={"reason": " "})
    first = client.post(address, data={"reason": "The voided call."})
    second = client.post(address, data={"reason": "again"})

    assert (silent.status_code, first.status_code, second.status_code) == (400, 302, 409)
    assert "Nothing differs" in text_of(client)
    assert "Resolved: The voided call." in text_of(client, f"{PAGE}days/openrouter/{DAY}/")
    [audited] = scenes.rows("SELECT reason, actor LIKE 'user:%' AS is_person FROM staff_actions WHERE action = 'supplier.resolve'")
    assert audited == {"reason": "The voided call.", "is_person": True}


def test_csv_has_what_the_page_has_to_the_last_digit(client: FlaskClient) -> None:
    write([row(NOON, new_id(), cost_usd="0.123456789012")])
    supplier.record("openrouter", DAY, [Told("acme/one", ("acme/one",), 1, 7, 3, 0, Decimal("0.123456789012"))], is_of_key=True)

    days = client.get(f"{PAGE}export/?table=days").text
    models = client.get(f"{PAGE}export/?table=models&day={DAY}").text

    assert f"{DAY},0.123456789012,0.123456789012,0,0,1,1,agrees," in days
    assert "acme/one,on both sides,0.123456789012,0.123456789012,0,0,1,1,7,7,3,3" in models
    assert client.get(f"{PAGE}export/?table=nothing").status_code == 404
    assert client.get(f"{PAGE}days/openrouter/2020-02-31/").status_code == 404
    assert client.get(f"{PAGE}days/openrouter/2020-02-01/").status_code == 404


def test_what_the_upstream_costs_is_not_for_support(app: Flask) -> None:
    """R24."""
    differ()
    support = client_of(app, Role.SUPPORT)

    assert support.get(PAGE).status_code == 403
    assert "Upstream’s bill" not in support.get("/admin/").text


def test_without_a_key_the_page_says_what_to_do(make_app: Callable[..., Flask]) -> None:
    app = make_app()

    with app.app_context(), acting_as_operator():
        client = client_of(app, Role.FINANCE)

    assert "OPENROUTER_MANAGEMENT_KEY is not set" in text_of(client)

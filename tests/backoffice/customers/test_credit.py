"""Credit in the back office, as seen by somebody of support who would like more than is allowed (R25)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.domain import ledger
from reseller.domain.accounts import Person, Role
from tests import factories
from tests.backoffice.customers.conftest import Subject
from tests.domain import scenes
from tests.staff import client_of


def form(**changes: Any) -> dict[str, str]:
    return {"nonce": str(new_id()), "direction": "credit", "amount": "20", "reason": "an outage", **changes}


def settled(who: Person) -> Decimal:
    with transaction():
        return Decimal(ledger.balance_now(who.account_id).settled_nano).scaleb(-9)


def states() -> list[str]:
    return [row["state"] for row in scenes.rows("SELECT state FROM adjustments ORDER BY id")]


@pytest.fixture
def support(app: Flask) -> Person:
    return factories.make_person(role=Role.SUPPORT)


@pytest.fixture
def client(app: Flask, support: Person) -> FlaskClient:
    return client_of(app, person=support)


def give(client: FlaskClient, customer: Subject, **changes: Any) -> TestResponse:
    return client.post(customer.url("credit/"), data=form(**changes))


def not_confirmed(client: FlaskClient) -> FlaskClient:
    """The same person, whose second factor was shown a while ago."""
    scenes.execute("UPDATE sessions SET confirmed_at = now() - interval '11 minutes'")
    return client


def test_a_form_sent_twice_moves_money_once(client: FlaskClient, customer: Subject) -> None:
    """R15."""
    sent = form()

    first, second = (client.post(customer.url("credit/"), data=sent, follow_redirects=True).text for _ in range(2))

    assert "sent before; nothing more has moved" in second
    assert "sent before" not in first
    assert settled(customer.person) == Decimal(30)


def test_another_persons_nonce_is_a_conflict(app: Flask, client: FlaskClient, customer: Subject) -> None:
    sent = form()
    client.post(customer.url("credit/"), data=sent)

    answer = client_of(app, Role.ADMIN).post(customer.url("credit/"), data=sent)

    assert answer.status_code == 409
    assert settled(customer.person) == Decimal(30)


@pytest.mark.parametrize("changes", [{"amount": "20.01"}, {"reason": "other"}, {"direction": "debit"}])
def test_a_used_nonce_with_other_content_is_a_conflict(client: FlaskClient, customer: Subject, changes: dict[str, str]) -> None:
    sent = form()
    client.post(customer.url("credit/"), data=sent)

    assert client.post(customer.url("credit/"), data=sent | changes).status_code == 409
    assert settled(customer.person) == Decimal(30)


def test_parallel_forms_never_exceed_the_cap_together(
    make_app: Callable[..., Flask], support: Person, customer: Subject, app_settings: Any
) -> None:
    """R25: eight forms over two processes."""
    clients = [client_of(app, person=support) for app in (make_app(), make_app()) for _ in range(4)]

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda client: give(client, customer).status_code, clients))

    assert answers == [302] * 8
    assert sorted(states()) == ["posted"] * 2 + ["waiting"] * 6
    assert settled(customer.person) == Decimal(50)


def test_tiny_forms_add_up(client: FlaskClient, customer: Subject) -> None:
    for amount in ("49.999999999", "0.000000001", "0.000000001"):
        give(client, customer, amount=amount)

    assert states() == ["posted", "posted", "waiting"]


@pytest.mark.parametrize(
    "amount", ["-5", "+5", "0", "0.00", "", "1e3", "NaN", "inf", "1,000", "٣", "1_0", "0.0000000001", "99999999999999", "$-5", "--5"]
)
def test_amounts_are_plain_positive_dollars(client: FlaskClient, customer: Subject, amount: str) -> None:
    assert give(client, customer, amount=amount).status_code == 400
    assert (settled(customer.person), states()) == (Decimal(10), [])


@pytest.mark.parametrize("direction", ["", "steal", "CREDIT"])
def test_directions_are_the_two_that_there_are(client: FlaskClient, customer: Subject, direction: str) -> None:
    assert give(client, customer, direction=direction).status_code == 400
    assert states() == []


OF_NO_TIME = ["f" * 32, "ffffffff-ffff-7fff-bfff-ffffffffffff", "0" * 32, "3f1e9a7c-2b4d-4c6e-8f01-23456789abcd"]


@pytest.mark.parametrize("days", [-400, -1, 1, 36_500])
def test_a_form_with_a_nonce_of_another_time_moves_nothing(client: FlaskClient, customer: Subject, days: int) -> None:
    assert give(client, customer, nonce=str(new_id(now() + timedelta(days=days)))).status_code == 400
    assert (settled(customer.person), states()) == (Decimal(10), [])


@pytest.mark.parametrize("nonce", ["", "x", "1", *OF_NO_TIME])
def test_a_form_without_a_nonce_of_ours_moves_nothing(client: FlaskClient, customer: Subject, nonce: str) -> None:
    """A key of another time would hide the adjustment at an end of every list; the greatest one broke the ledger's page."""
    assert give(client, customer, nonce=nonce).status_code == 400
    assert states() == []


def test_fields_that_no_form_has_change_nothing(client: FlaskClient, customer: Subject, support: Person) -> None:
    """R24: whose account and in whose name is not a matter of fields."""
    other = factories.make_person()
    boss = factories.make_person(role=Role.ADMIN)

    give(
        client,
        customer,
        amount="60",
        account_id=str(other.account_id),
        role="admin",
        requested_by_id=str(boss.user_id),
        state="posted",
        cap="1000",
    )

    [row] = scenes.rows("SELECT * FROM adjustments")
    assert (row["account_id"], row["requested_by_id"], row["state"]) == (customer.person.account_id, support.user_id, "waiting")
    assert settled(other) == 0


def test_ones_own_account_is_forbidden(client: FlaskClient, support: Person, customer: Subject) -> None:
    assert give(client, Subject(support, customer.key), amount="1").status_code == 403
    assert settled(support) == 0


def test_taking_back_more_than_there_is_is_said_at_the_field(client: FlaskClient, customer: Subject) -> None:
    answer = give(client, customer, direction="debit", amount="10.01")

    assert answer.status_code == 400
    assert "only $10.00 is available" in answer.text
    assert "an outage" in answer.text  # what was typed is still there


def test_taking_back_what_there_is_works(client: FlaskClient, customer: Subject) -> None:
    assert give(client, customer, direction="debit", amount="10").status_code == 302
    assert settled(customer.person) == 0


def test_a_large_credit_asks_for_the_second_factor_and_keeps_what_was_typed(client: FlaskClient, customer: Subject) -> None:
    """Within the cap nobody is asked."""
    small, large = (give(not_confirmed(client), customer, amount=amount) for amount in ("50", "50.01"))

    assert small.headers["Location"].startswith(customer.url())
    assert large.headers["Location"].startswith("/sign-in/")
    assert "amount%3D50.01" in large.headers["Location"]
    assert states() == ["posted"]


@pytest.fixture
def waiting(client: FlaskClient, customer: Subject) -> str:
    """Where to decide about an adjustment that support has asked for."""
    give(client, customer, amount="100")
    [row] = scenes.rows("SELECT id, state FROM adjustments")
    assert row["state"] == "waiting"
    return f"/admin/adjustments/{row['id']}"


@pytest.mark.parametrize("role", [Role.FINANCE, Role.ADMIN])
def test_another_person_approves_once(app: Flask, waiting: str, customer: Subject, role: Role) -> None:
    approver = client_of(app, role)

    answers = [approver.post(f"{waiting}/approve/").status_code for _ in range(2)]

    assert answers == [302, 409]
    assert settled(customer.person) == Decimal(110)


def test_approving_asks_for_the_second_factor_again(app: Flask, waiting: str, customer: Subject) -> None:
    answer = not_confirmed(client_of(app, Role.ADMIN)).post(f"{waiting}/approve/")

    assert answer.headers["Location"].startswith("/sign-in/")
    assert settled(customer.person) == Decimal(10)


def test_support_approves_and_rejects_nothing(client: FlaskClient, app: Flask, waiting: str, customer: Subject) -> None:
    """R24: neither their own nor a colleague's."""
    for who in (client, client_of(app, Role.SUPPORT)):
        for verb in ("approve", "reject"):
            assert who.post(f"{waiting}/{verb}/", data={"reason": "x"}).status_code == 403

    assert (settled(customer.person), states()) == (Decimal(10), ["waiting"])


def test_a_colleague_takes_nothing_back_and_whoever_asked_does(app: Flask, client: FlaskClient, waiting: str) -> None:
    answers = [who.post(f"{waiting}/withdraw/", data={"reason": "a slip"}).status_code for who in (client_of(app, Role.SUPPORT), client)]

    assert answers == [403, 302]
    assert states() == ["rejected"]


@pytest.mark.parametrize("role", [Role.FINANCE, Role.ADMIN])
def test_nobody_approves_what_they_asked_for(app: Flask, customer: Subject, role: Role) -> None:
    """R25."""
    boss = client_of(app, role)
    give(boss, customer, amount="2001")
    [row] = scenes.rows("SELECT id FROM adjustments")

    answer = boss.post(f"/admin/adjustments/{row['id']}/approve/")

    assert answer.status_code == 403
    assert settled(customer.person) == Decimal(10)


def test_rejecting_needs_a_reason_that_the_page_then_shows(app: Flask, waiting: str, customer: Subject) -> None:
    boss = client_of(app, Role.FINANCE)

    without, given = boss.post(f"{waiting}/reject/"), boss.post(f"{waiting}/reject/", data={"reason": "not our fault"})

    assert (without.status_code, given.status_code) == (400, 302)
    assert "not our fault" in boss.get("/admin/adjustments/?state=rejected").text
    assert settled(customer.person) == Decimal(10)


def test_a_debit_that_no_longer_fits_is_said_and_waits_on(app: Flask, customer: Subject) -> None:
    factories.grant(customer.person, usd="90")
    give(client_of(app, Role.SUPPORT), customer, direction="debit", amount="100")
    factories.grant(customer.person, usd="-1")
    [row] = scenes.rows("SELECT id FROM adjustments")
    boss = client_of(app, Role.FINANCE)

    answer = boss.post(f"/admin/adjustments/{row['id']}/approve/", follow_redirects=True)

    assert "only $99.00 is available" in answer.text
    assert states() == ["waiting"]


def test_the_list_of_what_waits_offers_only_what_one_may_do(app: Flask, client: FlaskClient, waiting: str) -> None:
    own = client.get("/admin/adjustments/").text
    colleagues = client_of(app, Role.SUPPORT).get("/admin/adjustments/").text
    boss = client_of(app, Role.FINANCE).get("/admin/adjustments/").text

    assert [("/withdraw/" in page, "/approve/" in page) for page in (own, colleagues, boss)] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_caps_are_settings(make_app: Callable[..., Flask], support: Person, customer: Subject) -> None:
    stingy = make_app(CREDIT_CAP_SUPPORT_USD="0.5")

    client = client_of(stingy, person=support)

    give(client, customer, amount="0.5")
    give(client, customer, amount="0.01")
    assert states() == ["posted", "waiting"]

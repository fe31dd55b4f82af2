"""Payments and suspense in the back office: found by any id, refunded once, and what fits nothing (R18, R19, R24, R37)."""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Settings
from reseller.clock import new_id
from reseller.domain import ledger
from reseller.domain.accounts import Role
from reseller.domain.payments import topups
from reseller.domain.payments.topups import Order
from reseller.web.signed_in import own_path
from tests import factories
from tests.cashier.bank import Bank
from tests.deployment import settings_over
from tests.domain import scenes
from tests.fakes.stripe import FakeStripe
from tests.staff import client_of

FORMULA = '=HYPERLINK("https://evil.example","click")'
NONCE = re.compile(r'name="nonce"[^>]* value="([0-9a-f-]{36})"')
UNSPENT = re.compile(r'name="unspent_usd"[^>]* value="([0-9.]+)"')


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as started:
        yield started


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeStripe) -> Settings:
    return settings_over(database_url, tmp_path, **fake.settings())


@pytest.fixture
def bank(app: Flask, fake: FakeStripe) -> Bank:
    return Bank(app, fake, factories.make_person(email="ann@example.com", company="Ann & Co"))


@pytest.fixture
def client(app: Flask, bank: Bank) -> FlaskClient:
    return client_of(app, Role.FINANCE)


def page(client: FlaskClient, address: str = "/admin/payments/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def exported(client: FlaskClient, address: str = "/admin/payments/export/csv/") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page(client, address))))


def of(order: Order) -> str:
    return f"/admin/payments/details/?id={order.payment_id}"


def refund(
    client: FlaskClient,
    order: Order,
    usd: str = "5",
    *,
    reason: str = "asked for it",
    nonce: UUID | str | None = None,
    unspent: str = "0",
) -> TestResponse:
    """The refund form of the order's page, filled in and sent by somebody who would give back what is spent, too."""
    fields = {"amount_usd": usd, "reason": reason, "nonce": str(nonce or new_id()), "unspent_usd": unspent}
    return client.post(f"/admin/payments/{order.payment_id}/refund/", data=fields)


def made(bank: Bank) -> list[int]:
    return [each["amount"] for each in bank.fake.shop.refunds.values()]


def spend(bank: Bank, usd: str) -> None:
    ledger.grant(bank.buyer.account_id, -Decimal(usd), reason="as if spent", actor="test")


# The list and its file.


def test_the_list_says_what_became_of_each_order(bank: Bank, client: FlaskClient) -> None:
    assert "Nobody has bought credit yet" in page(client)
    order = bank.paid("50")
    bank.fake.refund(bank.intent_of(order), 1250)
    bank.fake.dispute(bank.intent_of(order), 2000)
    bank.tell(*bank.fake.events)
    bank.order("7")

    text = page(client)

    for words in ("Ann &amp; Co", "$50.00", "$12.50", "$20.00", "$1.75", "paid", "open", of(order).replace("&", "&amp;")):
        assert words in text


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", {"20", "30", "40"}),
        ("status=paid", {"20", "40"}),
        ("status=open", {"30"}),
        ("status=failed", set()),
        ("account=ann@example.com", {"20", "30"}),
        ("account=ann@example.com&status=paid", {"20"}),
        ("account=nobody@example.com", set()),
        ("from=2199-01-01", set()),
        ("to=2020-01-01", set()),
    ],
)
def test_filters_leave_what_they_say_on_the_page_and_in_the_file(bank: Bank, client: FlaskClient, filters: str, found: set[str]) -> None:
    bank.paid("20")
    bank.order("30")
    Bank(bank.app, bank.fake).paid("40")

    text = page(client, f"/admin/payments/?{filters}")

    assert {row["Credit"] for row in exported(client, f"/admin/payments/export/csv/?{filters}")} == found
    assert {usd for usd in ("20", "30", "40") if f'title="${usd}.00"' in text} == found


def test_the_file_has_every_amount_and_id_and_no_formula(bank: Bank, client: FlaskClient) -> None:
    scenes.execute("UPDATE accounts SET name = :name", name=FORMULA)
    order = bank.paid("20")
    bank.fake.refund(bank.intent_of(order), 500)
    bank.tell(*bank.fake.events)

    (row,) = exported(client)

    line = bank.line(order)
    assert row["Account"] == f"'{FORMULA}"
    assert (row["Credit"], row["Refunded"], row["Disputed"], row["Stripe’s fee"]) == ("20", "5", "0", "0.88")
    assert {str(order.payment_id), line.session_id, bank.intent_of(order), bank.buyer.email} <= set(row.values())


# One payment.


def test_its_page_opens_by_any_of_its_ids(bank: Bank, client: FlaskClient) -> None:
    bank.paid("30")
    order = bank.paid("20")
    back, dispute = bank.fake.refund(bank.intent_of(order), 500), bank.fake.dispute(bank.intent_of(order), 100)
    bank.tell(*bank.fake.events)
    charge = bank.fake.shop.intents[bank.intent_of(order)]["latest_charge"]

    for id_ in (order.payment_id, bank.session_of(order), bank.intent_of(order), charge, back["id"], dispute["id"]):
        text = page(client, f"/admin/payments/details/?id={id_}")
        assert str(order.payment_id) in text
        assert "$20.00 of" in text
        found = client.get(f"/admin/customers/search?q={id_}")
        assert (found.status_code, found.location) == (302, of(order))


@pytest.mark.parametrize("id_", ["", "zzz", "pi_none_of_ours", "pi_%00aaaaaa", "%00", "9" * 400, "'; DROP TABLE payments"])
def test_what_is_no_payment_is_not_found(bank: Bank, client: FlaskClient, id_: str) -> None:
    bank.paid()

    assert client.get(f"/admin/payments/details/?id={id_}").status_code in (400, 404)
    assert client.get(f"/admin/customers/search?q={id_}").status_code in (200, 400)


def test_its_page_has_everything_that_belongs_to_it_and_nothing_of_others(bank: Bank, client: FlaskClient) -> None:
    other = bank.paid("30")
    order = bank.paid("20")
    dispute = bank.fake.dispute(bank.intent_of(order), 1000)
    bank.tell(*bank.fake.events)
    refund(client, order, "5", reason="bought <b>twice</b>")
    entries = scenes.rows("SELECT id, reference FROM ledger_entries")

    text = page(client, of(order))

    for entry in entries:
        assert (f"/admin/ledger/details/?id={entry['id']}" in text) == entry["reference"].startswith(str(order.payment_id))
    for words in (
        dispute["id"],
        "needs response",
        "fraudulent",
        "bought &lt;b&gt;twice&lt;/b&gt;",
        "charge.dispute.created",
        bank.buyer.email,
    ):
        assert words in text
    assert str(other.payment_id) not in text
    assert bank.fake.secret_key not in text


def test_the_screen_says_what_can_go_back_and_what_is_spent(bank: Bank, client: FlaskClient) -> None:
    """pitfalls: somebody had to work out by hand what of a payment was spent."""
    order = bank.paid("20")
    untouched = page(client, of(order))
    spend(bank, "12.34")
    spent = page(client, of(order))

    assert "At most $20.00, and none of it is spent." in untouched
    assert "At most $20.00. Up to $7.66 leaves the balance at zero or above" in spent


def test_a_payment_of_which_nothing_can_go_back_says_why(bank: Bank, client: FlaskClient) -> None:
    opened, refunded, disputed = bank.order(), bank.paid(), bank.paid()
    lost = topups.begin(bank.buyer.account_id, bank.buyer.user_id, Decimal(20), bank.cashier.bounds)
    bank.fake.refund(bank.intent_of(refunded))
    bank.fake.dispute(bank.intent_of(disputed))
    bank.tell_all()

    pages = [page(client, of(order)) for order in (opened, lost, refunded, disputed)]

    assert "Nothing can go back: it is not paid." in pages[0]
    assert "Nothing can go back: the order never reached Stripe, and nothing was charged." in pages[1]
    assert "Nothing more can go back: all of it was refunded." in pages[2]
    assert "Nothing more can go back: the bank holds the rest in a dispute." in pages[3]
    assert "never reached Stripe" in page(client)
    assert refund(client, opened, "5").status_code in (400, 409)
    assert made(bank) == [2_000]


def test_asking_stripe_finds_what_no_event_told(bank: Bank, client: FlaskClient) -> None:
    order = bank.order()
    bank.fake.pay(bank.session_of(order))

    answer = client.post(f"/admin/payments/{order.payment_id}/look/", follow_redirects=True)

    assert "Asked Stripe" in answer.text
    assert (bank.line(order).status, bank.balance) == ("paid", Decimal(20))


def test_asking_stripe_while_it_is_down_says_so(bank: Bank, client: FlaskClient) -> None:
    order = bank.order()
    bank.fake.is_down = True

    answer = client.post(f"/admin/payments/{order.payment_id}/look/", follow_redirects=True)

    assert "could not be asked" in answer.text
    assert bank.line(order).status == "open"


# Refunds.


def test_a_refund_takes_credit_gives_money_and_is_traced(bank: Bank, client: FlaskClient) -> None:
    """R37."""
    order = bank.paid("20")

    answer = refund(client, order, "$7.50", reason="bought twice")

    text = page(client, of(order))
    assert answer.location == of(order)
    assert "$7.50 is on its way back" in text
    assert "bought twice" in text
    assert (bank.balance, made(bank)) == (Decimal("12.50"), [750])
    [action] = scenes.rows("SELECT subject_id, account_id, reason, changes, address FROM staff_actions WHERE action = 'payment.refund'")
    assert action == {
        "subject_id": str(order.payment_id),
        "account_id": bank.buyer.account_id,
        "reason": "bought twice",
        "changes": {"amount_usd": [None, "7.5"]},
        "address": "127.0.0.1",
    }
    assert scenes.problems() == []


def test_the_form_of_the_page_sent_twice_is_one_refund(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    [nonce] = NONCE.findall(page(client, of(order)))

    answers = [refund(client, order, "5", nonce=nonce).status_code for _ in range(3)]
    changed = refund(client, order, "6", nonce=nonce)

    assert answers == [302] * 3
    assert changed.status_code == 409
    assert (bank.balance, made(bank)) == (Decimal(15), [500])


@pytest.mark.parametrize("becomes", ["failed", "canceled"])
def test_the_form_of_a_refund_that_did_not_reach_the_customer_says_so(bank: Bank, client: FlaskClient, becomes: str) -> None:
    """And asks Stripe nothing more: its idempotency key would only repeat what it said at first."""
    order, nonce = bank.paid("20"), new_id()
    refund(client, order, "5", nonce=nonce)
    page(client, of(order))
    [refund_id] = bank.fake.shop.refunds
    bank.fake.fail_refund(refund_id)
    for each in bank.fake.events_of("refund.updated", "refund.failed", "charge.refund.updated"):
        each["data"]["object"]["status"] = becomes
    bank.tell(*bank.fake.events)

    answer = refund(client, order, "5", nonce=nonce)

    assert answer.status_code == 409
    assert "did not reach the customer, and its credit is theirs again. Open the page again" in answer.text
    assert "is on its way back" not in page(client, of(order))
    assert (bank.balance, len(made(bank))) == (Decimal(20), 1)


def test_a_refund_that_fails_at_once_is_not_said_to_be_on_its_way(bank: Bank, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    order, answer = bank.paid("20"), bank.fake.api.answer

    def failing(method: str, path: str, *rest: Any) -> Any:
        status, more, found = answer(method, path, *rest)
        return status, more, found | {"status": "failed"} if (method, path) == ("POST", "/v1/refunds") else found

    monkeypatch.setattr(bank.fake.api, "answer", failing)
    refund(client, order, "5")

    text = page(client, of(order))
    assert "The refund of $5.00 did not reach the customer, and its credit is theirs again." in text
    assert "is on its way back" not in text
    assert bank.balance == Decimal(20)


@pytest.mark.parametrize("nonce", ["", "zzz", "0", "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_a_form_without_its_nonce_refunds_nothing(bank: Bank, client: FlaskClient, nonce: str) -> None:
    order = bank.paid("20")

    answer = client.post(
        f"/admin/payments/{order.payment_id}/refund/", data={"amount_usd": "5", "reason": "r", "nonce": nonce, "unspent_usd": "20"}
    )

    assert answer.status_code == 400
    assert "nothing was changed" in answer.text
    assert (bank.balance, made(bank)) == (Decimal(20), [])


def test_too_much_is_refused_with_the_numbers_and_what_was_typed_stays(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    refund(client, order, "5")

    answer = refund(client, order, "15.01", reason="all of it")

    assert answer.status_code == 400
    assert "At most $15.00 of this payment can go back" in answer.text
    assert 'value="15.01"' in answer.text
    assert "all of it" in answer.text
    assert made(bank) == [500]


@pytest.mark.parametrize("usd", ["", "0", "-5", "0.001", "NaN", "Infinity", "1e1", "1,000", "five", "5\x00", "9" * 29])
def test_an_amount_that_will_not_do_refunds_nothing(bank: Bank, client: FlaskClient, usd: str) -> None:
    order = bank.paid("20")

    answer = refund(client, order, usd)

    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text or usd == "5\x00"
    assert (bank.balance, made(bank)) == (Decimal(20), [])


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501, "a\x00b"])
def test_a_refund_needs_a_reason(bank: Bank, client: FlaskClient, reason: str) -> None:
    order = bank.paid("20")

    assert refund(client, order, reason=reason).status_code == 400

    assert (bank.balance, made(bank)) == (Decimal(20), [])


def test_stripe_down_keeps_the_credit_taken_and_says_that_it_is_asked_again(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    bank.fake.is_down = True

    answer = refund(client, order)

    text = page(client, of(order))
    assert answer.status_code == 302
    assert "The credit is taken; the refund is asked for again" in text
    assert "not there yet" in text
    assert (bank.balance, made(bank)) == (Decimal(15), [])


def test_stripe_refusing_gives_the_credit_back_and_says_why(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    bank.fake.shop.refund(bank.intent_of(order), None)  # in Stripe's own pages, and we have not heard of it

    refund(client, order, "20")

    text = page(client, of(order))
    assert "Stripe refused the refund" in text
    assert "already been refunded" in text
    assert "refused" in text
    assert bank.balance == Decimal(20)


def test_a_refund_of_what_is_spent_freezes_and_the_page_of_the_customer_says_so(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    spend(bank, "15")

    refund(client, order, "20")

    assert bank.balance == Decimal(-15)
    assert "frozen below zero" in page(client, f"/admin/customers/{bank.buyer.account_id}/")


def test_a_refund_of_what_is_spent_counts_like_an_adjustment_and_the_screen_says_so(app: Flask, bank: Bank, client: FlaskClient) -> None:
    """R25."""
    order = bank.paid("900")
    before = page(client, of(order))
    spend(bank, "700")
    during = page(client, of(order))

    too_much = refund(client, order, "900", reason="an outage")
    enough = refund(client, order, "600")

    assert "counts like an adjustment" not in before
    assert "of your $500.00 today $500.00 is left" in during
    assert (too_much.status_code, enough.status_code, made(bank)) == (400, 302, [60_000])
    assert "$700.00 of it is spent already" in too_much.text
    assert "refund at most $700.00" in too_much.text
    assert 'value="900"' in too_much.text
    assert "an outage" in too_much.text
    assert "of your $500.00 today $100.00 is left" in page(client, of(order))
    assert "$100.00" in page(client, f"/admin/customers/{bank.buyer.account_id}/credit/")


def test_what_is_spent_while_the_page_stands_open_is_said_before_it_goes_back(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    [nonce], [unspent] = (found.findall(page(client, of(order))) for found in (NONCE, UNSPENT))
    spend(bank, "15")

    first = refund(client, order, "20", reason="wants it back", nonce=nonce, unspent=unspent)
    kept = bank.balance, made(bank)
    second = refund(client, order, "20", nonce=nonce, unspent=UNSPENT.findall(first.text)[0])

    assert (first.status_code, kept) == (400, (Decimal(5), []))
    assert "Credit was spent since you opened this page: $15.00 of this refund is not there any more." in first.text
    assert "Up to $5.00 leaves the balance at zero" in first.text
    assert "wants it back" in first.text
    assert (second.status_code, bank.balance, made(bank)) == (302, Decimal(-15), [2_000])


@pytest.mark.parametrize("unspent", ["", "lots", "NaN"])
def test_a_form_that_does_not_say_what_its_page_said_refunds_nothing(bank: Bank, client: FlaskClient, unspent: str) -> None:
    order = bank.paid("20")

    answer = refund(client, order, unspent=unspent)

    assert answer.status_code == 400
    assert "The form is not complete" in answer.text
    assert (bank.balance, made(bank)) == (Decimal(20), [])


def test_nobody_refunds_what_they_paid_themselves(app: Flask, fake: FakeStripe) -> None:
    """R25."""
    person = factories.make_person(role=Role.FINANCE)
    bank = Bank(app, fake, person)
    order, client = bank.paid("900"), client_of(app, Role.FINANCE, person=person)
    spend(bank, "900")

    text, answer = page(client, of(order)), refund(client, order, "900")

    assert "somebody else must refund it" in text
    assert f"/admin/payments/{order.payment_id}/refund/" not in text
    assert answer.status_code == 403
    assert "Somebody else must refund it" in answer.text
    assert (bank.balance, made(bank)) == (0, [])


def test_a_payment_that_is_not_there_is_not_refunded(bank: Bank, client: FlaskClient) -> None:
    answer = client.post(f"/admin/payments/{new_id()}/refund/", data={"amount_usd": "5", "reason": "r", "nonce": str(new_id())})

    assert answer.status_code == 404


# Who may (R24, R26).


@pytest.mark.parametrize(("role", "may"), [(Role.SUPPORT, False), (Role.FINANCE, True), (Role.ADMIN, True)])
def test_support_looks_and_finance_and_admins_refund(app: Flask, bank: Bank, role: Role, may: bool) -> None:
    order = bank.paid("20")
    somebody = client_of(app, role)

    text = page(somebody, of(order))
    answers = [
        refund(somebody, order).status_code,
        somebody.post(f"/admin/payments/{order.payment_id}/look/").status_code,
        somebody.get("/admin/payments/export/csv/").status_code,
    ]

    assert answers == ([302, 302, 200] if may else [403] * 3)
    assert (f"/admin/payments/{order.payment_id}/refund/" in text, "Ask Stripe" in text) == (may, may)
    assert ("Finance and admins refund" in text) == (not may)
    assert made(bank) == ([500] if may else [])


def test_a_customer_gets_nowhere(app: Flask, bank: Bank) -> None:
    order = bank.paid("20")
    customer = client_of(app, Role.CUSTOMER, person=bank.buyer)

    answers = [customer.get("/admin/payments/"), customer.get(of(order)), refund(customer, order)]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert made(bank) == []


def test_money_back_asks_for_the_second_factor_again(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    scenes.execute("UPDATE sessions SET confirmed_at = now() - interval '11 minutes'")

    text, answer = page(client, of(order)), refund(client, order, "7.50", reason="bought twice, “€” & <b>")

    assert "first confirm that it is you" in text
    assert f"/admin/payments/{order.payment_id}/refund/" not in text
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in/confirm")
    assert (bank.balance, made(bank)) == (Decimal(20), [])

    scenes.execute("UPDATE sessions SET confirmed_at = now()")
    back = parse_qs(urlsplit(answer.location).query)["next"][0]
    again = page(client, own_path(back, "/"))

    assert 'value="7.50"' in again
    assert "bought twice, “€” &amp; &lt;b&gt;</textarea>" in again
    assert made(bank) == []


def test_a_form_from_elsewhere_refunds_nothing(app: Flask, bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    app.config["WTF_CSRF_ENABLED"] = True

    assert refund(client, order).status_code == 400
    assert made(bank) == []


def test_where_stripe_is_not_configured_payments_are_still_there_to_look_at(bank: Bank, make_app: Any) -> None:
    order = bank.paid("20")
    client = client_of(make_app(), Role.ADMIN)

    text = page(client, of(order))
    answers = [refund(client, order).status_code, client.post(f"/admin/payments/{order.payment_id}/look/").status_code]

    assert "Stripe is not configured" in text
    assert "Ask Stripe" not in text
    assert answers == [409, 409]
    assert bank.balance == Decimal(20)


def test_the_customers_page_has_their_payments(bank: Bank, client: FlaskClient) -> None:
    order = bank.paid("20")
    strangers = Bank(bank.app, bank.fake).paid("30")

    text = page(client, f"/admin/customers/{bank.buyer.account_id}/")

    assert of(order) in text
    assert str(strangers.payment_id) not in text


# Suspense (R18).


def aside(bank: Bank) -> UUID:
    """Money that belongs to no order; the item's id."""
    bank.fake.foreign_payment(4_200)
    bank.tell(*bank.fake.events)
    return UUID(str(scenes.rows("SELECT id FROM suspense_items ORDER BY id DESC LIMIT 1")[0]["id"]))


def resolve(client: FlaskClient, item: UUID, words: str = "sent back at Stripe") -> int:
    return client.post(f"/admin/suspense/{item}/resolve/", data={"reason": words}).status_code


def test_money_that_fits_nothing_is_listed_and_resolved_with_words_and_a_name(app: Flask, bank: Bank, client: FlaskClient) -> None:
    assert "Nothing is in suspense" in page(client, "/admin/suspense/")
    item = aside(bank)
    listed = page(client, "/admin/suspense/")

    refused = [resolve(client, item, words) for words in ("", "  ", "x" * 501, "a\x00b")]
    status = resolve(client, item)
    again = resolve(client, item, "once more")

    assert "$42.00" in listed
    assert "no order of ours" in listed
    assert refused == [400] * 4
    assert (status, again, resolve(client, new_id())) == (302, 409, 404)
    assert "sent back at Stripe" in page(client, "/admin/suspense/?state=resolved")
    assert "Nothing matches" in page(client, "/admin/suspense/?state=open")
    assert scenes.rows("SELECT subject_id, reason FROM staff_actions WHERE action = 'suspense.resolve'") == [
        {"subject_id": str(item), "reason": "sent back at Stripe"}
    ]
    assert bank.balance == 0


def test_support_sees_suspense_and_resolves_nothing(app: Flask, bank: Bank) -> None:
    item = aside(bank)
    support = client_of(app, Role.SUPPORT)

    text = page(support, "/admin/suspense/")

    assert "no order of ours" in text
    assert "To resolve" not in text
    assert resolve(support, item) == 403
    assert support.get("/admin/suspense/export/csv/").status_code == 403


def test_suspense_is_found_by_stripes_id_and_kept_in_a_file(bank: Bank, client: FlaskClient) -> None:
    aside(bank)
    [first] = bank.fake.shop.intents
    aside(bank)

    rows = exported(client, f"/admin/suspense/export/csv/?subject={first}")

    assert [row["At Stripe"] for row in rows] == [first]
    assert len(exported(client, "/admin/suspense/export/csv/?kind=foreign")) == 2
    assert exported(client, "/admin/suspense/export/csv/?kind=wrong_amount") == []


def test_figures_of_finance_lead_to_the_payments_behind_them(bank: Bank, client: FlaskClient) -> None:
    """A payment counts on the day it was paid, and a refund on the day it went back, whenever the order was begun."""
    old, new = bank.paid("20"), bank.paid("30")
    bank.order("40")
    bank.fake.refund(bank.intent_of(old), 500)
    bank.tell_all()
    scenes.execute("ALTER TABLE payment_moves DISABLE TRIGGER USER")
    scenes.execute(
        "UPDATE payment_moves SET created_at = '2026-01-31 23:59:59+00' WHERE kind = 'payment' AND payment_id = :id", id=old.payment_id
    )
    scenes.execute("UPDATE payment_moves SET created_at = '2026-02-01 00:00:00+00' WHERE kind = 'refund'")
    scenes.execute("ALTER TABLE payment_moves ENABLE TRIGGER USER")

    def found(moved: str) -> set[str]:
        return {row["Id"] for row in exported(client, f"/admin/payments/export/csv/?moved={quote(moved)}")}

    assert found("2026-01-01..2026-01-31 payment") == {str(old.payment_id)}
    assert found("2026-01-01..2026-01-31 refund") == set()
    assert found("2026-02-01") == {str(old.payment_id)}
    assert str(new.payment_id) not in found("2026-01-01..2026-02-28")
    assert "the filter was left out" in page(client, "/admin/payments/?moved=2026-02-01..2026-01-01")


def test_an_order_whose_money_does_not_fit_says_so_on_both_sides(app: Flask, bank: Bank, client: FlaskClient) -> None:
    order = bank.order("20")
    session = bank.fake.shop.sessions[bank.session_of(order)]
    session |= {"amount_subtotal": 900, "amount_total": 900}
    bank.fake.pay(bank.session_of(order))
    bank.tell(*bank.fake.events)

    ours = page(client, of(order))
    theirs = page(client_of(app, Role.CUSTOMER, person=bank.buyer), f"/billing/payments/{order.payment_id}")

    assert "In suspense: Paid $9.00, ordered $20.00." in ours
    assert f"/admin/payments/details/?id={order.payment_id}" in page(client, "/admin/suspense/")
    assert "not what was ordered" in theirs
    assert "Go on to the payment" not in theirs
    assert bank.balance == 0

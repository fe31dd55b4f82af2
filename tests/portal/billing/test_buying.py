"""Buying credit in the portal: what is offered, what is refused, and a way back from Stripe that proves nothing (R18, R19, R23)."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Settings
from reseller.cashier import cashier
from reseller.clock import new_id, now
from reseller.domain import ledger
from reseller.domain.accounts import Role
from reseller.domain.payments import pack_changes, topups
from reseller.domain.payments.pack_changes import PackTerms
from reseller.domain.payments.topups import MAX_LOOKS, Order
from reseller.money import parse_usd
from tests import factories
from tests.cashier.bank import Bank
from tests.deployment import settings_over
from tests.domain import scenes
from tests.fakes.stripe import FakeStripe
from tests.portal.visitor import Visitor
from tests.staff import client_of

ORDER = re.compile(r'href="/billing/payments/([0-9a-f-]{36})"')
TYPED = re.compile(r'id="amount"[^>]* value="([^"]*)"')
NONCE = re.compile(r'name="nonce" value="([^"]*)"')
LEADS_TO = re.compile(r'content="0;url=([^"]*)"')
BONUSES = re.compile(r'name="bonuses" value="([^"]*)"')
PROBLEM = re.compile(r'<ul class="errors" id="amount-errors"><li>([^<]*)')


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
def browser(app: Flask, bank: Bank) -> FlaskClient:
    return client_of(app, Role.CUSTOMER, person=bank.buyer)


def text_of(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def buy(browser: FlaskClient, **chosen: str) -> TestResponse:
    """From a page that was opened just now, unless it says otherwise."""
    return browser.post("/billing/payments", data={"nonce": str(new_id())} | chosen)


def orders() -> list[Any]:
    return scenes.rows("SELECT id, account_id, user_id, amount_nano, bonus_nano, status, session_id FROM payments ORDER BY id")


def page_of(order: Order) -> str:
    return f"/billing/payments/{order.payment_id}"


def entries() -> list[Any]:
    return scenes.rows("SELECT id, kind, amount_nano, reference FROM ledger_entries ORDER BY sequence")


# What is offered, and what becomes of a choice.


def test_packs_bounds_and_bonuses_are_shown(browser: FlaskClient) -> None:
    for usd, label in (("10", ""), ("100", "most bought"), ("2", "below the least"), ("5000", "above the most")):
        pack_changes.add_pack(PackTerms(Decimal(usd), label), actor="test", reason="to sell")
    pack_changes.add_pack(PackTerms(Decimal(50), is_offered=False), actor="test", reason="to sell")
    pack_changes.add_tier(Decimal(100), Decimal(5), actor="test", reason="to sell")

    page = text_of(browser, "/billing")

    assert re.findall(r'name="pack" value="([^"]+)"', page) == ["10", "100"]
    for words in ("$100.00 + $5.00", "most bought", "From $5.00 to $1,000.00", "5% from $100.00", "taxes"):
        assert words in page
    assert "below the least" not in page


@pytest.mark.parametrize(
    ("chosen", "usd"),
    [
        ({"pack": "25"}, "25"),
        ({"amount": "25"}, "25"),
        ({"amount": "$25.50"}, "25.5"),
        ({"amount": " $ 25.5 "}, "25.5"),
        ({"amount": "1,000"}, "1000"),
        ({"amount": "1,000.00"}, "1000"),
        ({"amount": "5"}, "5"),
    ],
)
def test_an_amount_becomes_an_order_that_the_browser_is_led_to_pay(
    bank: Bank, browser: FlaskClient, chosen: dict[str, str], usd: str
) -> None:
    answer = buy(browser, **chosen)

    [order] = orders()
    [session] = bank.fake.shop.sessions.values()
    page = answer.get_data(as_text=True)
    assert (answer.status_code, order["status"]) == (200, "open")
    assert (Decimal(order["amount_nano"]) / 10**9, session["amount_total"]) == (Decimal(usd), int(Decimal(usd) * 100))
    assert (order["account_id"], order["user_id"]) == (bank.buyer.account_id, bank.buyer.user_id)
    assert f'content="0;url={session["url"]}"' in page
    assert f'href="{session["url"]}"' in page
    assert ORDER.findall(page) == [str(order["id"])]
    assert bank.balance == 0


REFUSED = (
    "lots", "0", "-5", "-25", "0.001", "5.001", "4.99", "1000.01", "1000000", "NaN", "Infinity", "-Infinity", "1e3", "1e999", "1_000",
    "1,5", "25,50", "10,00.00", "2 5", "25 dollars", "\N{EURO SIGN}25", "0x19", "\uff12\uff15", "\u0662\u0665", "25\t0", "<b>25</b>", " ",
    "9" * 4000,
)  # fmt: skip


def test_an_amount_that_will_not_do_is_said_so_changes_nothing_and_stays_in_the_field(bank: Bank, browser: FlaskClient) -> None:
    for typed in REFUSED:
        answer = browser.post("/billing/payments", data={"amount": typed}, follow_redirects=True)

        page = answer.get_data(as_text=True)
        assert answer.status_code == 200, typed
        [problem] = PROBLEM.findall(page)
        assert re.fullmatch(r"(Write an amount in dollars|Choose an amount from \$5\.00 to \$1,000\.00).* Nothing was charged\.", problem)
        assert TYPED.findall(page) == [typed[:40].replace("<", "&lt;").replace(">", "&gt;")]
    assert (orders(), bank.fake.shop.sessions, entries()) == ([], {}, [])


def test_a_form_without_an_amount_buys_nothing(browser: FlaskClient) -> None:
    answers = [buy(browser, **fields) for fields in ({}, {"amount": ""}, {"pack": ""}, {"amount_usd": "25"})]

    assert [answer.status_code for answer in answers] == [302] * 4
    assert orders() == []


def test_a_pack_that_nobody_offers_is_held_to_the_bounds_like_any_amount(bank: Bank, browser: FlaskClient) -> None:
    answer = buy(browser, pack="100000")

    assert answer.status_code == 302
    assert orders() == []


def test_an_address_may_fill_in_the_field_and_buys_nothing(browser: FlaskClient) -> None:
    page = text_of(browser, "/billing?amount=25.50")

    assert TYPED.findall(page) == ["25.50"]
    assert PROBLEM.findall(page) == []
    assert orders() == []


def test_a_bonus_is_promised_before_and_given_after(bank: Bank, browser: FlaskClient) -> None:
    pack_changes.add_tier(Decimal(20), Decimal(10), actor="test", reason="to sell")
    order = bank.paid("20")

    page = text_of(browser, page_of(order))

    assert "with $2.00 on top" in page
    assert bank.balance == Decimal(22)


def test_a_bonus_that_is_another_by_now_is_said_before_anything_is_paid(bank: Bank, browser: FlaskClient) -> None:
    """Who pressed "$20.00 + $2.00" must not pay $20.00 for $20.00."""
    pack_changes.add_pack(PackTerms(Decimal(20)), actor="test", reason="to sell")
    tier_id = pack_changes.add_tier(Decimal(20), Decimal(10), actor="test", reason="to sell")
    seen = set(BONUSES.findall(text_of(browser, "/billing")))
    pack_changes.change_tier(tier_id, Decimal(20), Decimal(1), seen_version=None, actor="test", reason="too dear")

    answer = browser.post("/billing/payments", data={"pack": "20", "bonuses": seen.pop()}, follow_redirects=True)
    kept = orders()
    again = buy(browser, pack="20", bonuses=BONUSES.findall(answer.text)[0])

    assert "The bonuses have changed since you opened this page. Nothing was charged" in answer.text
    assert "$20.00 + $0.20" in answer.text
    assert (seen, kept, again.status_code) == (set(), [], 200)
    assert [order["bonus_nano"] for order in orders()] == [200_000_000]


# A form that is sent again (R15).


def test_a_form_that_is_sent_twice_is_one_order_and_both_lead_to_its_payment(bank: Bank, browser: FlaskClient) -> None:
    nonce = NONCE.findall(text_of(browser, "/billing"))[0]

    answers = [buy(browser, amount="25", nonce=nonce) for _ in range(2)]

    [order] = orders()
    [session] = bank.fake.shop.sessions.values()
    assert str(order["id"]) == nonce
    assert [LEADS_TO.findall(answer.text) for answer in answers] == [[session["url"]]] * 2


def test_two_clicks_at_once_lead_to_the_one_page_that_the_first_opens(
    bank: Bank, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is still on its way to Stripe when the second comes."""
    first = topups.begin(bank.buyer.account_id, bank.buyer.user_id, Decimal(25), bank.cashier.bounds)
    monkeypatch.setattr(cashier, "sleep", lambda _: bank.cashier.open_checkout(first))

    second = buy(browser, amount="25", nonce=str(first.payment_id))

    [session] = bank.fake.shop.sessions.values()
    assert LEADS_TO.findall(second.text) == [session["url"]]
    assert [order["session_id"] for order in orders()] == [session["id"]]


@pytest.mark.parametrize(("fails", "words"), [(False, "still being opened"), (True, "that you began with this page is over")])
def test_a_second_click_never_asks_stripe_and_is_told_what_the_first_came_to(
    bank: Bank, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch, fails: bool, words: str
) -> None:
    first = topups.begin(bank.buyer.account_id, bank.buyer.user_id, Decimal(25), bank.cashier.bounds)
    monkeypatch.setattr(cashier, "sleep", lambda _: topups.not_opened(first.payment_id) if fails else None)

    second = browser.post("/billing/payments", data={"amount": "25", "nonce": str(first.payment_id)}, follow_redirects=True)

    assert words in second.text
    assert TYPED.findall(second.text) == ["25"]
    assert bank.fake.shop.sessions == {}
    assert [order["status"] for order in orders()] == ["failed" if fails else "open"]


@pytest.mark.parametrize("amount", ["30", "25"])
def test_whoever_comes_back_to_an_old_page_is_told_of_its_order_and_chooses_again(bank: Bank, browser: FlaskClient, amount: str) -> None:
    """Another amount after "back"; or the same once more, after the first was paid."""
    nonce = NONCE.findall(text_of(browser, "/billing"))[0]
    buy(browser, amount="25", nonce=nonce)
    if amount == "25":
        [session_id] = bank.fake.shop.sessions
        bank.fake.pay(session_id)
        bank.tell(*bank.fake.events)

    refused = browser.post("/billing/payments", data={"amount": amount, "nonce": nonce}, follow_redirects=True)
    kept = len(orders())
    again = buy(browser, amount=amount, nonce=NONCE.findall(refused.text)[0])

    assert "$25.00" in refused.text
    assert "Nothing was charged now; choose again to buy more." in refused.text
    assert TYPED.findall(refused.text) == [amount]
    assert (kept, len(orders()), again.status_code) == (1, 2, 200)


def test_the_nonce_of_another_accounts_order_says_nothing_of_it(app: Flask, bank: Bank, browser: FlaskClient) -> None:
    theirs = Bank(app, bank.fake, factories.make_person()).order("25")

    answer = browser.post("/billing/payments", data={"amount": "30", "nonce": str(theirs.payment_id)}, follow_redirects=True)

    assert "This form had been sent before. Nothing was charged now" in answer.text
    assert "$25" not in answer.text
    assert [order["account_id"] for order in orders()] == [theirs.account_id]


MADE_UP: dict[str, Callable[[], object]] = {
    "none": lambda: "",
    "no id": lambda: "1",
    "old": lambda: new_id(now() - timedelta(days=2)),
    "not of ours": uuid4,
}


@pytest.mark.parametrize("made", MADE_UP)
def test_a_page_that_is_too_old_or_was_made_up_buys_nothing(browser: FlaskClient, made: str) -> None:
    nonce = str(MADE_UP[made]())
    answer = browser.post("/billing/payments", data={"amount": "30", "nonce": nonce}, follow_redirects=True)

    assert "too old" in answer.text
    assert TYPED.findall(answer.text) == ["30"]
    assert orders() == []


def test_a_form_from_elsewhere_buys_nothing(app: Flask, bank: Bank, visitor: Callable[..., Visitor]) -> None:
    somebody = visitor()
    somebody.sign_in(bank.buyer.email)

    forged = somebody.client.post("/billing/payments", data={"amount": "25"})
    genuine = somebody.post("/billing/payments", seen="/billing", amount="25", nonce=str(new_id()))

    assert forged.status_code == 400
    assert "Nothing was changed" in forged.get_data(as_text=True)
    assert genuine.status_code == 200
    assert len(orders()) == 1


def test_too_many_orders_in_an_hour_are_refused_with_a_wait(bank: Bank, browser: FlaskClient) -> None:
    answers = [buy(browser, amount="5") for _ in range(topups.MAX_BEGUN + 1)]

    assert [answer.status_code for answer in answers] == [200] * topups.MAX_BEGUN + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert len(orders()) == topups.MAX_BEGUN


# Where buying is off, or Stripe is.


def test_where_stripe_is_not_configured_the_page_says_so_and_nothing_is_sold(bank: Bank, make_app: Callable[..., Flask]) -> None:
    browser = client_of(make_app(), Role.CUSTOMER, person=bank.buyer)

    page, answer = text_of(browser, "/billing"), buy(browser, amount="25")

    assert "Buying credit on this page is not switched on" in page
    assert 'action="/billing/payments"' not in page
    assert answer.status_code == 503
    assert "not switched on" in answer.get_data(as_text=True)


@pytest.mark.parametrize("trouble", ["down", "refuses"])
def test_where_stripe_cannot_be_asked_nothing_is_charged_and_no_order_is_left_open(bank: Bank, browser: FlaskClient, trouble: str) -> None:
    bank.fake.is_down = trouble == "down"
    if trouble == "refuses":
        bank.fake.api.secret_key = "sk_test_another"

    answer = buy(browser, amount="25")

    assert answer.status_code == 503
    assert "Nothing was charged" in answer.get_data(as_text=True)
    [order] = orders()
    assert order["status"] == "failed"
    page = text_of(browser, f"/billing/payments/{order['id']}")
    assert "nothing was charged" in page
    assert "Go on to the payment" not in page


# The way back.


def test_the_way_back_proves_nothing(bank: Bank, browser: FlaskClient) -> None:
    """R18: somebody types the address that Stripe leads to after a payment."""
    order = bank.order()

    page = text_of(browser, page_of(order))
    status = browser.get(f"{page_of(order)}/status").get_json()

    assert "Waiting for Stripe to confirm" in page
    assert f'data-awaits="{page_of(order)}/status"' in page
    assert "awaits.js" in page
    assert status == {"status": "open"}
    assert (bank.balance, entries()) == (0, [])


def test_whoever_left_can_go_on(bank: Bank, browser: FlaskClient) -> None:
    order = bank.order()

    page = text_of(browser, f"{page_of(order)}?left=1")

    assert "nothing was charged" in page
    assert "data-awaits" not in page
    assert f'href="{bank.line(order).checkout_url}">Go on to the payment' in page


def test_whoever_left_and_had_paid_all_the_same_sees_so(bank: Bank, browser: FlaskClient) -> None:
    order = bank.paid()

    page = text_of(browser, f"{page_of(order)}?left=1")

    assert "The payment is in: $20.00 is yours to spend." in page
    assert "nothing was charged" not in page


def test_whoever_left_while_the_bank_is_at_it_is_not_told_that_nothing_was_charged(bank: Bank, browser: FlaskClient) -> None:
    order = bank.order()
    bank.fake.pay_later(bank.session_of(order))
    bank.tell(*bank.fake.events)

    page = text_of(browser, f"{page_of(order)}?left=1")

    assert "Your bank is still at it" in page
    assert "nothing was charged" not in page


def test_an_order_that_never_reached_stripe_says_so_and_can_be_begun_again(bank: Bank, browser: FlaskClient) -> None:
    order = topups.begin(bank.buyer.account_id, bank.buyer.user_id, Decimal("25.50"), bank.cashier.bounds)

    begun = text_of(browser, page_of(order))
    topups.not_opened(order.payment_id)
    over = text_of(browser, page_of(order))

    assert "has not opened yet, and nothing was charged" in begun
    assert "could not be opened, and nothing was charged" in over
    for page in (begun, over):
        assert "data-awaits" not in page
        assert 'href="/billing?amount=25.5#adding">Buy $25.50 again' in page


def test_the_page_asks_stripe_itself_where_no_event_came_and_not_more_than_every_five_seconds(bank: Bank, browser: FlaskClient) -> None:
    """R20."""
    order = bank.order()
    text_of(browser, page_of(order))
    bank.fake.pay(bank.session_of(order))

    asked = len(bank.fake.api.asked)
    early = [browser.get(f"{page_of(order)}/status").get_json() for _ in range(3)]
    asked_meanwhile = len(bank.fake.api.asked) - asked
    scenes.execute("UPDATE payments SET looked_at = now() - interval '6 seconds'")
    late = browser.get(f"{page_of(order)}/status").get_json()

    assert (early, asked_meanwhile) == ([{"status": "open"}] * 3, 0)
    assert late == {"status": "paid"}
    assert bank.balance == Decimal(20)
    assert scenes.problems() == []


def test_many_orders_that_wait_ask_stripe_no_oftener_than_a_few(bank: Bank, browser: FlaskClient) -> None:
    """Stripe answers a shop so often in a second and no oftener: one customer's pages must not use that up for all."""
    orders_open = [bank.order() for _ in range(MAX_LOOKS + 5)]
    before = len(bank.fake.api.asked)

    for order in orders_open:
        browser.get(f"{page_of(order)}/status")

    assert len(bank.fake.api.asked) - before == MAX_LOOKS
    scenes.execute("UPDATE payments SET looked_at = now() - interval '6 seconds' WHERE looked_at IS NOT NULL")
    browser.get(f"{page_of(orders_open[-1])}/status")
    assert len(bank.fake.api.asked) - before == MAX_LOOKS + 1


def test_stripe_down_leaves_the_page_waiting(bank: Bank, browser: FlaskClient) -> None:
    order = bank.order()
    bank.fake.is_down = True

    assert "Waiting for Stripe to confirm" in text_of(browser, page_of(order))


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("pay", "The payment is in: $20.00 is yours to spend."),
        ("pay_later", "Your bank is still at it"),
        ("bounce", "did not go through, and nothing was charged"),
        ("expire", "Nobody paid in time"),
    ],
)
def test_the_page_says_how_it_ended(bank: Bank, browser: FlaskClient, verb: str, words: str) -> None:
    order = bank.order()
    if verb == "bounce":
        bank.fake.pay_later(bank.session_of(order))
    getattr(bank.fake, verb)(bank.session_of(order))
    bank.tell(*bank.fake.events)

    page = text_of(browser, page_of(order))

    assert words in page
    assert "Waiting for Stripe" not in page


# Who may see what (R23, R24, R37).


def test_another_accounts_payment_is_not_there(app: Flask, bank: Bank) -> None:
    order = bank.paid()
    stranger = client_of(app, Role.CUSTOMER, person=factories.make_person())

    answers = [stranger.get(f"{page_of(order)}{rest}").status_code for rest in ("", "/status", "?left=1")]
    unknown = [stranger.get(f"/billing/payments/{which}").status_code for which in (new_id(), "x", "0", order.payment_id.hex[:-1])]

    assert answers == [404] * 3
    assert unknown == [404] * 4
    assert str(order.payment_id) not in text_of(stranger, "/billing")


def test_staff_who_view_as_the_customer_see_the_payments_and_neither_buy_nor_change(app: Flask, bank: Bank) -> None:
    order, waiting = bank.paid(), bank.order("30")
    bank.fake.pay(bank.session_of(waiting))
    support = client_of(app, Role.SUPPORT)
    support.post(f"/admin/customers/{bank.buyer.account_id}/view-as/", data={"reason": "a ticket"})

    refused = buy(support, amount="25")
    pages = [text_of(support, path) for path in ("/billing", page_of(order), page_of(waiting))]
    status = support.get(f"{page_of(waiting)}/status")

    assert refused.status_code == 403
    assert "Nothing was changed" in refused.get_data(as_text=True)
    assert "The payment is in" in pages[1]
    assert "Waiting for Stripe" in pages[2]
    assert (status.status_code, status.get_json()) == (200, {"status": "open"})
    assert [order["status"] for order in orders()] == ["paid", "open"]
    assert bank.balance == Decimal(20)


def test_a_member_who_is_signed_out_signs_in_and_comes_back_to_the_payment(bank: Bank, visitor: Callable[..., Visitor]) -> None:
    order = bank.paid()
    somebody = visitor()

    asked = somebody.get(page_of(order))
    back = somebody.post(asked.location, email=bank.buyer.email, password=factories.PASSWORD)

    assert asked.status_code == 302
    assert asked.location.startswith("/sign-in")
    assert back.location == page_of(order)
    assert "The payment is in" in somebody.get(back.location).get_data(as_text=True)


# Papers, and the ledger's lines.


def test_receipt_and_invoice_stand_on_both_pages(bank: Bank, browser: FlaskClient) -> None:
    order = bank.order()
    bank.fake.shop.sessions[bank.session_of(order)]["invoice_creation"] = {"enabled": True}
    bank.fake.pay(bank.session_of(order))
    bank.tell(*bank.fake.events)
    bank.cashier.look(bank.session_of(order))

    line = bank.line(order)
    for page in (text_of(browser, "/billing"), text_of(browser, page_of(order))):
        assert f'href="{line.receipt_url}" rel="noopener">Receipt' in page
        assert f'href="{line.invoice_url}" rel="noopener">Invoice' in page


def test_each_line_of_a_payment_leads_to_it_and_it_to_each_line(bank: Bank, browser: FlaskClient) -> None:
    pack_changes.add_tier(Decimal(50), Decimal(10), actor="test", reason="to sell")
    bank.paid("30")
    order = bank.paid("50")
    bank.fake.refund(bank.intent_of(order), 1000)
    dispute = bank.fake.dispute(bank.intent_of(order), 1500)
    bank.tell(*bank.fake.events)
    bank.fake.win(dispute["id"])
    bank.tell(*bank.fake.events)

    page = text_of(browser, page_of(order))
    mine = [entry for entry in entries() if entry["reference"].startswith(str(order.payment_id))]

    assert {entry["kind"] for entry in mine} == {"top_up", "bonus", "refund", "dispute"}
    assert re.findall(r'href="/billing/entries/([0-9a-f-]{36})"', page) == [str(entry["id"]) for entry in mine]
    for entry in mine:
        assert ORDER.findall(text_of(browser, f"/billing/entries/{entry['id']}")) == [str(order.payment_id)]


def test_an_entry_that_no_payment_caused_leads_to_none(bank: Bank, browser: FlaskClient) -> None:
    entry = ledger.grant(bank.buyer.account_id, Decimal(5), reason="a gift", actor="test")

    assert ORDER.findall(text_of(browser, f"/billing/entries/{entry.id}")) == []


def test_an_order_that_ran_out_is_not_listed(bank: Bank, browser: FlaskClient) -> None:
    over, open_ = bank.order(), bank.order()
    bank.fake.expire(bank.session_of(over))
    bank.tell(*bank.fake.events)

    assert ORDER.findall(text_of(browser, "/billing")) == [str(open_.payment_id)]


# Below zero (R19).


def spend(bank: Bank, usd: str) -> None:
    """As if calls had used so much."""
    ledger.grant(bank.buyer.account_id, -parse_usd(usd), reason="as if spent", actor="test")


@pytest.mark.parametrize(
    ("verb", "words"), [("refund", "a payment of $20.00 was refunded"), ("dispute", "was taken back by your bank in a dispute")]
)
def test_a_frozen_account_is_told_which_payment_went_back_and_a_top_up_thaws_it(
    app: Flask, bank: Bank, browser: FlaskClient, verb: str, words: str
) -> None:
    factories.make_rule()
    model, key = factories.make_model().slug, factories.make_key(bank.buyer)
    order = bank.paid("20")
    spend(bank, "15")
    getattr(bank.fake, verb)(bank.intent_of(order))
    bank.tell(*bank.fake.events)

    pages = [text_of(browser, "/overview"), text_of(browser, "/billing")]
    refused = call(app, key, model)

    for page in pages:
        assert "Your balance is below zero" in page
        assert words in page
        assert "Paid calls are refused until it is above zero again" in page
        assert f'href="{page_of(order)}">The payment</a>' in page
    assert refused.status_code == 402
    error = refused.get_json()["error"]
    assert (error["code"], error["type"]) == ("account_frozen", "insufficient_quota")
    assert "below zero after a refund or dispute" in error["message"]
    assert "http://localhost:8000/billing" in error["message"]
    assert refused.headers["x-should-retry"] == "false"

    bank.paid("30")

    assert bank.balance == Decimal(15)
    assert "Your balance is below zero" not in text_of(browser, "/overview") + text_of(browser, "/billing")
    assert call(app, key, model).status_code not in (402, 403)


def call(app: Flask, key: str, model: str) -> TestResponse:
    """One call; behind admission nobody answers."""
    body = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    return app.test_client().post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (("refund", 500), "Of this payment $5.00 went back to you"),
        (("dispute", 1500), "Your bank has taken $15.00 of this payment back in a dispute"),
    ],
)
def test_the_page_of_a_payment_that_went_back_says_so(bank: Bank, browser: FlaskClient, back: tuple[str, int], words: str) -> None:
    order = bank.paid()
    getattr(bank.fake, back[0])(bank.intent_of(order), back[1])
    bank.tell(*bank.fake.events)

    page = text_of(browser, page_of(order))

    assert words in page
    assert "is yours to spend" not in page


def test_the_letter_about_a_frozen_account_is_written_once(bank: Bank) -> None:
    order = bank.paid("20")
    spend(bank, "15")

    bank.fake.refund(bank.intent_of(order))
    bank.tell_all()

    assert scenes.rows("SELECT kind, recipient FROM letters") == [{"kind": "account_frozen", "recipient": bank.buyer.email}]


def test_no_page_of_buying_names_what_only_staff_may_know(bank: Bank, browser: FlaskClient) -> None:
    order = bank.paid()
    line = bank.line(order)

    page = text_of(browser, page_of(order))

    for secret in (line.session_id, bank.intent_of(order), bank.fake.secret_key, bank.fake.webhook_secret, "cus_"):
        assert str(secret) not in page

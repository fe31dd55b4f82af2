"""To the nano-dollar: what is charged is what the upstream billed × the rule, rounded up once (R7)."""

from decimal import Decimal
from http.client import HTTPConnection
from typing import Any

import gevent
import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import db
from reseller.domain import keys, ledger
from reseller.domain.calls import Admit, Outcome, PriceTerms, Settle, facts_of
from reseller.domain.usage import CallStatus, CostSource
from reseller.money import format_nano
from reseller.wiring import wiring_of
from tests import factories
from tests.servers import WorkerProcess
from tests.shop import Customer, Shop, charge_for, chat_body, exchange
from tests.waiting import wait_until

MODELS = [
    "openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-sonnet", "deepseek/deepseek-chat",
    "meta-llama/llama-3.1-8b-instruct", "perplexity/sonar", "fake/default",
]  # fmt: skip


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_charged_by_its_bill(customer: Customer, model: str, is_stream: bool) -> None:
    for _ in range(3):  # the fake bills each call by a factor of its own
        assert customer.chat(model, stream=is_stream).status == 200

    rows = wait_until(lambda: len(customer.rows) == 3 and customer.rows)
    bills = [Decimal(customer.shop.bill_of(row["generation_id"])["cost"]) for row in rows]
    assert [row["charge_nano"] for row in rows] == [charge_for(bill) for bill in bills]
    assert [row["cost_usd"] for row in rows] == bills
    assert customer.books.settled_nano == 10 * 10**9 - sum(charge_for(bill) for bill in bills)


@pytest.mark.parametrize(
    ("markup", "cost"),
    [("0", "0.000000001"), ("33.333333", "0.000123456789012345"), ("0.000001", "0.1"), ("10000", "0.0007"), ("25", "1e-12")],
)
def test_odd_markups_and_costs_are_rounded_up_once(shop: Shop, markup: str, cost: str) -> None:
    customer = shop.customer(markup=markup)
    shop.fake.script("/chat/completions", {"usage": {"cost": "\0" + cost}})

    answer = customer.chat()

    assert customer.row["charge_nano"] == charge_for(cost, markup=Decimal(markup))
    assert format(answer.json["usage"]["cost"], "f") == answer.headers["x-request-cost"] == format_nano(customer.row["charge_nano"])


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_the_minimum_is_charged_where_the_cost_is_below_it(shop: Shop, is_stream: bool) -> None:
    customer = shop.customer(markup="25", min_cost="0.05")

    customer.chat(stream=is_stream)

    assert customer.row["charge_nano"] == charge_for(customer.bill, min_cost="0.05") == 50_000_000


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_every_kind_of_token_is_recorded_and_the_bill_is_charged(customer: Customer, is_stream: bool) -> None:
    details = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100, "audio_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 5, "image_tokens": 3},
        "cost": "\0" + "0.00777777777777",
    }
    customer.shop.fake.script("/chat/completions", {"usage": details})

    customer.chat("anthropic/claude-sonnet", stream=is_stream)

    row = customer.row
    assert row["charge_nano"] == charge_for("0.00777777777777")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (1000, 500)
    assert (row["cached_tokens"], row["cache_write_tokens"], row["reasoning_tokens"]) == (600, 100, 300)
    assert row["usage_details"] == {"prompt_audio_tokens": 7, "completion_audio_tokens": 5, "image_tokens": 3}


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_tokens_without_any_cost_are_charged_kind_by_kind_at_the_list_price(customer: Customer, is_stream: bool) -> None:
    """R7: the rates of admission serve a missing cost; a bill paid with a key of one's own tells no cost."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
        "is_byok": True,
    }
    customer.shop.fake.script("/chat/completions", {"usage": usage})
    cost = 300 * Decimal("0.000003") + 600 * Decimal("0.0000003") + 100 * Decimal("0.00000375") + 500 * Decimal("0.000015")

    customer.chat("anthropic/claude-sonnet", stream=is_stream)

    row = customer.row
    assert (row["cost_source"], row["cost_usd"]) == ("price_snapshot", cost)
    assert row["charge_nano"] == charge_for(cost)
    explained = customer.call(f"/v1/generation?id=req_{row['id'].hex}").json["data"]["explanation"]["lines"]
    assert len(explained) >= 4


def test_the_price_of_admission_holds_although_the_rule_changes_meanwhile(shop: Shop) -> None:
    """R7."""
    customer = shop.customer(markup="50")
    shop.fake.script("/chat/completions", {"delay_ms": 400})
    answers: list[Any] = []
    call = gevent.get_hub().threadpool.spawn(lambda: answers.append(customer.chat()))
    wait_until(lambda: customer.holds)
    with shop.at_work():
        factories.make_rule(markup_percent="900", priority=20, account_id=customer.person.account_id)

    call.get(timeout=10)
    after = customer.chat()

    first, second = customer.rows
    assert answers[0].status == after.status == 200
    assert first["charge_nano"] == charge_for(first["cost_usd"], markup=Decimal(50))
    assert second["charge_nano"] == charge_for(second["cost_usd"], markup=Decimal(900))


def test_three_hundred_calls_of_four_tenths_of_a_micro_dollar_are_exactly_their_sum(shop: Shop) -> None:
    customer = shop.customer(markup="0", limits=False)
    shop.fake.script("/chat/completions", *[{"usage": {"cost": "\0" + "0.0000004"}, "tokens": 1}] * 300)
    connection = HTTPConnection("127.0.0.1", shop.web.port, timeout=60)
    headers = {"Authorization": f"Bearer {customer.key}"}

    costs = [exchange(connection, "/v1/chat/completions", chat_body(), headers=headers).headers["x-request-cost"] for _ in range(300)]
    connection.close()

    assert set(costs) == {"0.0000004"}
    assert customer.books.settled_nano == 10 * 10**9 - 300 * 400


def test_ten_thousand_calls_of_four_tenths_of_a_micro_dollar_are_exactly_four_thousandths(app: Flask) -> None:
    factories.make_model(slug="acme/tiny")
    factories.make_rule(markup_percent="0")
    person = factories.make_person(usd="1")
    factories.lift_limits(person)
    _, key = factories.mint_key(person)
    house = wiring_of(app)
    offer = house.book.snapshot.offer("acme/tiny", person.account_id)
    hold = offer.hold_terms(prompt_tokens=10, images=0, files=0, n=1, wants_image_output=False, wants_audio=False)
    terms = PriceTerms(offer.price_version, offer.rule_id, offer.markup_percent, offer.min_cost_nano)
    account_id, key_id = person.account_id, key.id

    def call() -> int:
        op = Admit(
            new_id(),
            account_id,
            key_id,
            house.process_id,
            "/chat/completions",
            "acme/tiny",
            "openrouter",
            False,
            False,
            terms,
            hold,
            10,
            1,
            True,
        )
        house.till.admit(op)
        outcome = Outcome(CallStatus.COMPLETED, cost_usd=Decimal("0.0000004"), cost_source=CostSource.INLINE, charge_nano=400)
        settled = house.till.settle(Settle(facts_of(op), outcome))
        return settled.charge_nano if settled else 0

    charges = []
    for _ in range(20):
        calls = [gevent.spawn(call) for _ in range(500)]
        gevent.joinall(calls, raise_error=True)
        charges += [greenlet.value for greenlet in calls]

    assert charges == [400] * 10_000
    assert ledger.balance_now(account_id).settled_nano == 10**9 - 4_000_000
    db.session.expire_all()
    assert keys.keys_of(account_id)[0].total_usd == Decimal("0.004")
    assert ledger.verify().mismatches == ()


def test_the_books_add_up_after_all_this(shop: Shop, clock: WorkerProcess) -> None:
    """R1."""
    wait_until(lambda: not shop.query("SELECT id FROM holds"))

    assert "0 open holds: all agree" in shop.flask("ledger", "verify")

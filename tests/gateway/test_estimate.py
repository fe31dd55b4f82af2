"""Estimates: what a call would hold, equal to what it then holds, and nothing taken for the answer."""

from decimal import Decimal
from typing import Any

import pytest

from reseller.domain.usage import rollup
from reseller.gateway import estimate
from reseller.gateway.pacing import Allotment
from tests import factories
from tests.shop import SLUG, Answer, Customer, Shop, chat_body

EMBEDDER = "openai/text-embedding-3-small"
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a chat": ("/v1/chat/completions", chat_body()),
    "a capped chat": ("/v1/chat/completions", chat_body(max_tokens=50)),
    "two choices": ("/v1/chat/completions", chat_body(max_completion_tokens=20, n=2)),
    "a stream": ("/v1/chat/completions", chat_body(max_tokens=50, stream=True)),
    "tools": ("/v1/chat/completions", chat_body(max_tokens=9, tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])),
    "an image": (
        "/v1/chat/completions",
        {"model": SLUG, "max_tokens": 9, "messages": [{"role": "user", "content": [PICTURE, {"type": "text", "text": "what?"}]}]},
    ),
    "a completion": ("/v1/completions", {"model": SLUG, "prompt": "once upon a time", "max_tokens": 30}),
    "an embedding": ("/v1/embeddings", {"model": EMBEDDER, "input": ["one", "two"]}),
}


def ask(customer: Customer, body: Any, **more: Any) -> Answer:
    return customer.call("/v1/estimate", body, **more)


@pytest.mark.parametrize("name", CALLS)
def test_the_hold_of_an_estimate_is_the_hold_of_the_call(customer: Customer, name: str) -> None:
    path, body = CALLS[name]

    told = ask(customer, body).json
    answer = customer.call(path, body)

    assert answer.status == 200, answer.body
    row = customer.row
    assert (told["endpoint"], told["model"]) == (path, body["model"])
    assert Decimal(told["hold"]) == Decimal(row["hold_nano"]).scaleb(-9) > 0
    assert Decimal(row["charge_nano"]).scaleb(-9) <= Decimal(told["hold"])
    assert told["admission"] == {"is_admitted": True, "status": None, "code": None, "message": None}
    assert 0 <= Decimal(told["likely_charge"]) <= Decimal(told["hold"])


def test_a_small_balance_lowers_the_answer_and_the_hold_alike(shop: Shop) -> None:
    customer = shop.customer(usd="0.0005")

    told = ask(customer, chat_body()).json
    customer.chat()

    assert told["completion_tokens"]["at_most"] < 16_384
    assert Decimal(told["hold"]) == Decimal(customer.row["hold_nano"]).scaleb(-9) <= Decimal("0.0005")


def test_an_estimate_takes_nothing_and_leaves_no_trace(customer: Customer) -> None:
    before, key = customer.books, customer.call("/v1/key").json

    answers = [ask(customer, body) for _, body in CALLS.values()]

    assert {answer.status for answer in answers} == {200}
    assert customer.books == before
    assert (customer.rows, customer.holds) == ([], [])
    assert customer.call("/v1/key").json == key
    assert "x-request-cost" not in answers[0].headers


def test_its_prices_are_those_of_the_list_and_its_money_is_exact(customer: Customer) -> None:
    told = ask(customer, chat_body(max_tokens=100)).json
    listed = customer.call(f"/v1/models/{SLUG}").json

    assert told["pricing"] == listed["pricing"]
    assert told["available"] == "10"
    assert told["completion_tokens"] == {"likely": 100, "at_most": 100, "based_on": "assumption"}
    assert told["prompt_tokens"]["likely"] < told["prompt_tokens"]["at_most"]
    usual = told["prompt_tokens"]["likely"] * Decimal(listed["pricing"]["prompt"]) + 100 * Decimal(listed["pricing"]["completion"])
    assert usual <= Decimal(told["likely_charge"]) < usual + Decimal("0.000000001")


def test_it_learns_from_the_accounts_own_calls_only(shop: Shop) -> None:
    mine, theirs = shop.customer(), shop.customer()
    mine.chat()
    assert mine.row["completion_tokens"] > 0
    with shop.at_work():
        rollup.run()

    learnt, unknown = ask(mine, chat_body()).json["completion_tokens"], ask(theirs, chat_body()).json["completion_tokens"]

    assert (learnt["based_on"], learnt["likely"]) == ("own_calls", mine.row["completion_tokens"])
    assert (unknown["based_on"], unknown["likely"]) == ("assumption", estimate.ASSUMED_COMPLETION_TOKENS)


def test_it_says_why_the_call_would_be_refused(shop: Shop) -> None:
    poor = shop.customer(usd="0")
    narrow = shop.customer(model_patterns=["sandbox/*"])
    bounded = shop.customer()
    with shop.at_work():
        factories.set_limits(bounded.person, max_tokens=10)

    told = {who.key: ask(who, body).json["admission"] for who, body in _refused(poor, narrow, bounded)}
    real = {who.key: who.call("/v1/chat/completions", body) for who, body in _refused(poor, narrow, bounded)}

    assert [told[who.key]["status"] for who in (poor, narrow, bounded)] == [402, 403, 400]
    for key, answer in real.items():
        assert told[key] == {
            "is_admitted": False, "status": answer.status, "code": answer.error["code"], "message": answer.error["message"]
        }  # fmt: skip


def _refused(poor: Customer, narrow: Customer, bounded: Customer) -> list[tuple[Customer, dict[str, Any]]]:
    return [(poor, chat_body(max_tokens=50)), (narrow, chat_body()), (bounded, chat_body(max_tokens=50))]


def test_a_full_window_is_told_and_not_got_round(shop: Shop) -> None:
    customer = shop.customer()
    with shop.at_work():
        factories.set_limits(customer.person, rpm=1)
    assert ask(customer, chat_body()).json["admission"]["is_admitted"]
    assert customer.chat().status == 200

    told, call = ask(customer, chat_body()), customer.chat()

    assert (told.json["admission"]["status"], told.json["admission"]["code"]) == (429, "rate_limit_exceeded")
    assert call.status == 429


def test_a_test_key_holds_nothing(shop: Shop) -> None:
    customer = shop.customer(usd="0", is_test=True)

    told = ask(customer, chat_body()).json

    assert (told["is_test"], told["hold"], told["likely_charge"], told["minimum_charge"]) == (True, "0", "0", "0")
    assert told["admission"]["is_admitted"]


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", {}, {"model": SLUG}, {"model": SLUG, "messages": []}, chat_body(plugins=[{"id": "web"}]), chat_body(n=99),
        chat_body("nobody/nothing"), {"model": SLUG, "input": "a chat model embeds nothing"}, b"[" * 100,
    ],
    ids=str,
)  # fmt: skip
def test_what_the_call_refuses_the_estimate_refuses_in_the_same_words(customer: Customer, body: Any) -> None:
    is_embedding = isinstance(body, dict) and "input" in body

    told = ask(customer, body)
    real = customer.call("/v1/embeddings" if is_embedding else "/v1/chat/completions", body)

    assert told.status in (400, 404)
    assert (told.status, told.error) == (real.status, real.error)


def test_prices_of_another_account_are_not_told(shop: Shop) -> None:
    """R23: rules for one account price nobody else's estimate."""
    cheap, other = shop.customer(markup="0"), shop.customer()

    own, theirs = ask(cheap, chat_body()).json, ask(other, chat_body()).json

    assert own["pricing"] == cheap.call(f"/v1/models/{SLUG}").json["pricing"]
    assert Decimal(own["pricing"]["prompt"]) < Decimal(theirs["pricing"]["prompt"])
    assert theirs["pricing"] == other.call(f"/v1/models/{SLUG}").json["pricing"]


def test_revoked_and_missing_keys_hear_nothing_but_that(shop: Shop) -> None:
    """R21."""
    customer = shop.customer()
    ask(customer, chat_body())
    shop.flask("keys", "revoke", customer.key[:12])

    revoked = ask(customer, b"not json")
    missing = shop.call("/v1/estimate", chat_body())

    assert (revoked.status, missing.status) == (401, 401)
    assert revoked.body == missing.body


def test_a_large_body_is_bounded_as_for_a_call(customer: Customer) -> None:
    """R29."""
    answer = ask(customer, b"x", headers={"Content-Encoding": "gzip"})
    large = ask(customer, chat_body(messages=[{"role": "user", "content": "a" * 200_000}]))

    assert answer.status == 415
    assert large.json["prompt_tokens"]["at_most"] > 200_000


def test_estimates_have_a_limit_of_their_own_and_say_truly_when_there_is_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 1000.0
    monkeypatch.setattr("reseller.gateway.pacing.monotonic", lambda: seconds)
    allotment = Allotment(per_second=10, at_once=3)

    first = [allotment.seconds_until_next("a") for _ in range(3)]
    waits = [allotment.seconds_until_next("a") for _ in range(50)]
    other = allotment.seconds_until_next("b")
    seconds += waits[-1]
    after = [allotment.seconds_until_next("a"), allotment.seconds_until_next("a")]

    assert first == [0, 0, 0]
    assert all(0 < wait <= 0.1000001 for wait in waits)
    assert other == 0
    assert after[0] == 0 < after[1]


def test_too_many_estimates_are_told_to_wait(shop: Shop) -> None:
    customer, other = shop.customer(), shop.customer()

    answers = [ask(customer, chat_body()) for _ in range(estimate.AT_ONCE * 2)]

    refused = [answer for answer in answers if answer.status == 429]
    assert refused, "as many at once as one likes"
    assert refused[0].error["code"] == "rate_limit_exceeded"
    assert int(refused[0].headers["retry-after"]) == 1
    assert ask(other, chat_body()).status == 200
    assert customer.chat().status == 200

"""What usage would have cost on another model: exact, and silent about what cannot be compared."""

from decimal import Decimal

from flask import Flask

from reseller.domain.desk import what_if
from reseller.domain.usage import ModelUse
from reseller.wiring import wiring_of
from tests import factories


def use(model: str = "acme/one", **facts: int) -> ModelUse:
    told = {"calls": 10, "errors": 0, "prompt_tokens": 1_000, "completion_tokens": 500, "charge_nano": 2_000_000, **facts}
    return ModelUse(model, **told)


def offer(app: Flask, **facts: object) -> what_if.Offer:
    factories.make_rule(markup_percent="25", min_cost_usd=str(facts.pop("least", "0")))
    factories.make_model(slug="acme/other", **facts)  # type: ignore[arg-type]
    return wiring_of(app).book.snapshot.offer("acme/other", None)


def test_tokens_at_the_sell_prices_and_the_fee_for_each_call_that_was_answered(app: Flask) -> None:
    other = offer(app, prices={"prompt": "0.000003", "completion": "0.000007", "request": "0.01"})

    told = what_if.compare([use(errors=2)], other, {})

    assert told.would_usd == (1_000 * Decimal("0.000003") + 500 * Decimal("0.000007") + 8 * Decimal("0.01")) * Decimal("1.25")
    assert told.charged_usd == Decimal("0.002")
    assert told.difference_usd == told.would_usd - told.charged_usd
    assert told.difference_percent == (told.difference_usd / told.charged_usd * 100).quantize(Decimal("0.000001"))


def test_a_minimum_holds_for_each_call(app: Flask) -> None:
    other = offer(app, least="0.01")

    assert what_if.compare([use()], other, {}).would_usd == Decimal("0.1")


def test_embeddings_and_chats_do_not_take_each_others_place(app: Flask) -> None:
    other = offer(app)
    uses = [use("a/chat"), use("an/embedder"), use("gone/chat"), use("gone/embedder", completion_tokens=0)]

    told = what_if.compare(uses, other, {"a/chat": "chat", "an/embedder": "embedding"})

    assert [line.model for line in told.lines if line.would_usd is not None] == ["a/chat", "gone/chat"]
    assert told.charged_usd == Decimal("0.004")
    assert told.has_others


def test_without_usage_there_is_nothing_to_divide_by(app: Flask) -> None:
    told = what_if.compare([], offer(app), {})

    assert (told.lines, told.charged_usd, told.would_usd, told.difference_percent) == ((), 0, 0, None)


def test_on_its_own_model_usage_costs_what_it_cost(app: Flask) -> None:
    """The sums know all tokens of plain calls, so only the rounding of each call is between the two."""
    other = offer(app)
    calls, prompt, completion = 7, 700, 70
    each = -(-(100 * Decimal("0.00000125") + 10 * Decimal("0.0000025")) // Decimal("0.000000001"))

    told = what_if.compare(
        [use("acme/other", calls=calls, prompt_tokens=prompt, completion_tokens=completion, charge_nano=int(each) * calls)], other, {}
    )

    assert told.would_usd == told.charged_usd

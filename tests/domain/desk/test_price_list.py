"""The list that customers read: sell prices alone, searched and ordered, and no wish that can be wrong."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import update

from reseller.database import transaction
from reseller.domain.desk import price_list
from reseller.domain.desk.price_list import PricedModel, Wish
from reseller.domain.pricing import ModelPrice
from reseller.wiring import wiring_of
from tests import factories

STEPS = [
    {"min_prompt_tokens": 200_000, "prompt": "0.00001", "completion": "0.00002"},
    {"utc_start": 1630, "utc_end": 30, "utc_days": [5, 6], "prompt": "0.0000005"},
]


@pytest.fixture
def models(app: Flask) -> list[PricedModel]:
    factories.make_rule(markup_percent="20")
    factories.make_model(slug="acme/big", name="Acme: Big", context_length=200_000, input_modalities=["text", "image"])
    factories.make_model(slug="acme/small", name="Acme: Small", prices={"prompt": "0.0000001", "completion": "0.0000001"})
    factories.make_model(slug="zed/free:free", name="Zed: Free", prices={"prompt": "0", "completion": "0"})
    factories.make_model(slug="zed/embed", kind="embedding", output_modalities=["embeddings"], prices={"completion": "0"})
    factories.make_model(slug="zed/fees", prices={"request": "0.005", "internal_reasoning": "0", "image": "0.001"})
    return price_list.priced(wiring_of(app).book.snapshot.models_for(None))


def wish(**asked: str) -> Wish:
    return Wish.read(lambda name: asked.get(name, ""))


def found(models: list[PricedModel], **asked: str) -> list[str]:
    return [model.slug for model in price_list.matching(models, wish(**asked))]


def test_prices_are_sell_prices_and_fees_of_nothing_are_left_out(models: list[PricedModel]) -> None:
    fees = next(model for model in models if model.slug == "zed/fees")

    assert {price.name: price.usd for price in fees.prices} == {
        "prompt": Decimal("0.0000012"), "completion": Decimal("0.0000024"), "request": Decimal("0.006"), "image": Decimal("0.0012"),
    }  # fmt: skip
    assert [price.name for price in fees.prices if price.is_per_piece] == ["request", "image"]


@pytest.mark.parametrize(
    ("asked", "slugs"),
    [
        ({}, ["acme/big", "acme/small", "zed/embed", "zed/fees", "zed/free:free"]),
        ({"q": "ACME big"}, ["acme/big"]),
        ({"q": "big acme"}, ["acme/big"]),
        ({"q": "nothing"}, []),
        ({"maker": "acme"}, ["acme/big", "acme/small"]),
        ({"maker": "nobody"}, []),
        ({"modality": "image-in"}, ["acme/big"]),
        ({"modality": "embeddings"}, ["zed/embed"]),
        ({"modality": "free"}, ["zed/free:free"]),
        ({"context": "200000"}, ["acme/big"]),
        ({"sort": "input", "maker": "acme"}, ["acme/small", "acme/big"]),
        ({"sort": "-input", "maker": "acme"}, ["acme/big", "acme/small"]),
        ({"sort": "-slug", "maker": "acme"}, ["acme/small", "acme/big"]),
    ],
)
def test_what_is_looked_for_is_found(models: list[PricedModel], asked: Mapping[str, str], slugs: list[str]) -> None:
    assert found(models, **asked) == slugs


@pytest.mark.parametrize(
    "asked", [{"modality": "x"}, {"context": "1e9"}, {"context": "-1"}, {"sort": "price"}, {"sort": "--slug"}, {"sort": "-"}, {"q": "  "}]
)
def test_what_is_not_understood_is_left_out(models: list[PricedModel], asked: Mapping[str, str]) -> None:
    assert found(models, **asked) == found(models)


@pytest.mark.parametrize("query", ["*", "%", "[a-z]+", "\\", "'", "é\u202e", "<script>", "a" * 100_000])
def test_a_search_takes_every_character_as_itself(models: list[PricedModel], query: str) -> None:
    assert found(models, q=query) == []
    assert len(wish(q=query).query) <= price_list.MAX_QUERY_CHARACTERS


def test_a_column_can_be_turned_round(models: list[PricedModel]) -> None:
    up, down = wish(sort="input"), wish(sort="-input")

    assert (up.direction("input"), down.direction("input"), up.direction("output")) == ("ascending", "descending", None)
    assert (up.sort("input"), down.sort("input"), up.sort("output")) == ("-input", "input", "output")


def test_prices_under_a_condition_are_told_with_it(app: Flask) -> None:
    factories.make_rule(markup_percent="50")
    factories.make_model(slug="acme/long")
    with transaction() as session:
        session.execute(update(ModelPrice).values(overrides=STEPS))

    steps = price_list.priced_model(wiring_of(app).book.snapshot.offer("acme/long", None)).steps

    assert [(step.when, [(price.name, price.usd) for price in step.prices]) for step in steps] == [
        ("prompts of more than 200,000 tokens", [("prompt", Decimal("0.000015")), ("completion", Decimal("0.00003"))]),
        ("16:30 to 00:30 UTC; Sat, Sun", [("prompt", Decimal("0.00000075"))]),
    ]


def test_a_price_is_as_old_as_the_later_of_the_suppliers_and_our_rule(app: Flask) -> None:
    factories.make_model(slug="acme/one")
    rule = factories.make_rule()

    model = price_list.priced_model(wiring_of(app).book.snapshot.offer("acme/one", None))

    assert model.since == rule.effective_from

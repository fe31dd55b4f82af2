"""The price list as files: exactly the models and prices of the page, for spreadsheets and programs."""

from collections.abc import Iterable

import orjson
from flask import Response

from reseller.domain.desk.price_list import PricedModel
from reseller.domain.pricing import PRICE_FIELDS
from reseller.money import format_decimal
from reseller.web.csv_text import csv_lines, csv_text

HEADINGS = ("model", "name", "kind", "context_length", "max_completion_tokens", "inputs", "outputs", "minimum_per_call_usd", "since")


def csv_of(models: Iterable[PricedModel]) -> Response:
    """One line a model; prices are dollars for one token, call or image."""
    rows = [[csv_text(cell) for cell in _cells(model)] for model in models]
    text = "".join(csv_lines([*HEADINGS, *(f"{name}_usd" for name in PRICE_FIELDS)], rows))
    return Response(text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": "attachment; filename=prices.csv"})


def _cells(model: PricedModel) -> list[object]:
    facts = (model.slug, model.name, model.kind, model.context_length, model.max_completion_tokens)
    words = (" ".join(model.inputs), " ".join(model.outputs), model.minimum_usd, model.since)
    return [*facts, *words, *(model.price(name) for name in PRICE_FIELDS)]


def json_of(models: Iterable[PricedModel]) -> Response:
    """The same as JSON; `pricing` as in `/v1/models`."""
    data = [
        {
            "id": model.slug,
            "name": model.name,
            "kind": model.kind,
            "context_length": model.context_length,
            "max_completion_tokens": model.max_completion_tokens,
            "input_modalities": model.inputs,
            "output_modalities": model.outputs,
            "pricing": model.offer.sell_prices(),
            "minimum_per_call": format_decimal(model.minimum_usd),
            "since": model.since,
        }
        for model in models
    ]
    return Response(orjson.dumps({"currency": "USD", "data": data}), content_type="application/json")

"""What the account's own usage of the last days would have cost on another model: the page and its file."""

from collections.abc import Sequence

from flask import Response, render_template, request

from reseller.domain.desk import what_if
from reseller.domain.desk.price_list import PricedModel
from reseller.domain.desk.what_if import Comparison
from reseller.domain.usage import use_by_model
from reseller.errors import NotFound
from reseller.portal import acting
from reseller.web.csv_text import csv_lines, csv_text

HEADINGS = ("model", "calls", "prompt_tokens", "completion_tokens", "charged_usd", "would_have_cost_usd")


def _chosen(models: Sequence[PricedModel]) -> PricedModel | None:
    """The model that was picked. Raises NotFound for one that is not for sale to this account."""
    slug = request.args.get("model", "")
    if not slug:
        return None
    found = next((model for model in models if model.slug == slug), None)
    if found is None:
        raise NotFound("No model of this name is for sale.")
    return found


def _comparison(models: Sequence[PricedModel], chosen: PricedModel) -> Comparison:
    uses = use_by_model(acting.scope().account_id, what_if.first_instant())
    return what_if.compare(uses, chosen.offer, {model.slug: model.kind for model in models})


def show_what_if(models: Sequence[PricedModel]) -> str:
    """A form to pick a model, and below it the comparison."""
    chosen = _chosen(models)
    return render_template(
        "price_list/what_if.html",
        models=models,
        chosen=chosen,
        comparison=None if chosen is None else _comparison(models, chosen),
        days=what_if.DAYS,
        left_out=what_if.LEFT_OUT,
    )


def what_if_csv(models: Sequence[PricedModel]) -> Response:
    """The lines of the page."""
    chosen = _chosen(models)
    lines = () if chosen is None else _comparison(models, chosen).lines
    rows = [
        [csv_text(cell) for cell in (line.model, line.calls, line.prompt_tokens, line.completion_tokens, line.charged_usd, line.would_usd)]
        for line in lines
    ]
    text = "".join(csv_lines(HEADINGS, rows))
    return Response(text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": "attachment; filename=what-if.csv"})

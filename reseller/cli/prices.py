"""`flask prices`: pricing rules loaded, added and explained."""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup

from reseller.cli.shared import USD, actor, as_operator, emit, json_option
from reseller.domain import accounts, pricing
from reseller.domain.pricing import Candidate, Rule, RuleTerms
from reseller.errors import InvalidRequest, NotForSale
from reseller.money import EXACT, ZERO_USD, format_decimal, format_nano, parse_usd

PRICE_BOOK = Path(__file__).resolve().parents[2] / "config" / "price_book.toml"
PER_MILLION = Decimal(1_000_000)
PER_UNIT = ("request", "image", "web_search")

prices = AppGroup("prices", help="Pricing rules: markup and minimum by model.")


class Percent(click.ParamType[Decimal]):
    """A plain decimal number of percent, exact."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if isinstance(value, Decimal):
            return value
        try:
            return _percent(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of percent such as 25 or 12.5", param, ctx)


@prices.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=PRICE_BOOK)
@json_option
@as_operator
def load(file: Path, as_json: bool) -> None:
    """Add the rules of FILE (default: config/price_book.toml) that are not there yet."""
    added = [_rule_json(rule) for rule in pricing.load_rules(read_price_book(file), actor())]
    emit({"added": added, "file": str(file)}, as_json, [f"added: {len(added)}", *(f"  {_rule_line(rule)}" for rule in added)])


@prices.command()
@click.argument("model")
@click.option("--reason", default="", help="Why; staff will read it.")
@json_option
@as_operator
def accept(model: str, reason: str, as_json: bool) -> None:
    """Accept the quarantined price of MODEL; it is for sale at once."""
    pricing.accept(model, actor(), reason=reason)
    emit({"model": model, "price": "accepted"}, as_json, [f"{model}: the new price is in force"])


@prices.command()
@click.argument("model")
@click.option("--reason", default="", help="Why; staff will read it.")
@json_option
@as_operator
def reject(model: str, reason: str, as_json: bool) -> None:
    """Reject the quarantined price of MODEL."""
    pricing.reject(model, actor(), reason=reason)
    emit({"model": model, "price": "rejected"}, as_json, [f"{model}: the new price is rejected"])


@prices.command()
@click.argument("rule_id", type=click.UUID)
@json_option
@as_operator
def retire(rule_id: UUID, as_json: bool) -> None:
    """Retire the pricing rule with this id; usage rows that name it keep explaining themselves."""
    pricing.retire_rule(rule_id, actor())
    emit({"rule_id": str(rule_id), "is_active": False}, as_json, [f"rule {rule_id} is retired"])


@prices.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("pattern")
@click.option("--markup", type=Percent(), required=True, help="Percent on top of the upstream's cost.")
@click.option("--min-cost", type=USD, default=ZERO_USD, help="Least charge of a call in USD; default 0.")
@click.option("--priority", type=int, default=0, help="The highest number wins; default 0.")
@click.option("--account", "email", help="For this customer's account alone.")
@json_option
@as_operator
def add(pattern: str, markup: Decimal, min_cost: Decimal, priority: int, email: str | None, as_json: bool) -> None:
    """Add a rule for models that match PATTERN (wildcards * and ?)."""
    account_id = accounts.find_person(email).account_id if email else None
    terms = RuleTerms(pattern, markup, min_cost_usd=min_cost, priority=priority, account_id=account_id)
    rule = _rule_json(pricing.add_rule(terms, actor(), reason="command line"))
    emit(rule, as_json, [_rule_line(rule)])


@prices.command("explain")
@click.argument("model")
@click.option("--account", "email", help="As this customer's account sees it.")
@json_option
@as_operator
def explain(model: str, email: str | None, as_json: bool) -> None:
    """Which rule prices MODEL, why the others do not, and the sell price."""
    account_id = accounts.find_person(email).account_id if email else None
    book = pricing.Book().refresh()
    candidates = book.ranking(model, account_id)
    try:
        offer = book.offer(model, account_id)
    except NotForSale:
        raise NotForSale(f"{model} is not for sale: {book.why_not(model, account_id)}", param="model") from None
    result = {
        "model": offer.model,
        "upstream": offer.upstream,
        "price_version": offer.price_version,
        "rule": _rule_json(candidates[0].rule),
        "markup_percent": format_decimal(offer.markup_percent),
        "min_cost_usd": format_nano(offer.min_cost_nano),
        "sell_price_per_million": _per_million(offer.sell_prices()),
        "upstream_price_per_million": _per_million(offer.list_prices()),
        "candidates": [_candidate_json(candidate) for candidate in candidates],
    }
    emit(result, as_json, _explained(result))


def read_price_book(file: Path) -> list[RuleTerms]:
    """The rules of a price book. Raises InvalidRequest that says what is wrong with the file."""
    try:
        book = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        return [_terms(entry) for entry in book["rule"]]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"{file} is not a price book: {error!r}") from None


def _terms(entry: dict[str, Any]) -> RuleTerms:
    unknown = set(entry) - {"pattern", "markup_percent", "min_cost_usd", "priority"}
    if unknown:
        raise ValueError(f"unknown field {sorted(unknown)[0]}")
    return RuleTerms(
        model_pattern=str(entry["pattern"]),
        markup_percent=_percent(entry["markup_percent"]),
        min_cost_usd=parse_usd(str(entry.get("min_cost_usd", "0"))),
        priority=int(entry.get("priority", 0)),
    )


def _percent(value: object) -> Decimal:
    """A plain decimal number, read as strictly as money. Raises ValueError."""
    return parse_usd(str(value))


def _rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": str(rule.id),
        "pattern": rule.model_pattern,
        "markup_percent": format_decimal(rule.markup_percent),
        "min_cost_usd": format_nano(rule.min_cost_nano),
        "priority": rule.priority,
        "account_id": str(rule.account_id) if rule.account_id else None,
    }


def _rule_line(rule: dict[str, Any]) -> str:
    scope = f" · account {rule['account_id']}" if rule["account_id"] else ""
    terms = f"markup {rule['markup_percent']} % · minimum ${rule['min_cost_usd']} · priority {rule['priority']}{scope}"
    return f"{rule['pattern']} · {terms} · id {rule['id']}"


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {**_rule_json(candidate.rule), "lost_because": candidate.lost_because}


def _per_million(per_unit: dict[str, str]) -> dict[str, str]:
    """Tokens by the million; calls, images and searches by the piece."""
    return {
        name: price if name in PER_UNIT else format_decimal(EXACT.multiply(Decimal(price), PER_MILLION)) for name, price in per_unit.items()
    }


def _explained(result: dict[str, Any]) -> Iterator[str]:
    yield f"{result['model']} from {result['upstream']}, price version {result['price_version']}"
    yield f"rule: {_rule_line(result['rule'])}"
    for name, price in result["sell_price_per_million"].items():
        unit = "each" if name in PER_UNIT else "per million tokens"
        yield f"{name}: ${price} {unit} (upstream ${result['upstream_price_per_million'][name]})"
    for candidate in result["candidates"][1:]:
        yield f"lost: {_rule_line(candidate)}: {candidate['lost_because']}"

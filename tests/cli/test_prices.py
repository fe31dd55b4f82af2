"""`flask prices` and `flask catalog`: what they print, and how they refuse."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from reseller.cli.catalog import catalog
from reseller.cli.prices import prices
from reseller.database import acting_as_operator
from reseller.domain import pricing
from reseller.domain.pricing import UpstreamKind
from tests.domain.pricing.samples import make_entry


class ListedOnly:
    """An upstream that can only be asked for its models."""

    def __init__(self) -> None:
        self.entries = [make_entry()]

    def list_models(self) -> list[dict[str, Any]]:
        return self.entries


class Upstreams(dict[str, ListedOnly]):
    """Those of the environment; their rows are there already."""

    def register(self) -> None:
        assert "listed" in self


@pytest.fixture
def upstream(app: Flask, monkeypatch: pytest.MonkeyPatch) -> ListedOnly:
    client = ListedOnly()
    # The package's attribute of this name is the command group, not the module.
    monkeypatch.setattr(sys.modules["reseller.cli.catalog"], "wiring", lambda: SimpleNamespace(upstreams=Upstreams(listed=client)))
    with acting_as_operator():
        pricing.register_upstream("listed", UpstreamKind.OPENAI)
    return client


def run(app: Flask, group: Any, *words: str) -> Result:
    return app.test_cli_runner().invoke(group, list(words))


def answer(app: Flask, group: Any, *words: str) -> Any:
    """The one JSON object on stdout of a command that ended well."""
    result = run(app, group, *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_sync_tells_what_it_did_and_then_has_nothing_to_do(app: Flask, upstream: ListedOnly) -> None:
    first, second = answer(app, catalog, "sync"), answer(app, catalog, "sync")

    nothing: dict[str, Any] = {"added": [], "changed": [], "withdrawn": [], "quarantined": [], "skipped": [], "reasons": {}}
    assert first == nothing | {"added": ["acme/one"], "upstreams": ["listed"]}
    assert second == nothing | {"upstreams": ["listed"]}


def test_a_sync_says_why_for_people(app: Flask, upstream: ListedOnly) -> None:
    run(app, catalog, "sync")
    upstream.entries = [make_entry(prompt="-1")]

    result = run(app, catalog, "sync")

    assert "quarantined: 1\n  acme/one: prompt price is negative\n" in result.stdout


def test_an_empty_list_is_refused_with_exit_1(app: Flask, upstream: ListedOnly) -> None:
    upstream.entries = []

    result = run(app, catalog, "sync")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "nothing was changed" in result.stderr


def test_explain_names_the_winner_the_losers_and_the_price_per_million(app: Flask, upstream: ListedOnly) -> None:
    run(app, catalog, "sync")
    answer(app, prices, "add", "*", "--markup", "10", "--priority", "-1")
    winner = answer(app, prices, "add", "acme/*", "--markup", "12.5", "--min-cost", "0.000001", "--priority", "100")

    result = answer(app, prices, "explain", "acme/one")

    assert result["rule"] == winner
    assert (result["markup_percent"], result["min_cost_usd"]) == ("12.5", "0.000001")
    assert result["sell_price_per_million"] == {"prompt": "1.125", "completion": "2.25"}
    assert result["upstream_price_per_million"] == {"prompt": "1", "completion": "2"}
    assert "lower priority (-1 < 100)" in [candidate["lost_because"] for candidate in result["candidates"]]


def test_a_model_nobody_lists_cannot_be_explained(app: Flask, upstream: ListedOnly) -> None:
    result = run(app, prices, "explain", "acme/none")

    assert result.exit_code == 1
    assert "no active upstream offers it" in result.stderr


def test_the_default_price_book_loads_once_and_loses_no_money(app: Flask, upstream: ListedOnly) -> None:
    answer(app, prices, "load")
    again = answer(app, prices, "load")
    run(app, catalog, "sync")

    explained = answer(app, prices, "explain", "acme/one")

    assert again["added"] == []
    # Break-even of the smallest pack, $5 by card (2.9 % + $0.30) with the upstream's 5.5 % on its credit.
    assert Decimal(explained["markup_percent"]) > Decimal("15.8")


@pytest.mark.parametrize(
    "text",
    [
        "rule = 5",
        "[[rule]]\nmarkup_percent = 5",
        '[[rule]]\npattern = "*"\nmarkup_percent = inf',
        '[[rule]]\npattern="*"\nmarkup=5',
        "\x00",
    ],
)
def test_a_broken_price_book_is_refused_whole(app: Flask, upstream: ListedOnly, tmp_path: Path, text: str) -> None:
    file = tmp_path / "book.toml"
    file.write_text(f'{text}\n[[rule]]\npattern = "fine/*"\nmarkup_percent = 5\n')

    result = run(app, prices, "load", str(file))

    assert result.exit_code == 1
    with acting_as_operator():
        assert all(c.rule.model_pattern != "fine/*" for c in pricing.Book().refresh().ranking("fine/one", None))


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["add", "*"], 2),
        (["add", "*", "--markup", "much"], 2),
        (["add", "*", "--markup", "1e2"], 2),
        (["add", "*", "--markup", "5", "--min-cost", "0,1"], 2),
        (["add", "*", "--markup", "-5"], 1),
        (["add", "", "--markup", "5"], 1),
        (["load", "/nowhere.toml"], 2),
        (["explain"], 2),
    ],
)
def test_wrong_usage_is_2_and_a_refusal_is_1(app: Flask, upstream: ListedOnly, words: list[str], exit_code: int) -> None:
    result = run(app, prices, *words)

    assert result.exit_code == exit_code
    assert result.stdout == ""

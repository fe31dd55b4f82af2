"""What became of prices is told to everybody once, whoever or whatever changed them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import acting_as_operator
from reseller.domain import pricing
from reseller.domain.pricing import RuleTerms, tell_of_prices
from reseller.domain.pricing.telling import MODELS_AT_A_TIME
from tests import factories
from tests.domain import scenes
from tests.fakes.openrouter_catalogue import entry

PRICES = {"prompt": "0.000001", "completion": "0.000002"}


@pytest.fixture(autouse=True)
def shelf(app: Flask) -> None:
    """Two models at 25 %, of which customers know."""
    factories.make_upstream()
    sync()
    factories.make_rule(markup_percent="25")
    tell_of_prices()


def sync(**prices: dict[str, str] | None) -> None:
    """The upstream lists acme/one and acme/two; at other prices, or not at all, by keyword."""
    listed = {"one": PRICES, "two": PRICES} | prices
    pricing.sync("openrouter", [entry(f"acme/{name}", at) for name, at in listed.items() if at is not None], actor="test")


def pass_time(*, hours: int) -> None:
    """What is announced, and what waits for a decision, is nearer by so much: time as the database's clock has it."""
    scenes.execute("UPDATE pricing_rules SET effective_from = effective_from - make_interval(hours => :hours)", hours=hours)
    scenes.execute("UPDATE models SET quarantined_at = quarantined_at - make_interval(hours => :hours)", hours=hours)


def told() -> list[tuple[str, list[Any]]]:
    rows = scenes.rows("SELECT name, payload, account_id FROM outbox WHERE name LIKE 'model.%' ORDER BY position")
    assert {row["account_id"] for row in rows} <= {None}
    return [(row["name"], row["payload"]["models"]) for row in rows]


def test_models_that_are_new_are_no_news() -> None:
    sync(three=PRICES)

    assert (tell_of_prices(), told()) == ((0, 0, 0), [])


def test_a_price_that_the_upstream_changes_is_told_as_customers_pay_it() -> None:
    sync(one={"prompt": "0.000002", "completion": "0.000002"})

    counts = [tell_of_prices() for _ in range(3)]

    assert counts == [(1, 0, 0), (0, 0, 0), (0, 0, 0)]
    [(name, [model])] = told()
    assert (name, model["id"]) == ("model.price_changed", "acme/one")
    assert (model["pricing_before"]["prompt"], model["pricing"]["prompt"]) == ("0.00000125", "0.0000025")
    assert model["pricing"] == pricing.Book().snapshot.offer("acme/one", None).sell_prices()


def test_what_the_upstream_lists_no_more_is_withdrawn_and_what_it_lists_again_is_back() -> None:
    sync(two=None)
    tell_of_prices()
    sync()
    tell_of_prices()
    tell_of_prices()

    assert told() == [("model.withdrawn", ["acme/two"]), ("model.restored", ["acme/two"])]


def test_a_price_in_quarantine_is_no_change_until_staff_accept_it() -> None:
    """R7: the old price holds meanwhile."""
    sync(one={"prompt": "0.00001", "completion": "0.000002"})
    meanwhile = tell_of_prices()

    pricing.accept("acme/one", "test", reason="for a test")

    assert (meanwhile, tell_of_prices()) == ((0, 0, 0), (1, 0, 0))


def test_time_alone_changes_prices_and_withdraws() -> None:
    pricing.add_rule(RuleTerms("acme/two", Decimal(50), priority=9, effective_from=now() + timedelta(days=2)), "test", reason="later")
    sync(one={"prompt": "0.00001", "completion": "0.000002"})
    early, seen = tell_of_prices(), []
    for hours in (23, 2, 24):
        pass_time(hours=hours)
        seen.append(tell_of_prices())

    assert (early, seen) == ((0, 0, 0), [(0, 0, 0), (0, 1, 0), (1, 0, 0)])
    (first, gone), (second, [changed]) = told()
    assert (first, gone, second, changed["id"]) == ("model.withdrawn", ["acme/one"], "model.price_changed", "acme/two")


@pytest.mark.parametrize("cause", ["a rule begins", "a quarantine ends"])
def test_workers_whose_clocks_differ_tell_once(cause: str) -> None:
    """R39: the database's clock says when; theirs would tell a change and take it back, in turns, to every account."""
    if cause == "a rule begins":
        pricing.add_rule(
            RuleTerms("acme/one", Decimal(50), priority=9, effective_from=now() + timedelta(minutes=50)), "test", reason="soon"
        )
    else:
        sync(one={"prompt": "0.00001", "completion": "0.000002"})
        pass_time(hours=23)

    def both() -> None:
        for ahead in (timedelta(), timedelta(hours=2), timedelta()):
            with time_machine.travel(now() + ahead, tick=False):
                tell_of_prices()

    both()
    early = told()
    pass_time(hours=2)
    both()

    assert early == []
    assert [name for name, _ in told()] == ["model.price_changed" if cause == "a rule begins" else "model.withdrawn"]


def test_a_rule_for_one_account_is_nobody_elses_news() -> None:
    factories.make_rule(markup_percent="5", account_id=factories.make_person().account_id)

    assert tell_of_prices() == (0, 0, 0)


def test_a_rule_that_changes_hundreds_is_a_few_events() -> None:
    names = [f"many/{number}" for number in range(MODELS_AT_A_TIME + 3)]
    pricing.sync("openrouter", [entry(name, PRICES) for name in names] + [entry("acme/one", PRICES), entry("acme/two", PRICES)], actor="x")
    tell_of_prices()

    factories.make_rule(pattern="many/*", markup_percent="40", priority=5)

    assert tell_of_prices() == (len(names), 0, 0)
    assert [len(models) for _, models in told()] == [MODELS_AT_A_TIME, 3]


def test_two_who_look_at_once_tell_once(app: Flask) -> None:
    sync(two=None)

    def one() -> tuple[int, int, int]:
        with app.app_context(), acting_as_operator():
            return tell_of_prices()

    assert sorted(scenes.in_threads(3, one)) == [(0, 0, 0), (0, 0, 0), (0, 1, 0)]

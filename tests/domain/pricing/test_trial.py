"""What a rule would do, worked out before it is published."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from reseller.clock import new_id, now
from reseller.domain.pricing import PriceBook, Rule, RuleTerms, changes, draft, price_lines
from reseller.domain.pricing.margin import Fees
from reseller.errors import InvalidRequest
from tests.domain.pricing.samples import make_listed, make_rates, make_rule

FEES = Fees(Decimal("2.9"), Decimal("0.30"), Decimal("5.5"), Decimal(20))


def book(*rules: Rule, slugs: Sequence[str] = ("acme/one", "acme/two", "other/one")) -> PriceBook:
    return PriceBook(version=7, models={slug: make_listed(slug) for slug in slugs}, rules=rules, at=now())


def drafted(pattern: str = "acme/*", markup: str = "40", **terms: Any) -> Rule:
    return draft(RuleTerms(pattern, Decimal(markup), **terms))


def test_a_draft_changes_what_it_covers_and_nothing_else() -> None:
    now_sold = book(make_rule("*"))

    found = changes(now_sold, now_sold.under(added=drafted()), None, FEES)

    assert [change.model for change in found] == ["acme/one", "acme/two"]
    assert all(c.before and c.after and (c.before.markup_percent, c.after.markup_percent) == (25, 40) for c in found)


def test_a_draft_that_loses_changes_nothing() -> None:
    now_sold = book(make_rule("*", priority=5))

    assert changes(now_sold, now_sold.under(added=drafted()), None, FEES) == ()


def test_a_draft_in_the_place_of_the_only_rule_leaves_the_rest_without_a_price() -> None:
    only = make_rule("*")
    now_sold = book(only)

    found = changes(now_sold, now_sold.under(added=drafted(), instead_of=only.id), None, FEES)

    assert [(change.model, change.after is None) for change in found] == [("acme/one", False), ("acme/two", False), ("other/one", True)]


def test_a_draft_for_one_account_is_nobody_elses() -> None:
    now_sold, account_id = book(make_rule("*")), new_id()
    then = now_sold.under(added=drafted(account_id=account_id))

    assert changes(now_sold, then, None, FEES) == ()
    assert len(changes(now_sold, then, account_id, FEES)) == 2


def test_a_markup_below_break_even_is_named() -> None:
    """10.36 % on $20 packs."""
    now_sold = book(make_rule("*"))

    found = changes(now_sold, now_sold.under(added=drafted(markup="10.3")), None, FEES)

    assert [change.is_losing for change in found] == [True, True]
    assert [change.is_losing for change in changes(now_sold.under(added=drafted(markup="10.3")), now_sold, None, FEES)] == [False, False]


def test_a_new_draft_holds_in_a_book_of_a_moment_ago() -> None:
    """Found in a browser: the book of this process had been made before the draft, so the draft was "not in effect yet"."""
    now_sold = book(make_rule("*"))
    rule = drafted()
    assert rule.effective_from > now_sold.at

    assert now_sold.under(added=rule).offer("acme/one", None).rule_id == rule.id


def test_won_models_are_those_that_the_rule_prices() -> None:
    everything, some = make_rule("*"), make_rule("acme/*")
    sold = book(everything, some)

    assert (sold.won_by(some.id), sold.won_by(everything.id), sold.won_by(new_id())) == (["acme/one", "acme/two"], ["other/one"], [])


def test_prices_are_told_with_the_discount_off_and_the_markup_on() -> None:
    lines = price_lines(make_rates(request="0.01", discount=Decimal("0.5")), Decimal(25), FEES)

    assert [(line.field, line.is_per_piece, line.margin.charge_usd) for line in lines] == [
        ("prompt", False, Decimal("0.000000625")),
        ("completion", False, Decimal("0.00000125")),
        ("request", True, Decimal("0.00625")),
    ]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (RuleTerms("", Decimal(25)), "pattern"),
        (RuleTerms("*", Decimal(-1)), "markup"),
        (RuleTerms("*", Decimal("NaN")), "markup"),
        (RuleTerms("*", Decimal(25), min_cost_usd=Decimal("0.0000000001")), "min_cost"),
        (RuleTerms("*", Decimal(25), priority=2_000_000), "priority"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_at_its_field(terms: RuleTerms, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        draft(terms)

    assert refusal.value.param == field

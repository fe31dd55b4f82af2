"""Which pricing rule wins: priority, specificity, scope, age."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.domain.pricing.rules import Rule, matches, ranking, winner
from tests.domain.pricing.samples import NOON, SOMEBODY, SOMEBODY_ELSE, make_rule


@pytest.mark.parametrize(
    ("pattern", "model", "expected"),
    [
        ("*", "openai/gpt-4o", True),
        ("openai/*", "openai/gpt-4o", True),
        ("openai/*", "anthropic/claude", False),
        ("gpt-4*", "openai/gpt-4o", False),
        ("openai/gpt-4?", "openai/gpt-4o", True),
        ("openai/gpt-4?", "openai/gpt-4", False),
        ("openai/gpt-4o", "openai/gpt-4o", True),
        ("openai/gpt-4o", "openai/gpt-4o:free", False),
        ("*:free", "openai/gpt-4o:free", True),
        ("OpenAI/*", "openai/gpt-4o", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a**b", "ab", True),
        ("~x/y", "~x/y", True),
    ],
)
def test_stars_and_question_marks_are_the_only_wildcards(pattern: str, model: str, expected: bool) -> None:
    assert matches(pattern, model) is expected


def test_many_stars_do_not_hang_the_matching() -> None:
    assert not matches("*" * 60 + "b", "a" * 200)


def test_many_pieces_between_stars_do_not_hang_the_matching() -> None:
    """R31: whoever tests a draft holds the whole process while it is matched."""
    assert not matches("*a" * 15 + "*b", "a" * 200)
    assert matches("*a" * 15 + "*", "a" * 200)


@given(pattern=st.text("ab*?", max_size=8), model=st.text("ab", max_size=8))
def test_a_pattern_matches_what_trying_every_way_to_fill_the_stars_would(pattern: str, model: str) -> None:
    assert matches(pattern, model) is _fits(pattern, model)


def _fits(pattern: str, model: str) -> bool:
    if not pattern:
        return not model
    if pattern[0] == "*":
        return any(_fits(pattern[1:], model[start:]) for start in range(len(model) + 1))
    return bool(model) and pattern[0] in ("?", model[0]) and _fits(pattern[1:], model[1:])


LATER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (make_rule("*", priority=1), make_rule("openai/gpt-4o", priority=0)),
        (make_rule("openai/gpt-4o"), make_rule("openai/gpt-4*")),
        (make_rule("openai/*"), make_rule("*")),
        (make_rule("openai/gpt-*"), make_rule("openai/*")),
        (make_rule("openai/gpt-4*"), make_rule("openai/gpt*4*")),
        (make_rule("openai/*"), make_rule("*", account_id=SOMEBODY)),
        (make_rule("*", account_id=SOMEBODY), make_rule("*", created_at=LATER)),
        (make_rule("*", created_at=LATER), make_rule("*", created_at=NOON)),
    ],
)
def test_the_order_is_priority_then_specificity_then_scope_then_age(better: Rule, worse: Rule) -> None:
    for rules in ([better, worse], [worse, better]):
        assert winner(rules, "openai/gpt-4o", account_id=SOMEBODY, at=LATER) is better


def test_retired_future_foreign_and_unmatched_rules_take_no_part() -> None:
    rules = [
        make_rule("*", is_active=False, priority=9),
        make_rule("*", effective_from=LATER, priority=8),
        make_rule("*", account_id=SOMEBODY_ELSE, priority=7),
        make_rule("anthropic/*", priority=6),
        make_rule("*", priority=1),
    ]

    candidates = ranking(rules, "openai/gpt-4o", account_id=SOMEBODY, at=NOON)

    assert [candidate.rule.priority for candidate in candidates] == [1, 9, 8, 7, 6]
    assert candidates[0].lost_because is None
    assert [candidate.lost_because for candidate in candidates[1:]] == [
        "retired",
        f"not in effect before {LATER.isoformat()}",
        "for another account",
        "does not match the model",
    ]


def test_a_rule_that_holds_at_once_does_so_where_the_clock_is_behind() -> None:
    """R39: a process that boots an hour behind would have nothing for sale until its clock reached the newest rule."""
    at_once, scheduled = make_rule("*"), make_rule("*", effective_from=LATER, priority=9)

    assert winner([at_once, scheduled], "openai/gpt-4o", account_id=SOMEBODY, at=NOON - timedelta(hours=1)) is at_once
    assert winner([at_once, scheduled], "openai/gpt-4o", account_id=SOMEBODY, at=LATER) is scheduled


def test_a_loser_is_told_why() -> None:
    rules = [
        make_rule("openai/*", priority=5, account_id=SOMEBODY, created_at=LATER),
        make_rule("openai/*", priority=5, account_id=SOMEBODY),
        make_rule("openai/*", priority=5),
        make_rule("*", priority=5),
        make_rule("openai/gpt-4o", priority=1),
    ]

    reasons = [candidate.lost_because for candidate in ranking(rules, "openai/gpt-4o", account_id=SOMEBODY, at=LATER)]

    assert reasons == [None, "older rule", "the winner is for this account alone", "less specific pattern", "lower priority (1 < 5)"]


def test_without_a_rule_there_is_no_winner() -> None:
    assert winner([make_rule("anthropic/*")], "openai/gpt-4o", account_id=None, at=NOON) is None
    assert ranking([], "openai/gpt-4o", account_id=None, at=NOON) == []

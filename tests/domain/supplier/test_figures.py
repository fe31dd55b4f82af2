"""What differs between the upstream's bill and our books, and what does not although it looks so (R20)."""

from decimal import Decimal

import pytest

from reseller.domain.supplier.figures import Booked, Told, drift, is_drift, pairs


def told(model: str, usd: str, *names: str) -> Told:
    return Told(model, (model, *names), 1, 7, 3, 0, Decimal(usd))


def booked(usd: str, *names: str, leaving: str = "0", arriving: str = "0") -> Booked:
    return Booked(names or ("acme/one",), 1, 7, 3, Decimal(usd), Decimal(leaving), Decimal(arriving))


@pytest.mark.parametrize(
    ("said", "ours", "differs_by"),
    [
        ("10", booked("10"), "0"),
        ("10.1", booked("10"), "0.1"),
        ("9.9", booked("10"), "-0.1"),
        ("9", booked("10", leaving="1"), "0"),  # a call that ended after midnight counts there on the next day
        ("8.9", booked("10", leaving="1"), "-0.1"),
        ("12", booked("10", arriving="2"), "0"),
        ("12.5", booked("10", arriving="2"), "0.5"),
        ("10.7", booked("10", leaving="1", arriving="2"), "0"),
    ],
)
def test_calls_across_midnight_explain_as_much_as_they_cost(said: str, ours: Booked, differs_by: str) -> None:
    assert drift(Decimal(said), ours) == Decimal(differs_by)


@pytest.mark.parametrize(
    ("off", "said", "ours", "is_too_much"),
    [
        ("0.5", "100.5", "100", False),
        ("0.51", "100.51", "100", True),
        ("-0.51", "99.49", "100", True),
        ("0.01", "0.01", "0", False),  # all of it, and still not a cent too much
        ("0.011", "0.011", "0", True),
    ],
)
def test_half_a_percent_and_a_cent_are_nobodys_business(off: str, said: str, ours: str, is_too_much: bool) -> None:
    assert is_drift(Decimal(off), Decimal(said), Decimal(ours)) is is_too_much


def test_a_model_is_matched_by_any_name_of_it() -> None:
    found = pairs(
        [told("acme/one", "3", "acme/one-2026-01-01"), told("acme/two", "2"), told("acme/three:free", "0")],
        [
            booked("1", "acme/one"),
            booked("2", "acme/one-2026-01-01", "alias"),
            booked("2", "acme/two:nitro"),
            booked("0", "acme/three:free"),
        ],
    )

    assert [(pair.model, pair.told is not None, pair.booked and pair.booked.cost_usd) for pair in found] == [
        ("acme/one", True, 3),
        ("acme/two", True, 2),
        ("acme/three:free", True, 0),
    ]


def test_what_was_asked_for_counts_where_the_upstream_does_not_know_what_answered() -> None:
    [pair] = pairs([told("acme/one", "1")], [booked("1", "acme-one-at-some-provider", "acme/one")])

    assert (pair.model, pair.drift_usd) == ("acme/one", 0)


def test_a_model_on_one_side_alone_is_shown_and_is_no_difference_by_itself() -> None:
    found = pairs([told("acme/new-name", "5")], [booked("5", "acme/old-name")])

    assert [(pair.model, pair.drift_usd, pair.is_drift) for pair in found] == [("acme/new-name", 5, False), ("acme/old-name", -5, False)]

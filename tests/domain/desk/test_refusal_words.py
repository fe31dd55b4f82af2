"""Every refusal is explained in words, with its figures and with what would help."""

from decimal import Decimal
from typing import Any

import pytest

from reseller import errors
from reseller.domain.desk.refusal_words import WORDS, why_refused

NOT_OF_A_CALL = {  # never the end of a call that has a row
    "refused", "not_found", "conflict", "forbidden", "payment_required", "stale_prices", "content_policy", "too_many_failed_attempts",
    "upstream_error", "upstream_unavailable", "upstream_timeout",
}  # fmt: skip

FIGURES: list[tuple[errors.Refusal, list[str]]] = [
    (
        errors.RateLimited("", retry_after_seconds=7.25, window="hour", limit=1000, used=1000),
        ["1,000 requests per hour", "after 7.25 s"],
    ),
    (errors.RateLimited("", retry_after_seconds=2, window="day", limit=1, used=1), ["may make 1 request per day, of which 1 "]),
    (errors.TooManyAtOnce("", retry_after_seconds=1, limit=1, in_flight=1), ["1 call in flight at once, of which 1 "]),
    (errors.TooManyAtOnce("", retry_after_seconds=1, limit=3, in_flight=3), ["3 calls in flight"]),
    (errors.InsufficientBalance("", available_usd=Decimal("0.5"), needed_usd=Decimal("0.750000001")), ["$0.50", "$0.750000001"]),
    (
        errors.SpendLimitReached("", limit_usd=Decimal(5), left_usd=Decimal("0.1"), needed_usd=Decimal("0.2"), period="week"),
        ["$5.00 (week)", "$0.10 of it", "up to $0.20"],
    ),
    (errors.AccountFrozen("", available_usd=Decimal("-2")), ["-$2"]),
    (errors.TooLong("", param="max_tokens", limit=100, asked=4000), ["4,000 tokens", "100 in one request"]),
    (errors.ContextTooLong("", param="max_tokens", limit=8192, asked=9000), ["9,000", "8,192"]),
    (errors.InvalidRequest("", param="temperature"), ["temperature"]),
    (errors.UpstreamBusy("", retry_after_seconds=3.5), ["3.5 s"]),
]


def leaves(cls: type[errors.Refusal]) -> list[type[errors.Refusal]]:
    return [cls, *(leaf for sub in cls.__subclasses__() if sub.__module__ == "reseller.errors" for leaf in leaves(sub))]


def test_every_code_of_a_refused_call_has_its_words() -> None:
    codes = {cls.code for cls in leaves(errors.Refusal)}

    assert codes - NOT_OF_A_CALL == set(WORDS), "Give the new refusal words in reseller/domain/desk/refusal_words.py"


@pytest.mark.parametrize(("refusal", "told"), FIGURES, ids=lambda value: type(value).__name__)
def test_the_figures_of_a_refusal_are_told(refusal: errors.Refusal, told: list[str]) -> None:
    why = why_refused(refusal.code, refusal.facts)

    assert all(text in why.sentence for text in told), why.sentence
    assert "{" not in why.sentence + why.help
    assert why.help


@pytest.mark.parametrize("code", [*WORDS, "something_new", None])
@pytest.mark.parametrize("kept", [{}, {"refused_ms": 3}, {"limit": 5}])
def test_a_row_without_figures_is_explained_all_the_same(code: str | None, kept: dict[str, Any]) -> None:
    """Rows from before figures were kept, and codes that nobody has written words for yet."""
    why = why_refused(code, kept)

    assert why.title
    assert why.sentence
    assert "{" not in why.sentence + why.help


def test_help_names_what_can_be_done_on_pages() -> None:
    """A key's limit can be changed, and an admin resumes an account without a command line."""
    assert "raise the limit on the key's page" in WORDS["key_spend_limit_reached"].help
    assert "customer's page" in WORDS["account_halted"].help

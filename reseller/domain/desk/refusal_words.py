"""Why a call was refused, in words: which limit or hold stood against it, with its figures, and what would help.

Pure. The figures are those that the refusal carried (`errors.Refusal.facts`), kept in the call's row; a row without them
is explained without numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reseller.money import exact_usd


@dataclass(frozen=True, slots=True)
class Why:
    """`sentence` says what stood against the call, `help` what staff or the customer can do, `figures` what was measured."""

    title: str
    sentence: str
    help: str
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """`told` has places for the figures; `plain` is for rows without them; `short` is for a line in a list."""

    title: str
    told: str
    plain: str
    help: str
    short: str = ""


WORDS = {
    "rate_limit_exceeded": Words(
        "A rate limit was full",
        "The account may make {requests} per {window}, of which {used} had been used in the {window} before this one. "
        "The next one would have been let in after {retry_after_seconds} s.",
        "One of the account's windows (minute, hour, day) was full.",
        "Raise the limit on the customer's page, for a while or for good, or ask them to wait as long as Retry-After says.",
    ),
    "too_many_concurrent_requests": Words(
        "Too many calls at once",
        "The account may have {calls} in flight at once, of which {in_flight} had begun.",
        "The account had as many calls in flight, or as many large ones, as it may.",
        "Raise the number of calls at once on the customer's page, or ask them to send fewer side by side.",
    ),
    "insufficient_credits": Words(
        "Not enough available",
        "The call could have cost up to {needed_usd}, which must be held before it is sent. {available_usd} was available.",
        "The call's hold was more than what was available.",
        "A top-up; or a smaller max_tokens, which makes the hold smaller. Open holds of other calls count as spent until those end.",
    ),
    "key_spend_limit_reached": Words(
        "The key's own spend limit",
        "The key may spend {limit_usd} ({period}) and {left_usd} of it was left; this call could have cost up to {needed_usd}.",
        "The key's spend limit left less than the call could have cost.",
        "The customer can use another key or wait for the next period; they can also raise the limit on the key's page.",
    ),
    "account_frozen": Words(
        "The balance is below zero",
        "After a refund or a dispute {available_usd} was available, and below zero no paid call is answered.",
        "A refund or a dispute has taken the balance below zero.",
        "A top-up that lifts the balance above zero.",
    ),
    "account_suspended": Words(
        "The account was suspended",
        "",
        "A suspended account makes no calls.",
        "Restore it on the customer's page, if its reason is settled.",
    ),
    "account_halted": Words(
        "The account was halted",
        "",
        "The proof of the books found a difference in this account and stopped its calls.",
        "Look at the last result of the ledger's proof; once the books are explained, an admin resumes the account on the customer's page.",
    ),
    "model_not_allowed": Words(
        "The key may not use this model",
        "",
        "The key has a list of models, and this one is not on it.",
        "Another key, or a model from the key's list.",
    ),
    "model_not_found": Words(
        "Not for sale",
        "",
        "No model of this name was for sale to this account on this endpoint at that time.",
        "Try the name in the price tester: it says which rule would price it, or why nothing does.",
    ),
    "invalid_api_key": Words(
        "The key did not work",
        "",
        "The key had been revoked, or had expired, since this process saw it last.",
        "A new key; keys cannot be brought back.",
    ),
    "context_length_exceeded": Words(
        "More output than the model has room for",
        "{asked} tokens of output were asked for, and the model has room for {limit}.",
        "The request asked for more tokens than the model has room for.",
        "A smaller {param}, or a model with a longer context.",
    ),
    "invalid_request": Words(
        "The request could not be used",
        "The field “{param}” was missing, wrong, or has no price here.",
        "Something in the request was missing, wrong, or has no price here.",
        "The answer named the field and the reason; its text is not kept. The API page lists what is offered.",
    ),
    "request_too_large": Words("The body was too large", "", "The body was larger than what is read.", "A smaller request."),
    "unsupported_media_type": Words(
        "Not a JSON body", "", "The body was not plain JSON.", "Content-Type: application/json, without an encoding."
    ),
    "upstream_busy": Words(
        "The upstream was not asked",
        "Many calls to the upstream had just failed, so this one was answered at once; the upstream was to be tried again after "
        "{retry_after_seconds} s.",
        "Many calls to the upstream had just failed, so this one was answered at once.",
        "It mends itself: see the upstreams' page for their state.",
    ),
    "service_unavailable": Words(
        "We could not serve it",
        "",
        "No upstream of ours could be asked for this model.",
        "See the upstreams' page; the model's catalogue page names its upstream.",
    ),
}
"""By error code. A refusal without a line here is shown by its code."""

TOO_LONG = Words(
    "More output than the account may ask for",
    "{asked} tokens of output were asked for, and the account may ask for {limit} in one request.",
    "",
    "Raise the limit on the customer's page, or a smaller {param}.",
)

LABELS = {
    "window": "window", "limit": "limit", "used": "used", "in_flight": "in flight", "asked": "asked for", "period": "period",
    "param": "field", "needed_usd": "needed", "available_usd": "available", "limit_usd": "limit", "left_usd": "left",
    "retry_after_seconds": "wait (s)",
}  # fmt: skip


def why_refused(code: str | None, kept: Mapping[str, Any]) -> Why:
    """The refusal in words for staff. `kept` is the row's response_metadata."""
    return told(code, kept, WORDS, TOO_LONG)


def told(code: str | None, kept: Mapping[str, Any], vocabulary: Mapping[str, Words], too_long: Words) -> Why:
    """The refusal in the words of a vocabulary; `too_long` is for more output than the account may ask for."""
    figures = {name: _shown(name, kept[name]) for name in LABELS if kept.get(name) is not None}
    words = vocabulary.get(code or "")
    if words is None:
        return Why("Refused", f"The call was refused with the code {code or 'none'}.", "", _labelled(figures))
    if code == "invalid_request" and "asked" in figures:
        words = too_long
    sentence = _filled(words.told, figures | _counted(kept)) or words.plain
    return Why(words.title, sentence, _filled(words.help, {"param": "max_tokens", **figures}), _labelled(figures))


def _counted(kept: Mapping[str, Any]) -> dict[str, str]:
    """The limit with what it counts."""
    limit = kept.get("limit")
    if not isinstance(limit, int):
        return {}
    return {f"{noun}s": f"{limit:,} {noun}{'' if limit == 1 else 's'}" for noun in ("request", "call")}


def _filled(text: str, figures: Mapping[str, str]) -> str:
    """The text with its figures, or nothing if one is missing."""
    try:
        return text.format_map(figures)
    except KeyError:
        return ""


def _labelled(figures: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((LABELS[name], text) for name, text in figures.items())


def _shown(name: str, value: Any) -> str:
    if name.endswith("_usd"):
        return exact_usd(Decimal(value))
    return f"{value:,}" if isinstance(value, int) else str(value)

"""Why a call was refused, told to whoever made it: what stood against it, with its figures, and what they can do. Pure.

The vocabulary of `refusal_words` for the other side of the counter: it speaks of "your account" and names nothing of our house.
"""

from collections.abc import Mapping
from typing import Any

from reseller.domain.desk.refusal_words import Why, Words, told

VOCABULARY = {
    "rate_limit_exceeded": Words(
        "A rate limit was full",
        "Your account may make {requests} per {window}, of which {used} had been used in the {window} before this one. "
        "The next one would have been let in after {retry_after_seconds} s.",
        "One of your account's limits (per minute, hour or day) was full.",
        "Wait as long as the answer's Retry-After header says, then send it again; the official SDKs do that by themselves. "
        "If you need more for good, ask us to raise the limit.",
        "too many calls in that span",
    ),
    "too_many_concurrent_requests": Words(
        "Too many calls at once",
        "Your account may have {calls} in flight at once, of which {in_flight} had begun.",
        "Your account had as many calls in flight, or as many large ones, as it may.",
        "Send fewer side by side: a queue in your program, or a smaller pool. If you need more for good, ask us to raise the limit.",
        "too many calls at once",
    ),
    "insufficient_credits": Words(
        "Not enough available",
        "The call could have cost up to {needed_usd}, which is reserved before it is sent. {available_usd} was available.",
        "More had to be reserved for the call than was available.",
        "Top up, or send a smaller max_tokens, so that less is reserved. What running calls have reserved is free again when they end.",
        "not enough credit available",
    ),
    "key_spend_limit_reached": Words(
        "The key's own spend limit",
        "The key may spend {limit_usd} ({period}) and {left_usd} of it was left; this call could have cost up to {needed_usd}.",
        "The key's spend limit left less than the call could have cost.",
        "Raise the key's limit on the page of your keys, use another key, or wait for the next period.",
        "the key’s spend limit was reached",
    ),
    "account_frozen": Words(
        "Your balance is below zero",
        "After a refund or a dispute {available_usd} was available, and below zero no paid call is answered.",
        "A refund or a dispute has taken your balance below zero.",
        "Top up until the balance is above zero; the page of your billing says what took it there.",
        "the balance was below zero",
    ),
    "account_suspended": Words(
        "Your account was suspended",
        "",
        "A suspended account makes no calls.",
        "Write to us; the request id says which call this was.",
        "the account was suspended",
    ),
    "account_halted": Words(
        "Your account was paused by us",
        "",
        "A check of our books stopped all calls of your account, as a precaution. Your money is safe.",
        "We are told of it by ourselves and look into it; write to us if it lasts.",
        "calls were paused",
    ),
    "model_not_allowed": Words(
        "The key may not use this model",
        "",
        "The key has a list of models, and this one is not on it.",
        "Use another key, or a model from the key's list; the page of your keys shows it.",
        "the key may not use this model",
    ),
    "model_not_found": Words(
        "No such model",
        "",
        "No model of this name was offered to you on this endpoint at that time.",
        "Look the name up in the price list: names are spelled as there, with the maker in front.",
        "no such model is for sale",
    ),
    "invalid_api_key": Words(
        "The key did not work",
        "",
        "The key had just been revoked, or had expired.",
        "Use another key, or make a new one; a key cannot be brought back.",
        "the key did not work any more",
    ),
    "context_length_exceeded": Words(
        "More than the model has room for",
        "{asked} tokens of output were asked for, and the model has room for {limit}.",
        "The request asked for more tokens than the model has room for.",
        "Send a smaller {param}, a shorter prompt, or use a model with a longer context.",
        "more than the model has room for",
    ),
    "invalid_request": Words(
        "The request could not be used",
        "The field “{param}” was missing, wrong, or is not offered here.",
        "Something in the request was missing, wrong, or is not offered here.",
        "The answer named the field and the reason; we keep neither your text nor that sentence. The docs list what is offered.",
        "the request could not be used",
    ),
    "request_too_large": Words(
        "The request was too large", "", "The body was larger than what is read.", "Send a smaller request.", "the request was too large"
    ),
    "unsupported_media_type": Words(
        "Not a JSON body",
        "",
        "The body was not plain JSON.",
        "Send Content-Type: application/json, without an encoding.",
        "the request was not JSON",
    ),
    "upstream_busy": Words(
        "The model's provider was failing",
        "Many calls to the model's provider had just failed, so this one was answered at once; it was to be tried again after "
        "{retry_after_seconds} s.",
        "Many calls to the model's provider had just failed, so this one was answered at once.",
        "Send it again a little later, or use another model. It mends itself.",
        "the model’s provider was busy",
    ),
    "service_unavailable": Words(
        "We could not serve it",
        "",
        "This model could not be reached at that time.",
        "Send it again a little later, or use another model.",
        "we could not serve it",
    ),
}
"""By error code; the codes are those of `refusal_words.WORDS`."""

FAILURES = {
    "content_policy": "the model’s provider refused the content",
    "upstream_timeout": "the model’s provider took too long",
    "upstream_unavailable": "the model’s provider was not reachable",
    "upstream_error": "the model’s provider failed",
    "process_lost": "it was interrupted on our side",
    "client_disconnected": "your side hung up",
}
"""What befell a call that was let in, for a line in a list; its receipt tells it by what became of it."""

TOO_LONG = Words(
    "More output than your account may ask for",
    "{asked} tokens of output were asked for, and your account may ask for {limit} in one request.",
    "",
    "Send a smaller {param}. If you need more for good, ask us to raise the limit.",
)


def refusal_told(code: str | None, kept: Mapping[str, Any]) -> Why:
    """The refusal in words for the customer. `kept` is the row's response_metadata."""
    return told(code, kept, VOCABULARY, TOO_LONG)


def in_short(code: str | None) -> str:
    """What went wrong, for a line in a list; a code without words is shown as programs see it."""
    words = VOCABULARY.get(code or "")
    return words.short if words else FAILURES.get(code or "", code or "")

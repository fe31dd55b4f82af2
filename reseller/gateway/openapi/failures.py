"""Every refusal that the API can answer, in a customer's words: what it means, what to do, whether SDKs try again.

Statuses and types come from the table that answers them (`gateway.errors`); a test walks the tree of refusals and fails
on one that has no words here.
"""

from typing import Any

from reseller import errors
from reseller.clients.failures import PASSED_CODES
from reseller.gateway.errors import FATE, NOT_WORTH_RETRYING, RATE, SERVER, TYPE_OF_STATUS
from reseller.gateway.openapi.response_headers import EVERYWHERE, refer

Kind = type[errors.Refusal]

RETRIED_STATUSES = (408, 409, 429)
"""And everything from 500 on: what OpenAI's SDKs send again by themselves (openai-python 3.54 `_base_client.py`)."""

WORDS: dict[Kind, tuple[str, str]] = {
    errors.InvalidKey: ("The key is missing, unknown, revoked or expired.", "Use a key that works; you can make one on the keys page."),
    errors.InvalidRequest: (
        "The body or a parameter cannot be used, or asks for something that has no price here.",
        "`message` says what is wrong and `param` where. Repair the request.",
    ),
    errors.BodyTooLarge: ("The body is larger than what is read.", "Send less: shorter messages, smaller images."),
    errors.UnsupportedMedia: ("The body is compressed.", "Send it as it is, without Content-Encoding."),
    errors.ContextTooLong: (
        "More output was asked for than the model has room for, or prompt and output together do not fit.",
        "Ask for fewer tokens, shorten the prompt, or choose a model with a longer context.",
    ),
    errors.NotForSale: ("No model of this name is for sale to you on this route.", "Look it up in the list of models; names are exact."),
    errors.NotFound: ("There is no such route, or no such thing of yours.", "Check path, method and id."),
    errors.AccountSuspended: ("The account is suspended.", "Ask support."),
    errors.ModelNotAllowed: ("The key has a list of models and this one is not on it.", "Use another key, or a model of its list."),
    errors.AccountHalted: ("The account's books are being checked; it cannot make calls meanwhile.", "Ask support."),
    errors.ContentRefused: ("The model's moderation, or its rules for regions, refused the content.", "Change the content, or the model."),
    errors.InsufficientBalance: (
        "What the call may cost at most is more than what is available.",
        "Top up, or ask for fewer tokens: a smaller `max_tokens` makes the hold smaller. Calls in flight hold their part until they end.",
    ),
    errors.AccountFrozen: ("The balance is below zero after a refund or a dispute.", "Top up, or ask support."),
    errors.SpendLimitReached: (
        "The key's own spend limit leaves less than the call may cost.",
        "Raise the key's limit, or use another key.",
    ),
    errors.TooManyRequests: ("More was asked for at once than is answered.", "Wait as long as `Retry-After` says."),
    errors.RateLimited: ("A window of the account (minute, hour or day) is full.", "Wait as long as `Retry-After` says; it is true."),
    errors.TooManyAtOnce: (
        "As many calls of the account are in flight as may be, or as many large bodies as there is room for.",
        "Wait for the answers to some of them.",
    ),
    errors.TooManyFailures: ("Too many requests with wrong keys came from this address.", "Wait, and repair the key."),
    errors.Unavailable: ("We cannot serve it just now. Nothing was charged.", "Try again shortly."),
    errors.UpstreamFailure: ("The model answered with an error and no output. Nothing was charged.", "Try again."),
    errors.UpstreamRejected: (
        "The model itself finds the request wrong. The code says why where it is known.",
        "`message` says what to repair.",
    ),
    errors.UpstreamBusy: (
        "The model is overloaded, or has just failed so often that it is left alone.",
        "Wait as long as `Retry-After` says.",
    ),
    errors.UpstreamDown: (
        "The model could not be reached, or its answer broke off before it began.",
        "Try again, or choose another model.",
    ),
    errors.UpstreamTimeout: ("The model did not answer in time. Nothing was charged.", "Try again, or choose another model."),
}
"""What it means, what to do. Refusals that never leave the house, or never this door, are not in it."""

STATUSES: dict[Kind, tuple[int, ...]] = {
    errors.UpstreamFailure: (502,),
    errors.UpstreamRejected: (400, 404, 413, 422),
    errors.UpstreamBusy: (503,),
    errors.UpstreamDown: (502, 503),
    errors.UpstreamTimeout: (504,),
}
"""Of failures of a model, which carry their own status."""

CODES: dict[Kind, str] = {errors.UpstreamRejected: "unprocessable"}

KEYED = (errors.InvalidKey, errors.TooManyFailures, errors.Unavailable)
ROOM = (errors.InvalidRequest, errors.BodyTooLarge, errors.UnsupportedMedia, errors.TooManyAtOnce)
PRICED = (errors.NotForSale, errors.ContextTooLong, errors.UpstreamBusy)
ADMITTED = (
    errors.InsufficientBalance, errors.AccountFrozen, errors.SpendLimitReached, errors.AccountSuspended, errors.ModelNotAllowed,
    errors.AccountHalted, errors.RateLimited,
)  # fmt: skip
ANSWERED = (errors.ContentRefused, errors.UpstreamRejected, errors.UpstreamDown, errors.UpstreamTimeout, errors.UpstreamFailure)
PAID = (*KEYED, *ROOM, *PRICED, *ADMITTED, *ANSWERED)
FOREIGN_TO_THE_API = (
    errors.Refusal, errors.Forbidden, errors.PaymentRequired, errors.Conflict, errors.StalePrices, errors.TooLong,
)  # fmt: skip
"""Families of which only members are told, what only pages and commands say, what is settled inside, a kind with its parent's code."""


def statuses_of(kind: Kind) -> tuple[int, ...]:
    """The statuses that a refusal of this kind is answered with."""
    if kind in STATUSES:
        return STATUSES[kind]
    return (next(FATE[cls][0] for cls in kind.__mro__ if cls in FATE),)


def code_of(kind: Kind) -> str:
    return CODES.get(kind, kind.code)


def failure_answers(kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """The responses object of a route that may be refused in these ways."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        for status in statuses_of(kind):
            by_status.setdefault(status, []).append(kind)
    return {str(status): _response(status, by_status[status]) for status in sorted(by_status)}


def error_table() -> list[dict[str, Any]]:
    """One line for each status and code: for people, and for programs that explain errors to theirs."""
    lines: dict[tuple[int, str], dict[str, Any]] = {}
    for kind in WORDS:
        for status in statuses_of(kind) if _is_told(kind) else ():
            line = _line(kind, status)
            lines.setdefault((status, line["code"]), line)
    return [lines[key] for key in sorted(lines)]


def codes_of_models() -> list[str]:
    """Codes beside those of the table with which a model may refuse a request, on 400, 413 and 422."""
    return sorted(PASSED_CODES - {line["code"] for line in error_table()})


def _is_told(kind: Kind) -> bool:
    """Whether its code is not a more specific kind's too: those say it better."""
    return not any(issubclass(other, kind) and other is not kind and code_of(other) == kind.code for other in WORDS)


def _line(kind: Kind, status: int) -> dict[str, Any]:
    means, then = WORDS[kind]
    return {
        "status": status,
        "code": code_of(kind) if kind is not errors.UpstreamRejected or status == 422 else _REJECTED[status],
        "type": _type_of(kind, status),
        "means": means,
        "do": then,
        "sdk_retries": is_retried(kind, status),
    }


_REJECTED = {400: "invalid_prompt", 404: "model_not_found", 413: "payload_too_large"}


def is_retried(kind: Kind, status: int) -> bool:
    """Whether OpenAI's SDKs try again by themselves."""
    return (status in RETRIED_STATUSES or status >= 500) and not issubclass(kind, NOT_WORTH_RETRYING)


def _type_of(kind: Kind, status: int) -> str:
    if issubclass(kind, errors.UpstreamFailure):
        return TYPE_OF_STATUS.get(status, SERVER)
    return next(FATE[cls][1] for cls in kind.__mro__ if cls in FATE)


def _response(status: int, kinds: list[Kind]) -> dict[str, Any]:
    told = {code_of(kind): WORDS[kind][0] for kind in kinds}
    headers: tuple[str, ...] = EVERYWHERE
    if status == 401:
        headers += ("www-authenticate",)
    if any(issubclass(kind, NOT_WORTH_RETRYING) for kind in kinds):
        headers += ("x-should-retry",)
    if any(_type_of(kind, status) == RATE or kind is errors.UpstreamBusy for kind in kinds):
        headers += ("retry-after", "retry-after-ms")
    return {
        "description": " ".join(f"`{code}`: {words}" for code, words in told.items()),
        "headers": refer(headers),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": _example(kinds[0], status)}},
    }


def _example(kind: Kind, status: int) -> dict[str, Any]:
    error = {"message": WORDS[kind][0], "type": _type_of(kind, status), "param": None, "code": code_of(kind)}
    return {"error": error}

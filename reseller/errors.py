"""Every expected refusal, in the domain's own words; each door maps them in one table.

Refusal
├── InvalidKey                      unknown, malformed, revoked or expired: one answer for all
├── InvalidRequest                  the body cannot be used; says which part
│   ├── BodyTooLarge
│   ├── UnsupportedMedia
│   └── TooLong                     more output asked for than the account may have
│       └── ContextTooLong          or than the model has room for
├── NotForSale                      no such model for this account
├── NotFound                        no such thing for this account
├── Conflict                        the thing exists already, or is in a state that forbids this
├── Forbidden
│   ├── AccountSuspended
│   ├── ModelNotAllowed             the key's own list of models
│   ├── AccountHalted               a ledger mismatch stopped this account
│   └── ContentRefused              the upstream's moderation or region
├── PaymentRequired
│   ├── InsufficientBalance
│   ├── AccountFrozen               below zero after a refund or dispute
│   └── SpendLimitReached           the key's own limit
├── TooManyRequests
│   ├── RateLimited                 a window of the account is full
│   ├── TooManyAtOnce               too many calls in flight
│   └── TooManyFailures             wrong keys from one address
├── StalePrices                     the price book moved; quote again (never leaves the gateway)
├── Unavailable                     our database is down or too slow
└── UpstreamFailure
    ├── UpstreamRejected            4xx that is about the request
    ├── UpstreamBusy                503, with a wait
    ├── UpstreamDown                502: reset, 5xx, not an answer
    └── UpstreamTimeout             504

Mistakes of a caller inside the house raise ordinary exceptions; CLI mistakes raise `Conflict`
or `NotFound`. Messages are for the customer, `code` is for programs; neither holds a secret.
`facts` are for staff, who are asked "why was I refused?": numbers and our own words, nothing a
customer wrote. They are put together when somebody asks for them, so a call that is let in pays nothing.
"""

from decimal import Decimal
from typing import Any

from reseller.money import format_decimal


class Refusal(Exception):
    """An expected "no". `message` may be shown to the customer; `code` is stable for programs."""

    code = "refused"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def facts(self) -> dict[str, Any]:
        """What it was measured against, for the usage row: numbers, money as decimal strings, names of our own."""
        return {} if self.param is None else {"param": self.param}


class InvalidKey(Refusal):
    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("Incorrect API key provided.")


class InvalidRequest(Refusal):
    code = "invalid_request"


class BodyTooLarge(InvalidRequest):
    code = "request_too_large"


class UnsupportedMedia(InvalidRequest):
    code = "unsupported_media_type"


class TooLong(InvalidRequest):
    """Carries the tokens that were asked for and those that are allowed."""

    def __init__(self, message: str, *, param: str | None, limit: int, asked: int) -> None:
        super().__init__(message, param=param)
        self.limit = limit
        self.asked = asked

    @property
    def facts(self) -> dict[str, Any]:
        return {**super().facts, "limit": self.limit, "asked": self.asked}


class ContextTooLong(TooLong):
    code = "context_length_exceeded"


class NotForSale(Refusal):
    code = "model_not_found"


class NotFound(Refusal):
    code = "not_found"


class Conflict(Refusal):
    """The thing exists already, or is in a state that forbids this."""

    code = "conflict"


class Forbidden(Refusal):
    code = "forbidden"


class AccountSuspended(Forbidden):
    code = "account_suspended"


class ModelNotAllowed(Forbidden):
    code = "model_not_allowed"


class AccountHalted(Forbidden):
    code = "account_halted"


class ContentRefused(Forbidden):
    code = "content_policy"


class PaymentRequired(Refusal):
    code = "payment_required"


class InsufficientBalance(PaymentRequired):
    """Carries what is available and what the call would hold, both in dollars."""

    code = "insufficient_credits"

    def __init__(self, message: str, *, available_usd: Decimal, needed_usd: Decimal) -> None:
        super().__init__(message)
        self.available_usd = available_usd
        self.needed_usd = needed_usd

    @property
    def facts(self) -> dict[str, Any]:
        return {"needed_usd": format_decimal(self.needed_usd), "available_usd": format_decimal(self.available_usd)}


class AccountFrozen(PaymentRequired):
    """Carries the dollars below zero that the account stands at."""

    code = "account_frozen"

    def __init__(self, message: str, *, available_usd: Decimal) -> None:
        super().__init__(message)
        self.available_usd = available_usd

    @property
    def facts(self) -> dict[str, Any]:
        return {"available_usd": format_decimal(self.available_usd)}


class SpendLimitReached(PaymentRequired):
    """Carries the key's limit, what is left of it, and what the call would hold, in dollars."""

    code = "key_spend_limit_reached"

    def __init__(self, message: str, *, limit_usd: Decimal, left_usd: Decimal, needed_usd: Decimal, period: str) -> None:
        super().__init__(message)
        self.limit_usd = limit_usd
        self.left_usd = left_usd
        self.needed_usd = needed_usd
        self.period = period

    @property
    def facts(self) -> dict[str, Any]:
        money = {"limit_usd": self.limit_usd, "left_usd": self.left_usd, "needed_usd": self.needed_usd}
        return {"period": self.period, **{name: format_decimal(amount) for name, amount in money.items()}}


class TooManyRequests(Refusal):
    """Carries `retry_after_seconds`: the true wait until the same call can be admitted."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds

    @property
    def facts(self) -> dict[str, Any]:
        return {"retry_after_seconds": round(self.retry_after_seconds, 3)}


class RateLimited(TooManyRequests):
    """Carries the window that was full (minute, hour, day), its limit, and what had been used of it."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_seconds: float, window: str, limit: int, used: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.window = window
        self.limit = limit
        self.used = used

    @property
    def facts(self) -> dict[str, Any]:
        return {**super().facts, "window": self.window, "limit": self.limit, "used": self.used}


class TooManyAtOnce(TooManyRequests):
    """Carries how many calls may be in flight and how many were. `what` says which calls: all of them, or large ones only."""

    code = "too_many_concurrent_requests"

    def __init__(
        self, message: str, *, retry_after_seconds: float, what: str = "calls", limit: int | None = None, in_flight: int | None = None
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.what = what
        self.limit = limit
        self.in_flight = in_flight

    @property
    def facts(self) -> dict[str, Any]:
        return {**super().facts, "what": self.what, "limit": self.limit, "in_flight": self.in_flight}


class TooManyFailures(TooManyRequests):
    code = "too_many_failed_attempts"


class StalePrices(Refusal):
    code = "stale_prices"


class Unavailable(Refusal):
    code = "service_unavailable"

    def __init__(self, message: str = "The service is temporarily unavailable. Nothing was charged.") -> None:
        super().__init__(message)


class UpstreamFailure(Refusal):
    """`alarm` names what staff must look at, or is None when nobody need be woken."""

    code = "upstream_error"

    def __init__(self, message: str, *, status: int = 502, alarm: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.alarm = alarm
        self.retry_after_seconds = retry_after_seconds

    @property
    def facts(self) -> dict[str, Any]:
        return {} if self.retry_after_seconds is None else {"retry_after_seconds": round(self.retry_after_seconds, 3)}


class UpstreamRejected(UpstreamFailure):
    """The upstream finds the request itself wrong: `status` 400, 404, 413 or 422, `code` says why."""

    def __init__(self, message: str, *, status: int, code: str, param: str | None = None) -> None:
        super().__init__(message, status=status)
        self.code = code
        self.param = param


class UpstreamBusy(UpstreamFailure):
    code = "upstream_busy"


class UpstreamDown(UpstreamFailure):
    code = "upstream_unavailable"


class UpstreamTimeout(UpstreamFailure):
    code = "upstream_timeout"

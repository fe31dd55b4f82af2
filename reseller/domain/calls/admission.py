"""May they, can they pay: the decision on one call, made under the account's lock.

Pure: `decide` reads and changes an AccountState and a KeyState and answers; the till commits
what it decided. A refusal counts in no window and leaves no hold.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from reseller.domain.calls.state import AccountState, KeyState
from reseller.domain.limits import Allowance, WindowUse
from reseller.domain.pricing import HoldTerms, matches
from reseller.errors import (
    AccountFrozen,
    AccountHalted,
    AccountSuspended,
    InsufficientBalance,
    InvalidKey,
    ModelNotAllowed,
    RateLimited,
    Refusal,
    SpendLimitReached,
    StalePrices,
    TooLong,
    TooManyAtOnce,
)
from reseller.money import display_usd, to_usd

USEFUL_OUTPUT_TOKENS = 16
"""Without a cap of the client's, a balance that affords fewer tokens than this is refused rather than answered with a stump."""

CONCURRENT_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """The price of one call, fixed at admission (promise R7)."""

    price_version: int
    rule_id: UUID | None
    markup_percent: Decimal
    min_cost_nano: int


@dataclass(frozen=True, slots=True)
class Admit:
    """A call that wants in. `output_cap` is the largest answer to hold for, in tokens."""

    call_id: UUID
    account_id: UUID
    key_id: UUID
    process_id: UUID
    endpoint: str
    model: str
    upstream: str
    is_test: bool
    is_stream: bool
    terms: PriceTerms
    hold: HoldTerms
    prompt_tokens: int
    output_cap: int
    cap_is_clients: bool
    request_metadata: dict[str, Any] = field(default_factory=dict)
    address: str | None = None  # of the client, as the gateway sees it


@dataclass(frozen=True, slots=True)
class Admitted:
    """The hold is committed. The answer may have `output_cap` tokens; the hold covers them."""

    call_id: UUID
    hold_nano: int
    key_nano: int
    output_cap: int
    available_nano: int
    allowance: Allowance


def decide(op: Admit, account: AccountState, key: KeyState) -> Admitted | Refusal:
    """The answer to one call; the states hold its hold and its count when it is admitted."""
    refusal = _state_refusal(op, account, key) or _traffic_refusal(op, account)
    if refusal is not None:
        return refusal
    money = _reserve(op, account, key)
    if isinstance(money, Refusal):
        return money
    cap, hold_nano = money
    key_nano = hold_nano if key.purse.spend_limit is not None else 0
    account.held += hold_nano
    account.reserved += hold_nano
    account.open_calls += 1
    account.opened += 1
    key.purse.held += key_nano
    account.counted = True
    for window in account.windows.values():
        window.add()
    return Admitted(op.call_id, hold_nano, key_nano, cap, account.available, _allowance(account))


def _state_refusal(op: Admit, account: AccountState, key: KeyState) -> Refusal | None:
    if key.revoked or (key.expires_at is not None and key.expires_at <= account.now):
        return InvalidKey()
    if not account.is_active:
        return AccountSuspended("This account is suspended. Please contact support.")
    if account.is_halted:
        return AccountHalted("This account is being checked and cannot make calls at the moment. Please contact support.")
    if key.model_patterns is not None and not any(matches(pattern, op.model) for pattern in key.model_patterns):
        return ModelNotAllowed(f"This API key may not use the model {op.model}.", param="model")
    if account.price_version != op.terms.price_version:
        return StalePrices("prices changed")
    limit = account.limits.get("max_tokens")
    if limit is not None and op.cap_is_clients and op.output_cap > limit:
        message = f"This account may ask for at most {limit} output tokens in one request."
        return TooLong(message, param="max_tokens", limit=limit, asked=op.output_cap)
    return None


def _traffic_refusal(op: Admit, account: AccountState) -> Refusal | None:
    concurrent = account.limits.get("concurrent")
    if concurrent is not None and account.open_calls >= concurrent:
        return TooManyAtOnce(
            f"This account may have {concurrent} requests in flight at once.",
            retry_after_seconds=CONCURRENT_RETRY_SECONDS,
            limit=concurrent,
            in_flight=account.open_calls,
        )
    seconds = account.now.timestamp()
    waits = {}
    for name, window in account.windows.items():
        limit = account.limits.get(name)
        if limit is not None and window.used >= limit:
            waits[name] = window.seconds_until_free(limit, seconds)
    if not waits:
        return None
    name = max(waits, key=lambda n: waits[n])
    limit = account.limits[name]
    assert limit is not None
    return RateLimited(
        f"Rate limit reached: {limit} request{'' if limit == 1 else 's'} per {name}. Please try again in {waits[name]:.0f} s.",
        retry_after_seconds=waits[name],
        window=name,
        limit=limit,
        used=account.windows[name].used,
    )


def _reserve(op: Admit, account: AccountState, key: KeyState) -> tuple[int, int] | Refusal:
    """The output cap and the hold for it, as far as key limit and balance allow."""
    cap = allowed_cap(op, account)
    if op.is_test:
        return cap, 0
    if account.available < 0:
        message = "This account's balance is below zero after a refund or dispute. Please top up or contact support."
        return AccountFrozen(message, available_usd=to_usd(account.available))
    purse = key.purse
    room = purse.room(account.now.date())
    smallest = cap if op.cap_is_clients else min(cap, USEFUL_OUTPUT_TOKENS)
    needed = op.hold.hold_nano(smallest)
    if room is not None and needed > room:
        left_usd, needed_usd = to_usd(max(room, 0)), to_usd(needed)
        return SpendLimitReached(
            f"This API key's spend limit leaves {display_usd(left_usd)}; this request may cost {display_usd(needed_usd)}.",
            limit_usd=to_usd(purse.spend_limit or 0),
            left_usd=left_usd,
            needed_usd=needed_usd,
            period=purse.spend_period,
        )
    if needed > account.available:
        available, needed_usd = to_usd(account.available), to_usd(needed)
        needs = "may cost up to" if op.cap_is_clients else "needs, for a short answer, at least"
        return InsufficientBalance(
            f"Insufficient credits: this request {needs} {display_usd(needed_usd)} and {display_usd(available)} is available. "
            "Please top up, or ask for fewer tokens.",
            available_usd=available,
            needed_usd=needed_usd,
        )
    if not op.cap_is_clients:
        affordable = account.available if room is None else min(account.available, room)
        cap = max(smallest, min(cap, op.hold.affordable_cap(affordable)))
    return cap, op.hold.hold_nano(cap)


def allowed_cap(op: Admit, account: AccountState) -> int:
    """The output cap before money is asked: the account's limit lowers ours, never the client's own (that is refused)."""
    limit = account.limits.get("max_tokens")
    return op.output_cap if limit is None or op.cap_is_clients else min(op.output_cap, limit)


def _allowance(account: AccountState) -> Allowance:
    uses = []
    for name, window in account.windows.items():
        limit = account.limits.get(name)
        if limit is not None:
            seconds = window.seconds_until_empty(account.now.timestamp())
            uses.append(WindowUse(name, limit, max(limit - window.used, 0), seconds))
    return Allowance(tuple(uses))

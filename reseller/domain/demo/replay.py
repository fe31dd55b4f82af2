"""An account's past, gone through once more: each call is settled by the product's own `settlement.decide`.

So rows, charges, days and entries are what the product itself would have written. Pure: changes only the
History; `writing` puts it into the tables.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from reseller.clock import instant_of
from reseller.domain import ledger, pricing
from reseller.domain.calls import CallFacts, Outcome, Settle
from reseller.domain.calls.settlement import decide, refusal_row
from reseller.domain.calls.state import AccountState, HoldState
from reseller.domain.demo.cast import Purse
from reseller.domain.demo.traffic import Attempt, id_at
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.ledger.posting import hash_of
from reseller.domain.ledger.tables import GENESIS
from reseller.domain.limits import DEFAULT_LIMITS
from reseller.domain.usage import CallStatus, CostSource
from reseller.errors import InsufficientBalance, InvalidRequest, NotForSale, RateLimited, Refusal
from reseller.metering import Usage
from reseller.money import NANO, to_usd

ACTOR = "system:demo"
BYTES_PER_TOKEN = 4  # a prompt is held for at one token a byte
PENNILESS_HOURS = 15  # until somebody notices that calls are refused
_UNPRICED = (InvalidRequest.code, NotForSale.code)  # refused before they had a price
_PAID = (CallStatus.COMPLETED, CallStatus.ABANDONED, CallStatus.PARTIAL)


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that comes in at an instant, or goes back out of the payment before (a refund, a dispute)."""

    at: datetime
    amount_usd: int
    kind: EntryKind = EntryKind.TOP_UP
    reason: str = "Top-up"


@dataclass(slots=True)
class Bought:
    """A payment of the past. `back`: when, by which kind of entry and how much of it went back (below zero), or came again."""

    payment_id: UUID
    at: datetime
    amount_usd: int
    back: list[tuple[datetime, EntryKind, int]] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """One account's books while its past goes by. `key_for` says which key makes an attempt."""

    account_id: UUID
    purse: Purse
    key_for: Callable[[Attempt], UUID]
    chance: Random
    state: AccountState
    rows: list[dict[str, Any]] = field(default_factory=list)  # of usage_logs
    due: list[Movement] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Rows of ledger_entries, in order."""
        return self.state.posted


def opened(account_id: UUID, purse: Purse, *, at: datetime, key_for: Callable[[Attempt], UUID], chance: Random) -> History:
    """The history of an account that has just bought its first pack."""
    state = AccountState(
        account_id,
        at,
        settled=0,
        held=0,
        open_calls=0,
        usage_day=at.date(),
        unposted=0,
        entry_count=0,
        entries_nano=0,
        last_hash=GENESIS,
    )
    return History(account_id, purse, key_for, chance, state, due=[Movement(at, purse.pack_usd)])


def replay(history: History, attempts: Iterable[Attempt], *, until: datetime) -> History:
    """Every attempt has its usage row, every finished day its entry, and the balance never went below zero."""
    for attempt in attempts:
        _pass_time(history, attempt.ended_at)
        _settle(history, attempt)
    _pass_time(history, until)
    target = history.purse.ends_with_usd
    missing_usd = target - history.state.available // NANO if target is not None else 0
    if missing_usd > 0:
        _pay(history, Movement(until, missing_usd))
    history.state.usage_day = until.date()
    return history


def _pass_time(history: History, at: datetime) -> None:
    """Payments that were due have come, and days that are over are entries."""
    for payment in sorted((p for p in history.due if p.at <= at), key=lambda p: p.at):
        history.due.remove(payment)
        _close_day(history, payment.at)
        _pay(history, payment)
    _close_day(history, at)
    history.state.now = at


def _close_day(history: History, at: datetime) -> None:
    state = history.state
    if state.usage_day >= at.date() or not state.unposted:
        return
    after_midnight = datetime.combine(state.usage_day + timedelta(days=1), time(0, 0, history.chance.randrange(5, 60)), UTC)
    _append(history, ledger.usage_draft(state.account_id, state.usage_day, state.unposted), at=min(after_midnight, at))
    state.unposted = 0
    state.usage_day = at.date()


def _pay(history: History, movement: Movement) -> None:
    amount_nano = movement.amount_usd * NANO
    draft = EntryDraft(history.account_id, movement.kind, amount_nano, _reference(history, movement), ACTOR, movement.reason)
    _append(history, draft, at=movement.at)
    history.state.settled += amount_nano


def _reference(history: History, movement: Movement) -> str:
    """As the product names its entries; the payment is remembered."""
    if movement.kind == EntryKind.TOP_UP:
        history.bought.append(Bought(id_at(movement.at, history.chance), movement.at, movement.amount_usd))
        return str(history.bought[-1].payment_id)
    if movement.kind in (EntryKind.REFUND, EntryKind.DISPUTE):
        last = next(bought for bought in reversed(history.bought) if movement.amount_usd < 0 or bought.back)
        last.back.append((movement.at, movement.kind, movement.amount_usd))
        return f"{last.payment_id}:{len(last.back)}"
    return f"demo:{history.account_id}:{history.state.entry_count + 1}"


def _append(history: History, draft: EntryDraft, *, at: datetime) -> None:
    """The entry is the end of the account's chain; its id carries its own time, unlike that of an entry posted today."""
    state = history.state
    row = ledger.chained(draft, state.entry_count, state.entries_nano, state.last_hash, at)
    row["id"] = id_at(at, history.chance)
    row["entry_hash"] = hash_of(row)
    state.posted.append(row)
    state.entry_count, state.entries_nano, state.last_hash = row["sequence"], row["balance_after_nano"], row["entry_hash"]


def _settle(history: History, attempt: Attempt) -> None:
    facts = _facts(history, attempt)
    if attempt.status == CallStatus.REFUSED:
        history.rows.append(refusal_row(facts, _refusal(attempt), attempt.ended_at, told_at=attempt.ended_at))
        return
    hold_nano = 0 if attempt.is_test else _hold_nano(attempt)
    _fill_purse(history, attempt, hold_nano=hold_nano)
    state = history.state
    if hold_nano > state.available:
        short = InsufficientBalance("no credit", available_usd=to_usd(state.available), needed_usd=to_usd(hold_nano))
        history.rows.append(refusal_row(facts, short, attempt.ended_at, told_at=attempt.ended_at))
        return
    state.held += hold_nano
    state.open_calls += 1
    hold = HoldState(facts.call_id, facts.account_id, facts.key_id, hold_nano, 0, facts.key_id)
    _, row = decide(Settle(facts, _outcome(attempt)), state, hold)
    assert row is not None  # the hold was open
    history.rows.append(row)


def _refusal(attempt: Attempt) -> Refusal:
    """What such an attempt is told, with figures as a real one has them."""
    if attempt.error_code == RateLimited.code:
        limit = DEFAULT_LIMITS["minute"]
        return RateLimited("rate limit reached", retry_after_seconds=7.25, window="minute", limit=limit, used=limit)
    if attempt.error_code == InvalidRequest.code:
        return InvalidRequest("not a temperature", param="temperature")
    refusal = Refusal("refused", param="model")
    refusal.code = attempt.error_code or refusal.code
    return refusal


def _fill_purse(history: History, attempt: Attempt, *, hold_nano: int) -> None:
    """A prompt payer tops up before money runs out, others some time after the first refusal."""
    purse, available = history.purse, history.state.available
    if purse.is_prompt and available < max(purse.low_water_usd * NANO, hold_nano):
        _pay(history, Movement(attempt.ended_at, purse.pack_usd))
    elif not purse.is_prompt and available < hold_nano and not history.due:
        history.due.append(Movement(attempt.ended_at + timedelta(hours=PENNILESS_HOURS), purse.pack_usd))


def _facts(history: History, attempt: Attempt) -> CallFacts:
    is_unpriced = attempt.error_code in _UNPRICED
    return CallFacts(
        call_id=attempt.call_id,
        account_id=history.account_id,
        key_id=history.key_for(attempt),
        endpoint="/embeddings" if attempt.good.is_embedding else "/chat/completions",
        model=attempt.model,
        upstream=None if is_unpriced else "sandbox" if attempt.is_test else attempt.good.upstream,
        is_test=attempt.is_test,
        is_stream=attempt.is_stream and not is_unpriced,
        terms=None if is_unpriced else attempt.good.terms,
        request_metadata={} if is_unpriced else attempt.parameters,
    )


def _outcome(attempt: Attempt) -> Outcome:
    """What became of the call: cost is tokens × rates, the charge is cost with markup, rounded up once."""
    if attempt.status not in _PAID:
        return Outcome(attempt.status, error_code=attempt.error_code, response_metadata=dict(attempt.timings))
    cost_usd = _cost(attempt, attempt.usage)
    is_estimate = attempt.status == CallStatus.ABANDONED
    return Outcome(
        status=attempt.status,
        usage=attempt.usage,
        cost_usd=cost_usd,
        cost_source=CostSource.ESTIMATE if is_estimate else CostSource.INLINE,
        charge_nano=_charge_nano(attempt, cost_usd),
        at_most_hold=is_estimate,
        served_model=attempt.good.slug,
        generation_id=f"gen-demo-{attempt.call_id.hex[:20]}",
        error_code=attempt.error_code,
        flag="estimate" if is_estimate else None,
        response_metadata={"finish_reason": _finish_reason(attempt), **attempt.timings},
    )


def _finish_reason(attempt: Attempt) -> str | None:
    if attempt.status != CallStatus.COMPLETED or attempt.good.is_embedding:
        return None
    return "length" if attempt.usage.completion_tokens == attempt.output_cap else "stop"


def _hold_nano(attempt: Attempt) -> int:
    """An upper bound of the charge: every byte of the prompt a token, every token of the cap used."""
    most = Usage(prompt_tokens=attempt.usage.prompt_tokens * BYTES_PER_TOKEN, completion_tokens=attempt.output_cap)
    return _charge_nano(attempt, _cost(attempt, most))


def _cost(attempt: Attempt, usage: Usage) -> Decimal:
    return pricing.cost_of(usage, attempt.good.rates.at(usage.prompt_tokens, instant_of(attempt.call_id)))


def _charge_nano(attempt: Attempt, cost_usd: Decimal) -> int:
    terms = attempt.good.terms
    return pricing.charge_nano(cost_usd, terms.markup_percent, min_cost_nano=terms.min_cost_nano)

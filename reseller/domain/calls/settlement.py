"""How a call ends: its charge, bounded by what the account can pay, and its usage row.

Pure: `decide` changes the AccountState and answers; the till commits. Release of the hold and
charge are one change (R9), and a hold that is no longer open is charged nothing more (R4).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from reseller.clock import instant_of
from reseller.domain import ledger
from reseller.domain.calls.admission import Admit, PriceTerms
from reseller.domain.calls.state import AccountState, HoldState
from reseller.domain.usage.tables import CallStatus, CostSource
from reseller.errors import Refusal
from reseller.metering import Usage

NO_USAGE = Usage(prompt_tokens=0, completion_tokens=0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. `charge_nano` is what the price says; the till may only lower it.

    `at_most_hold`: an estimate never costs more than was held (R9).
    """

    status: CallStatus
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = None
    cost_source: CostSource = CostSource.NONE
    charge_nano: int = 0
    at_most_hold: bool = False
    served_model: str | None = None
    generation_id: str | None = None
    error_code: str | None = None
    flag: str | None = None
    response_metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the usage row says of a call besides its outcome."""

    call_id: UUID
    account_id: UUID
    key_id: UUID
    endpoint: str
    model: str
    upstream: str | None
    is_test: bool
    is_stream: bool
    terms: PriceTerms | None
    request_metadata: dict[str, Any]
    address: str | None = None  # where the call came from; not in the usage row, and not known any more once its process is gone


@dataclass(frozen=True, slots=True)
class Settle:
    """A call that has ended, with its cost known."""

    facts: CallFacts
    outcome: Outcome

    @property
    def call_id(self) -> UUID:
        return self.facts.call_id

    @property
    def account_id(self) -> UUID:
        return self.facts.account_id


@dataclass(frozen=True, slots=True)
class Settled:
    """The charge is committed. `was_open` is False if the call had been ended before: then nothing was done, and
    `before` is how it had ended: its status and charge, None if that is not known."""

    charge_nano: int
    overage_loss_nano: int = 0
    was_open: bool = True
    before: tuple[str, int] | None = None

    @property
    def final_nano(self) -> int | None:
        """What the call was charged, now or before; None if that is not known."""
        if self.was_open:
            return self.charge_nano
        return None if self.before is None else self.before[1]

    @property
    def was_voided(self) -> bool:
        """Somebody took this process for dead and ended the call without a charge."""
        return self.before is not None and self.before[0] == CallStatus.VOIDED


@dataclass(frozen=True, slots=True)
class Note:
    """Something to remember on an open hold: the upstream's generation id and, when the answer
    has ended without a known cost, the draft of its outcome."""

    call_id: UUID
    generation_id: str | None
    draft: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A call that was refused before admission: a usage row and nothing else."""

    facts: CallFacts
    refusal: Refusal


def facts_of(op: Admit) -> CallFacts:
    return CallFacts(
        op.call_id, op.account_id, op.key_id, op.endpoint, op.model, op.upstream, op.is_test, op.is_stream, op.terms, op.request_metadata,
        op.address,
    )  # fmt: skip


def decide(op: Settle, account: AccountState, hold: HoldState | None) -> tuple[Settled, dict[str, Any] | None]:
    """The answer and the usage row; the state holds the charge. No row if the hold was not open."""
    if hold is None:
        return Settled(0, was_open=False), None
    room = hold.amount if op.outcome.at_most_hold else hold.amount + max(account.available, 0)
    charge = min(op.outcome.charge_nano, room) if not op.facts.is_test else 0
    loss = 0 if op.outcome.at_most_hold or op.facts.is_test else op.outcome.charge_nano - charge
    account.held -= hold.amount
    account.released += hold.amount
    account.settled -= charge
    account.charged += charge
    account.open_calls -= 1
    account.closed += 1
    if charge:
        _book_on_day(account, charge)
    settled = Settled(charge, loss)
    return settled, usage_row(op.facts, op.outcome, settled=settled, hold_nano=hold.amount, account=account)


def _book_on_day(account: AccountState, charge: int) -> None:
    """The charge belongs to today; what an earlier day left unposted becomes that day's ledger entry."""
    today = account.now.date()
    if account.usage_day < today:
        if account.unposted:
            draft = ledger.usage_draft(account.account_id, account.usage_day, account.unposted)
            entry = ledger.chained(draft, account.entry_count, account.entries_nano, account.last_hash, account.now)
            account.posted.append(entry)
            account.entry_count += 1
            account.entries_nano = entry["balance_after_nano"]
            account.last_hash = entry["entry_hash"]
        account.unposted = 0
        account.usage_day = today
    account.unposted += charge


def usage_row(facts: CallFacts, outcome: Outcome, *, settled: Settled, hold_nano: int, account: AccountState | None) -> dict[str, Any]:
    """A row of usage_logs, every column named."""
    usage, terms = outcome.usage, facts.terms
    flag = outcome.flag or ("overage" if settled.overage_loss_nano else None)
    return {
        "id": facts.call_id,
        "created_at": instant_of(facts.call_id),
        "account_id": facts.account_id,
        "api_key_id": facts.key_id,
        "status": outcome.status,
        "error_code": outcome.error_code,
        "endpoint": facts.endpoint,
        "model": storable(facts.model),
        "served_model": storable(outcome.served_model),
        "upstream": facts.upstream,
        "generation_id": storable(outcome.generation_id),
        "is_test": facts.is_test,
        "is_stream": facts.is_stream,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "usage_details": usage.rarer_kinds(),
        "cost_usd": None if outcome.cost_usd is None else format(outcome.cost_usd, "f"),
        "cost_source": outcome.cost_source,
        "charge_nano": settled.charge_nano,
        "hold_nano": hold_nano,
        "overage_loss_nano": settled.overage_loss_nano,
        "price_version": terms.price_version if terms else None,
        "rule_id": terms.rule_id if terms else None,
        "markup_percent": format(terms.markup_percent, "f") if terms else None,
        "min_cost_nano": terms.min_cost_nano if terms else None,
        "flag": flag,
        "request_metadata": facts.request_metadata,
        "response_metadata": outcome.response_metadata,
        "settled_at": account.now if account else None,
        "posted_on": account.usage_day if account and settled.charge_nano else None,
    }


def stripped(op: Settle) -> Settle:
    """The same charge without any detail that came from outside."""
    outcome = replace(op.outcome, usage=NO_USAGE, served_model=None, generation_id=None, response_metadata={}, flag="details_lost")
    return Settle(replace(op.facts, request_metadata={}, address=None), outcome)


def stripped_note(note: Note) -> Note:
    """The same draft without any text that came from outside."""
    draft = {**note.draft, "served_model": None, "response_metadata": {}} if note.draft else None
    return replace(note, draft=draft)


def storable(text: str | None) -> str | None:
    """A stranger's text as JSON and PostgreSQL can keep it: no NUL, no half characters, at most 200 characters.

    One bad text must not fail a settlement.
    """
    return None if text is None else text.replace("\x00", "").encode("utf-8", "replace").decode()[:200]


def refusal_row(facts: CallFacts, refusal: Refusal, at: datetime | None = None, *, told_at: datetime | None = None) -> dict[str, Any]:
    """The usage row of a call that was refused: nothing held, nothing charged, and what it was measured against.

    Without `at` the write itself says when it was settled. `told_at` is when it was decided by the clock that made the
    call's id: the wait, without another clock's difference.
    """
    waited = {} if told_at is None else {"refused_ms": max((told_at - instant_of(facts.call_id)) // timedelta(milliseconds=1), 0)}
    outcome = Outcome(status=CallStatus.REFUSED, error_code=refusal.code, response_metadata={**refusal.facts, **waited})
    row = usage_row(facts, outcome, settled=Settled(0), hold_nano=0, account=None)
    del row["settled_at"]
    return row if at is None else {**row, "settled_at": at}

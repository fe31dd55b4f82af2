"""One call, told to staff by its id: why it was charged what it was, why it was refused, or where it is right now.

A read model: frozen values from the usage row (or the open hold) and what it names. No text of a customer's is in any of them.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.clock import instant_of, now
from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.accounts import Account, Membership, User
from reseller.domain.calls.processes import SILENT_SECONDS, Process
from reseller.domain.desk.call_bill import Bill, bill_of
from reseller.domain.desk.call_timeline import Step, timeline_of
from reseller.domain.desk.refusal_words import Why, why_refused
from reseller.domain.keys import ApiKey, shown_prefix
from reseller.domain.ledger import EntryKind
from reseller.domain.ledger.tables import Hold, LedgerEntry
from reseller.domain.pricing import PriceVersion, PricingRule, Rates
from reseller.domain.usage import CallStatus, UsageLog, dropping
from reseller.errors import NotForSale, NotFound
from reseller.money import ZERO_USD, to_usd

IN_FLIGHT = "in_flight"
WAITING_FOR_COST = "waiting_for_cost"

NO_CHARGE = {
    CallStatus.FAILED: "The upstream gave no usable answer. Whatever it bills for that is ours (promise R9).",
    CallStatus.REFUSED: "Nothing was sent, held or charged.",
    CallStatus.VOIDED: "Our process ended while the call was running and nobody could tell its cost, so it is ours (promise R10).",
}

FLAGS = {
    "overage": "The true cost was above the hold and what was available; the rest is the operator's loss.",
    "estimate": "The upstream never told the usage; the charge is an estimate, at most the hold.",
    "zero_cost": "The upstream billed nothing for tokens of a model that has a price.",
    "usage_invalid": "The upstream's usage could not be true and was not believed.",
    "details_lost": "The database could not store what came from outside; the charge is right, the details are gone.",
    "process_lost": "Our process ended while the call was running.",
}


@dataclass(frozen=True, slots=True)
class Whose:
    """The account and the key. What is not there any more has no name."""

    account_id: UUID
    account_name: str | None
    account_status: str | None
    halted_reason: str | None
    email: str | None
    key_id: UUID
    key_name: str | None
    key_prefix: str | None
    key_models: tuple[str, ...] | None  # as the key has them now; None: every model
    key_revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The price that admission fixed: rule and version."""

    rule_id: UUID | None
    pattern: str | None
    is_active: bool | None
    markup_percent: Decimal
    min_cost_usd: Decimal
    price_version: int
    version_at: datetime | None
    version_reason: str | None


@dataclass(frozen=True, slots=True)
class Posting:
    """Where the charge is in the books: a day's ledger entry, or not there yet."""

    day: date
    entry_id: UUID | None
    sequence: int | None
    entry_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Running:
    """An open hold: whose it is to end, and what is waited for."""

    age: timedelta
    process: str | None  # host and pid; None: the process has no row any more
    beat_at: datetime | None
    is_silent: bool
    prompt_bound_tokens: int
    attempts: int
    next_ask_at: datetime | None
    estimate_usd: Decimal | None  # booked if the upstream never tells


@dataclass(frozen=True, slots=True)
class CallStory:
    """Everything about one call."""

    id: UUID
    received_at: datetime
    status: str
    error_code: str | None
    flag: str | None
    flag_words: str | None
    endpoint: str
    model: str
    served_model: str | None
    upstream: str | None
    generation_id: str | None
    is_test: bool
    is_stream: bool
    finish_reason: str | None
    parameters: dict[str, Any]
    tokens: tuple[tuple[str, int], ...]
    hold_usd: Decimal
    charge_usd: Decimal | None  # None while it is not known
    whose: Whose
    terms: Terms | None
    timeline: tuple[Step, ...]
    bill: Bill | None
    no_charge: str | None
    posting: Posting | None
    refusal: Why | None
    running: Running | None


def story_of(call_id: UUID) -> CallStory:
    """The call's story. Raises NotFound."""
    with transaction() as session:
        # The hold first: it may become a usage row between the two questions, never the other way round.
        hold = session.get(Hold, call_id)
        row = session.get(UsageLog, (call_id, instant_of(call_id)))
        if row is not None:
            return _ended(session, row)
        if hold is not None:
            return _running(session, hold)
    raise NotFound(dropping.gone_words(instant_of(call_id)) or "No call has this id.")


def _ended(session: Session, row: UsageLog) -> CallStory:
    is_refused = row.status == CallStatus.REFUSED
    kept = row.response_metadata
    return CallStory(
        id=row.id,
        received_at=row.created_at,
        status=row.status,
        error_code=row.error_code,
        flag=row.flag,
        flag_words=FLAGS.get(row.flag or ""),
        endpoint=f"/v1{row.endpoint}",
        model=row.model,
        served_model=row.served_model,
        upstream=row.upstream,
        generation_id=row.generation_id,
        is_test=row.is_test,
        is_stream=row.is_stream,
        finish_reason=kept.get("finish_reason"),
        parameters=row.request_metadata,
        tokens=_tokens(row),
        hold_usd=row.hold_usd,
        charge_usd=row.charge_usd,
        whose=_whose(session, row.account_id, row.api_key_id),
        terms=_terms(session, row),
        timeline=timeline_of(row.created_at, kept, row.settled_at),
        bill=bill_of(row, _rates(session, row)),
        no_charge=NO_CHARGE.get(CallStatus(row.status)) if not row.charge_usd else None,
        posting=_posting(session, row),
        refusal=why_refused(row.error_code, kept) if is_refused else None,
        running=None,
    )


def _running(session: Session, hold: Hold) -> CallStory:
    draft = hold.draft or {}
    return CallStory(
        id=hold.id,
        received_at=hold.created_at,
        status=WAITING_FOR_COST if hold.draft else IN_FLIGHT,
        error_code=draft.get("error_code"),
        flag=None,
        flag_words=None,
        endpoint=f"/v1{hold.endpoint}",
        model=hold.model,
        served_model=draft.get("served_model"),
        upstream=hold.upstream,
        generation_id=hold.generation_id,
        is_test=hold.is_test,
        is_stream=bool(hold.request_metadata.get("stream")),
        finish_reason=draft.get("response_metadata", {}).get("finish_reason"),
        parameters=hold.request_metadata,
        tokens=(),
        hold_usd=hold.amount_usd,
        charge_usd=None,
        whose=_whose(session, hold.account_id, hold.api_key_id),
        terms=_terms(session, hold),
        timeline=timeline_of(hold.created_at, draft.get("response_metadata", {}), None),
        bill=None,
        no_charge=None,
        posting=None,
        refusal=None,
        running=_owner(session, hold, draft),
    )


def _owner(session: Session, hold: Hold, draft: dict[str, Any]) -> Running:
    process = session.get(Process, hold.process_id)
    at = now()
    charge = draft.get("charge_nano")
    return Running(
        age=at - hold.created_at,
        process=None if process is None else f"{process.kind} {process.host}:{process.pid}",
        beat_at=None if process is None else process.beat_at,
        is_silent=process is None or at - process.beat_at > timedelta(seconds=SILENT_SECONDS),
        prompt_bound_tokens=hold.prompt_tokens,
        attempts=hold.chase_attempts,
        next_ask_at=hold.chase_at,
        estimate_usd=None if charge is None else to_usd(charge),
    )


def _tokens(row: UsageLog) -> tuple[tuple[str, int], ...]:
    counted = {
        "prompt": row.prompt_tokens,
        "of these from a cache": row.cached_tokens,
        "of these written to a cache": row.cache_write_tokens,
        "completion": row.completion_tokens,
        "of these reasoning": row.reasoning_tokens,
        **{name.replace("_", " "): count for name, count in (row.usage_details or {}).items()},
    }
    return tuple((name, count) for name, count in counted.items() if count or name in ("prompt", "completion"))


def _whose(session: Session, account_id: UUID, key_id: UUID) -> Whose:
    account = session.get(Account, account_id)
    key = session.get(ApiKey, key_id)
    owner = select(User.email).join(Membership, Membership.user_id == User.id).where(Membership.account_id == account_id)
    return Whose(
        account_id=account_id,
        account_name=None if account is None else account.name,
        account_status=None if account is None else account.status,
        halted_reason=None if account is None else account.halted_reason,
        email=session.scalar(owner.order_by(Membership.created_at).limit(1)),
        key_id=key_id,
        key_name=None if key is None else key.name,
        key_prefix=None if key is None else shown_prefix(key.key_prefix),
        key_models=None if key is None or key.model_patterns is None else tuple(key.model_patterns),
        key_revoked_at=None if key is None else key.revoked_at,
    )


def _terms(session: Session, call: UsageLog | Hold) -> Terms | None:
    if call.price_version is None or call.markup_percent is None:
        return None
    rule = None if call.rule_id is None else session.get(PricingRule, call.rule_id)
    version = session.get(PriceVersion, call.price_version)
    return Terms(
        rule_id=call.rule_id,
        pattern=None if rule is None else rule.model_pattern,
        is_active=None if rule is None else rule.is_active,
        markup_percent=call.markup_percent,
        min_cost_usd=call.min_cost_usd or ZERO_USD,
        price_version=call.price_version,
        version_at=None if version is None else version.created_at,
        version_reason=None if version is None else version.reason,
    )


def _rates(session: Session, row: UsageLog) -> Rates | None:
    if row.price_version is None:
        return None
    try:
        return pricing.rates_at(session, row.price_version, row.model)
    except NotForSale:
        return None


def _posting(session: Session, row: UsageLog) -> Posting | None:
    if row.posted_on is None:
        return None
    reference = f"{row.account_id}:{row.posted_on.isoformat()}"
    entry = session.scalar(select(LedgerEntry).where(LedgerEntry.kind == EntryKind.USAGE, LedgerEntry.reference == reference))
    if entry is None:
        return Posting(row.posted_on, None, None, None)
    return Posting(row.posted_on, entry.id, entry.sequence, entry.amount_usd)

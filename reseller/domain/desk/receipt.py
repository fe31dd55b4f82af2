"""One call as its customer may see it: what it was, what became of it, what it was charged line by line, what was reserved for it.

A read model. It holds no cost, no margin, no supplier and no text of the call, so no page can show them.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from reseller.clock import instant_of
from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.desk.refusal_words import Why
from reseller.domain.desk.refusals_told import refusal_told
from reseller.domain.ledger.tables import Hold
from reseller.domain.pricing import ExplainedLine
from reseller.domain.usage import CallStatus, CostSource, UsageLog, dropping, labels_of_keys
from reseller.errors import NotForSale, NotFound
from reseller.money import EXACT, ZERO_USD


@dataclass(frozen=True, slots=True)
class Receipt:
    """`status` is None while the call runs, or while its cost is asked for (`is_over`). Lines add up to the charge exactly."""

    id: UUID
    received_at: datetime
    status: CallStatus | None
    is_over: bool
    error_code: str | None
    key: str
    key_id: UUID
    endpoint: str
    model: str
    served_model: str | None
    is_test: bool
    is_stream: bool
    is_estimate: bool
    finish_reason: str | None
    tokens: tuple[tuple[str, int], ...]
    lines: tuple[ExplainedLine, ...]
    held_usd: Decimal
    charge_usd: Decimal | None  # None while it is not known
    first_byte_ms: float | None
    ended_ms: float | None
    refusal: Why | None

    @property
    def released_usd(self) -> Decimal | None:
        """What became free again when the call ended."""
        return None if self.charge_usd is None else max(EXACT.subtract(self.held_usd, self.charge_usd), ZERO_USD)


def receipt_of(account_id: UUID, call_id: UUID) -> Receipt:
    """The receipt of one of the account's calls. Raises NotFound for one that is nobody's, and for somebody else's (R23)."""
    with transaction() as session:
        # The hold first: it may become a usage row between the two questions, never the other way round.
        hold = session.get(Hold, call_id)
        row = session.get(UsageLog, (call_id, instant_of(call_id)))
        found = row or hold
        if found is None or found.account_id != account_id:
            raise NotFound(dropping.gone_words(instant_of(call_id)) or "No call of yours has this id.")
        key = labels_of_keys(account_id, [found.api_key_id]).get(found.api_key_id, str(found.api_key_id))
        if row is not None:
            return _ended(session, row, key)
        assert hold is not None
        return _running(hold, key)


def _ended(session: Session, row: UsageLog, key: str) -> Receipt:
    kept = row.response_metadata
    is_refused = row.status == CallStatus.REFUSED
    return Receipt(
        id=row.id,
        received_at=row.created_at,
        status=CallStatus(row.status),
        is_over=True,
        error_code=row.error_code,
        key=key,
        key_id=row.api_key_id,
        endpoint=f"/v1{row.endpoint}",
        model=row.model,
        served_model=row.served_model,
        is_test=row.is_test,
        is_stream=row.is_stream,
        is_estimate=row.cost_source == CostSource.ESTIMATE,
        finish_reason=kept.get("finish_reason"),
        tokens=_tokens(row),
        lines=_lines(session, row),
        held_usd=row.hold_usd,
        charge_usd=row.charge_usd,
        first_byte_ms=_number(kept.get("first_byte_ms")),
        ended_ms=_number(kept.get("refused_ms" if is_refused else "ended_ms")),
        refusal=refusal_told(row.error_code, kept) if is_refused else None,
    )


def _running(hold: Hold, key: str) -> Receipt:
    return Receipt(
        id=hold.id,
        received_at=hold.created_at,
        status=None,
        is_over=hold.draft is not None,
        error_code=None,
        key=key,
        key_id=hold.api_key_id,
        endpoint=f"/v1{hold.endpoint}",
        model=hold.model,
        served_model=None,
        is_test=hold.is_test,
        is_stream=bool(hold.request_metadata.get("stream")),
        is_estimate=False,
        finish_reason=None,
        tokens=(),
        lines=(),
        held_usd=hold.amount_usd,
        charge_usd=None,
        first_byte_ms=None,
        ended_ms=None,
        refusal=None,
    )


def _lines(session: Session, row: UsageLog) -> tuple[ExplainedLine, ...]:
    """Tokens × sell price; nothing where there was nothing to pay for, or where the model's prices are not kept any more."""
    if row.cost_source == CostSource.NONE or row.markup_percent is None or row.price_version is None:
        return ()
    try:
        return tuple(pricing.sold_lines(row, pricing.rates_at(session, row.price_version, row.model)))
    except NotForSale:
        return ()


def _tokens(row: UsageLog) -> tuple[tuple[str, int], ...]:
    counted = {
        "Prompt tokens": row.prompt_tokens,
        "of these read from a cache": row.cached_tokens,
        "of these written to a cache": row.cache_write_tokens,
        "Completion tokens": row.completion_tokens,
        "of these reasoning": row.reasoning_tokens,
        **{name.replace("_", " ").capitalize(): count for name, count in (row.usage_details or {}).items()},
    }
    return tuple((name, count) for name, count in counted.items() if count or name in ("Prompt tokens", "Completion tokens"))


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

"""An account's last calls and last errors, a few of each, by its own indexes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from reseller.database import transaction
from reseller.domain.keys import ApiKey
from reseller.domain.usage import UsageLog
from reseller.domain.usage.tables import ERRORS


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in a short list."""

    id: UUID
    at: datetime
    status: str
    error_code: str | None
    model: str
    tokens: int
    charge_usd: Decimal
    is_test: bool
    key_name: str | None


def recent_calls(account_id: UUID, *, limit: int, are_errors: bool = False) -> tuple[CallLine, ...]:
    """The newest calls that have ended, or the newest of those in which the customer did not get what they asked for."""
    query: Any = (
        select(
            UsageLog.id,
            UsageLog.created_at,
            UsageLog.status,
            UsageLog.error_code,
            UsageLog.model,
            UsageLog.total_tokens,
            UsageLog.charge_usd,
            UsageLog.is_test,
            ApiKey.name,
        )
        .outerjoin(ApiKey, ApiKey.id == UsageLog.api_key_id)
        .where(UsageLog.account_id == account_id)
    )
    if are_errors:
        query = query.where(text(ERRORS))
    with transaction() as session:
        return tuple(CallLine(*row) for row in session.execute(query.order_by(UsageLog.created_at.desc()).limit(limit)))

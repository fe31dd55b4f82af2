"""Calls that cost us money or are marked: charges above their hold, estimates, figures that nobody could believe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from reseller.clock import first_id, now
from reseller.database import transaction
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.usage import UsageLog
from reseller.money import to_usd

SUM_DAYS = 30

_LOSS = text(
    """SELECT coalesce(sum(overage_loss_nano), 0), count(*) FROM usage_logs
        WHERE (overage_loss_nano > 0 OR flag IS NOT NULL) AND overage_loss_nano > 0 AND id >= :first AND created_at >= :since"""
)


@dataclass(frozen=True, slots=True)
class OddCall:
    id: UUID
    created_at: datetime
    account_id: UUID
    account_name: str
    model: str
    status: str
    flag: str | None
    cost_usd: Decimal | None
    charge_usd: Decimal
    hold_usd: Decimal
    overage_loss_usd: Decimal


@dataclass(frozen=True, slots=True)
class Loss:
    """What calls above their hold have cost the operator in the last SUM_DAYS days (R6)."""

    loss_usd: Decimal
    calls: int


def lines(rows: Sequence[UsageLog]) -> list[OddCall]:
    """The calls in their order; one query more, however many they are."""
    accounts = names_of_accounts(row.account_id for row in rows)
    return [
        OddCall(
            id=row.id,
            created_at=row.created_at,
            account_id=row.account_id,
            account_name=accounts.get(row.account_id, str(row.account_id)),
            model=row.model,
            status=row.status,
            flag=row.flag,
            cost_usd=row.cost_usd,
            charge_usd=row.charge_usd,
            hold_usd=row.hold_usd,
            overage_loss_usd=row.overage_loss_usd,
        )
        for row in rows
    ]


def recent_loss() -> Loss:
    """By the partial index of these calls, so the calls that went well are never looked at."""
    since = now() - timedelta(days=SUM_DAYS)
    with transaction() as session:
        nano, calls = session.execute(_LOSS, {"first": first_id(since), "since": since}).one()
        return Loss(to_usd(int(nano)), calls)

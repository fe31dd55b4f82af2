"""The table of keys, and the spans that a spend limit counts over.

A key that was rotated has a successor: `replaces_id` of the new one names the old one. Both spend from one purse: the
spend limit and its counters are those of the newest key of the line, which every older one names in `spends_as_id`.
So a limit is one limit however often its key is rotated, and the successor begins with what is spent already.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, Date, ForeignKey, Index, Text, or_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned
from reseller.money import Usd


class SpendPeriod(StrEnum):
    """Over which span a key's spend limit counts; days, weeks (from Monday) and months start in UTC."""

    LIFETIME = "lifetime"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class ApiKey(Identified, Created, Versioned, Base):
    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("spend_period IN ('lifetime', 'day', 'week', 'month')", name="spend_period_known"),
        CheckConstraint("held_nano >= 0", name="held_not_negative"),
        Index("ix_api_keys_spends_as_id", "spends_as_id", postgresql_where="spends_as_id IS NOT NULL"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    key_hash: Mapped[str] = mapped_column(Text, unique=True)  # SHA-256 of the whole key, hexadecimal
    key_prefix: Mapped[str] = mapped_column(Text, index=True)  # "sk_live_abc1"
    name: Mapped[str] = mapped_column(Text)
    is_test: Mapped[bool] = mapped_column(default=False)
    made_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # who made the first of its line; None: a command or a job
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    model_patterns: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # None: every model
    spend_limit_usd: Mapped[Decimal | None] = mapped_column("spend_limit_nano", Usd)
    spend_period: Mapped[str] = mapped_column(Text, default=SpendPeriod.LIFETIME)
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), unique=True)  # one successor each
    spends_as_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"))  # the newest of its line; None: it is that itself
    # The rest is written under the lock of the account's balance: by the admission and settlement commits, and where a purse moves.
    period_start: Mapped[date] = mapped_column(Date, default=date(1970, 1, 1))  # span that `spent` belongs to
    spent_usd: Mapped[Decimal] = mapped_column("spent_nano", Usd, default=Decimal(0))  # in that span
    held_usd: Mapped[Decimal] = mapped_column("held_nano", Usd, default=Decimal(0))  # of open calls under a spend limit
    total_usd: Mapped[Decimal] = mapped_column("total_nano", Usd, default=Decimal(0))  # ever, with this key itself
    calls: Mapped[int] = mapped_column(BigInteger, default=0)  # settled, ever
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str | None] = mapped_column(Text)  # from where, as the gateway saw it


def usable_at(at: datetime) -> ColumnElement[bool]:
    """Of a key's row in a query: neither revoked nor expired at that instant."""
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > at)


def is_usable(key: ApiKey) -> bool:
    """Neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now())


def period_start(period: str, today: date) -> date:
    """The first day of the span that `today` lies in; lifetime began in 1970."""
    if period == SpendPeriod.DAY:
        return today
    if period == SpendPeriod.WEEK:
        return today - timedelta(days=today.weekday())
    if period == SpendPeriod.MONTH:
        return today.replace(day=1)
    return date(1970, 1, 1)

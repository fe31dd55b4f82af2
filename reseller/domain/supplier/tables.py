"""What the upstream said, what we booked, and what waits for somebody to look. Dollars are exact and may be finer than a nano-dollar."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified


class SupplierModel(Base):
    """One model on one UTC day, on both sides. Zeros on the side that does not know it."""

    __tablename__ = "supplier_models"

    upstream: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)  # the upstream's name; ours where it has none
    requests: Mapped[int] = mapped_column(BigInteger, default=0)  # as told, like the next four
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger, default=0)  # inside completion_tokens
    told_usd: Mapped[Decimal] = mapped_column(Numeric, default=Decimal(0))
    byok_usd: Mapped[Decimal] = mapped_column(Numeric, default=Decimal(0))  # inside told_usd: what providers bill by themselves
    names: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # all by which the upstream calls it
    booked_calls: Mapped[int] = mapped_column(BigInteger, default=0)
    booked_prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    booked_completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    booked_usd: Mapped[Decimal] = mapped_column(Numeric, default=Decimal(0))
    drift_usd: Mapped[Decimal] = mapped_column(Numeric, default=Decimal(0))  # told − booked, less what calls across midnight explain


class SupplierDay(Base):
    """One UTC day as it was last compared."""

    __tablename__ = "supplier_days"

    upstream: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    compared_at: Mapped[datetime] = mapped_column(default=now)
    is_of_key: Mapped[bool]  # our key's activity alone; else that of the whole account there
    is_final: Mapped[bool]  # late enough that nothing more is expected
    requests: Mapped[int] = mapped_column(BigInteger)
    told_usd: Mapped[Decimal] = mapped_column(Numeric)
    byok_usd: Mapped[Decimal] = mapped_column(Numeric)
    booked_calls: Mapped[int] = mapped_column(BigInteger)
    booked_usd: Mapped[Decimal] = mapped_column(Numeric)
    drift_usd: Mapped[Decimal] = mapped_column(Numeric)


class SupplierItem(Identified, Created, Base):
    """A day whose sides differ by more than can be explained, until somebody has looked."""

    __tablename__ = "supplier_items"
    __table_args__ = (
        UniqueConstraint("upstream", "day"),
        CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolved_by_somebody"),
        Index("ix_supplier_items_open", "id", postgresql_where="resolved_at IS NULL"),
    )

    upstream: Mapped[str] = mapped_column(Text)
    day: Mapped[date] = mapped_column(Date)
    told_usd: Mapped[Decimal] = mapped_column(Numeric)
    booked_usd: Mapped[Decimal] = mapped_column(Numeric)
    drift_usd: Mapped[Decimal] = mapped_column(Numeric)
    suspects: Mapped[dict[str, Any]] = mapped_column(JSONB)  # as `booked.Suspects`
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(Text)
    resolution: Mapped[str] = mapped_column(Text, default="")


class SupplierCredit(Base):
    """One look at the account there: what was bought and used since it began."""

    __tablename__ = "supplier_credits"

    upstream: Mapped[str] = mapped_column(Text, primary_key=True)
    read_at: Mapped[datetime] = mapped_column(primary_key=True)
    bought_usd: Mapped[Decimal] = mapped_column(Numeric)
    used_usd: Mapped[Decimal] = mapped_column(Numeric)


class SupplierBalance(Base):
    """Whether the credit there is low, so that an alarm is raised once a crossing."""

    __tablename__ = "supplier_balances"

    upstream: Mapped[str] = mapped_column(Text, primary_key=True)
    low_since: Mapped[datetime | None]

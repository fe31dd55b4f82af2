"""Sums of `usage_logs` for charts and reports. Written by `rollup` alone, from the raw rows and never from memory.

Every row is a sum over a quarter-hour or a UTC day. A quarter-hour divides each zone's day (Kolkata's begins at half past,
Kathmandu's at a quarter to), so days of any zone are exact; a UTC day is the sum of its quarter-hours, and an account's month that is
over the sum of its days, for ranges that would need too many of them. Totals outlive the raw rows, which are dropped by months.
Money is nano-dollars; what upstreams bill keeps all its digits.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, BIT
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base

QUARTERS_A_DAY = 96


class Sums:
    """What every table of sums adds up."""

    calls: Mapped[int] = mapped_column(BigInteger, sort_order=20)  # all but refused ones
    refused: Mapped[int] = mapped_column(BigInteger, sort_order=20)
    errors: Mapped[int] = mapped_column(BigInteger, sort_order=20)  # among calls: failed, broken off or voided
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, sort_order=20)
    completion_tokens: Mapped[int] = mapped_column(BigInteger, sort_order=20)
    charge_nano: Mapped[int] = mapped_column(BigInteger, sort_order=20)
    cost_usd: Mapped[Decimal] = mapped_column(Numeric, sort_order=20)
    overage_loss_nano: Mapped[int] = mapped_column(BigInteger, sort_order=20)


class Latencies:
    """How long completed calls took: counts in the buckets of `histogram`. None where no call completed."""

    total_ms: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), sort_order=30)
    first_byte_ms: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), sort_order=30)  # from sending to the upstream's first byte
    added_ms: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), sort_order=30)  # what we take before the upstream is asked


class UsageHour(Sums, Base):
    """One account's calls with one key to one model in one quarter-hour. Customers see their own."""

    __tablename__ = "usage_hours"
    # What a customer's page adds up is in the index: rows of one account lie all over the table.
    __table_args__ = (
        Index(
            "ix_usage_hours_account_id_starts_at",
            "account_id",
            "starts_at",
            postgresql_include=[
                "api_key_id", "model", "is_test", "calls", "refused", "errors", "prompt_tokens", "completion_tokens", "charge_nano",
            ],
        ),
    )  # fmt: skip

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    is_test: Mapped[bool] = mapped_column(primary_key=True)


class UsageLatency(Base):
    """How many of these calls completed within one bucket of `histogram`: few buckets to a quarter-hour, so rows and no arrays."""

    __tablename__ = "usage_latencies"
    __table_args__ = (
        Index(
            "ix_usage_latencies_account_id_starts_at",
            "account_id",
            "starts_at",
            postgresql_include=["api_key_id", "model", "is_test", "bucket", "calls"],
        ),
    )

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    is_test: Mapped[bool] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)


class AccountDay(Sums, Base):
    """One account's live calls in one UTC day, and in which of its quarter-hours there were any: the first bit is midnight's."""

    __tablename__ = "account_days"
    __table_args__ = (Index("ix_account_days_account_id_day", "account_id", "day"),)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    quarters: Mapped[str] = mapped_column(BIT(QUARTERS_A_DAY), sort_order=10)


class AccountMonth(Sums, Base):
    """One account's live calls in one month of UTC days that is over. Which months are here, RollupMark says."""

    __tablename__ = "account_months"
    __table_args__ = (Index("ix_account_months_account_id_month", "account_id", "month"),)

    month: Mapped[date] = mapped_column(Date, primary_key=True)  # its first day
    account_id: Mapped[UUID] = mapped_column(primary_key=True)


class ActiveWindow(Base):
    """How many accounts made a live call in the 24 hours from each quarter-hour of a UTC day: a day of any zone is one of them.

    Not a sum: accounts are not to be counted twice. Days on which clocks change are counted from `account_days`.
    """

    __tablename__ = "active_windows"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    accounts: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class Traffic(Sums, Latencies):
    """Calls of all accounts by what they were and what became of them. "" where a call had no upstream or no error."""

    is_test: Mapped[bool] = mapped_column(primary_key=True, sort_order=5)
    model: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=5)
    upstream: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=5)
    endpoint: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=5)
    status: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=5)
    error_code: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=5)


class TrafficHour(Traffic, Base):
    """One quarter-hour of it."""

    __tablename__ = "traffic_hours"

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)


class TrafficDay(Traffic, Base):
    """One UTC day of it."""

    __tablename__ = "traffic_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)


class TrafficTotal(Sums, Latencies, Base):
    """All live calls, or all test calls, of one quarter-hour: for curves over time."""

    __tablename__ = "traffic_totals"

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    is_test: Mapped[bool] = mapped_column(primary_key=True)


class RollupMark(Base):
    """How far sums go. "usage": everything settled before `settled_until` is in them; "months": so are all months that end before."""

    __tablename__ = "rollup_marks"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    settled_until: Mapped[datetime]
    rolled_at: Mapped[datetime]

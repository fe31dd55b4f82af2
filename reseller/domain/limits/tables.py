"""Rate limits, named sets of them, and the counters of an account.

Limits are written by `changes`, presets by `presets`, counters by the admission commit of `calls` alone.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified, Versioned

DEFAULT_LIMITS = {"minute": 300, "hour": 10_000, "day": 100_000}
DEFAULT_CONCURRENT = 100


class RateLimit(Versioned, Base):
    __tablename__ = "rate_limits"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0 AND requests_per_hour > 0 AND requests_per_day > 0", name="windows_positive"),
        CheckConstraint("max_tokens_per_request > 0 AND concurrent_requests > 0", name="sizes_positive"),
        Index("ix_rate_limits_reverts_at", "reverts_at", postgresql_where="reverts_at IS NOT NULL"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    requests_per_minute: Mapped[int | None] = mapped_column(default=DEFAULT_LIMITS["minute"])  # None: no limit
    requests_per_hour: Mapped[int | None] = mapped_column(default=DEFAULT_LIMITS["hour"])
    requests_per_day: Mapped[int | None] = mapped_column(default=DEFAULT_LIMITS["day"])
    max_tokens_per_request: Mapped[int | None]  # output tokens one call may ask for
    concurrent_requests: Mapped[int | None] = mapped_column(default=DEFAULT_CONCURRENT)
    # A change for a while: when it ends, and the columns as they were before it.
    reverts_at: Mapped[datetime | None]
    reverts_to: Mapped[dict[str, int | None] | None] = mapped_column(JSONB)


class LimitPreset(Identified, Created, Versioned, Base):
    """A named set of limits that staff give to accounts. Giving copies the figures; editing a preset changes no account."""

    __tablename__ = "limit_presets"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0 AND requests_per_hour > 0 AND requests_per_day > 0", name="windows_positive"),
        CheckConstraint("max_tokens_per_request > 0 AND concurrent_requests > 0", name="sizes_positive"),
    )

    name: Mapped[str] = mapped_column(Text, unique=True)
    requests_per_minute: Mapped[int | None]  # None: no limit
    requests_per_hour: Mapped[int | None]
    requests_per_day: Mapped[int | None]
    max_tokens_per_request: Mapped[int | None]
    concurrent_requests: Mapped[int | None]


class RequestCounter(Base):
    """Written by the admission commit only. Each column is a packed `SlidingWindow`."""

    __tablename__ = "request_counters"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    minute: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    hour: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    day: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


LIMIT_COLUMNS = {
    "rpm": "requests_per_minute",
    "rph": "requests_per_hour",
    "rpd": "requests_per_day",
    "max_tokens": "max_tokens_per_request",
    "concurrent": "concurrent_requests",
}

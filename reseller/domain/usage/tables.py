"""One row for each call, refused ones too. Partitioned by month; facts only, the book is the ledger.

`created_at` is the instant inside the call's own id, so the primary key (id, created_at) makes
a second row for the same call impossible although the table is partitioned (promise R4).
Written by the admission and settlement commits; dropped by whole months, never the money.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Numeric, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base
from reseller.money import Usd


class CallStatus(StrEnum):
    COMPLETED = "completed"  # a whole answer
    PARTIAL = "partial"  # the upstream broke off inside an answer
    ABANDONED = "abandoned"  # the client hung up
    FAILED = "failed"  # the upstream gave no answer: no charge
    REFUSED = "refused"  # we said no before anything was sent: no charge
    VOIDED = "voided"  # our process died and nobody could tell the cost: no charge


ERRORS = "status IN ('refused', 'failed', 'partial', 'voided')"
"""The condition of rows in which a customer did not get what they asked for; word for word, so that its index is found."""


class CostSource(StrEnum):
    """Where the upstream's cost comes from, best first."""

    INLINE = "inline"  # usage.cost of the answer
    GENERATION = "generation"  # the upstream's own record, asked for later
    PRICE_SNAPSHOT = "price_snapshot"  # counted tokens × the rates of admission
    ESTIMATE = "estimate"  # prompt and delivered output, counted by us
    NONE = "none"  # nothing to pay for


TO_LOOK_AT = "overage_loss_nano > 0 OR flag IS NOT NULL"
"""The condition of calls that cost us money or are marked; word for word, so that its index is found."""


class DroppedMonth(Base):
    """A month whose rows are not kept any more, or whose drop has begun: then the next run finishes it."""

    __tablename__ = "dropped_months"

    month: Mapped[date] = mapped_column(Date, primary_key=True)  # its first day
    kept_months: Mapped[int]  # the policy by which it went
    begun_at: Mapped[datetime] = mapped_column(default=now)
    dropped_at: Mapped[datetime | None]


class CarriedCharge(Base):
    """Charges of dropped rows that were booked after their month: calls across midnight of its last day. The audit counts them on."""

    __tablename__ = "carried_charges"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)  # on which they are posted
    month: Mapped[date] = mapped_column(Date, primary_key=True)  # of the rows
    charge_nano: Mapped[int] = mapped_column(BigInteger)


class UsageLog(Base):
    __tablename__ = "usage_logs"
    __table_args__ = (
        CheckConstraint("charge_nano >= 0 AND overage_loss_nano >= 0", name="charges_not_negative"),
        Index("ix_usage_logs_account_id_created_at", "account_id", "created_at"),
        Index("ix_usage_logs_created_at", "created_at", postgresql_using="brin"),
        # Rows that staff look for among very many that went well; a call that went well costs these indexes nothing.
        Index("ix_usage_logs_errors", "account_id", "created_at", postgresql_where=ERRORS),
        Index("ix_usage_logs_overage", "account_id", "created_at", postgresql_where="overage_loss_nano > 0"),
        Index("ix_usage_logs_to_look_at", "id", postgresql_where=TO_LOOK_AT),
        # What staff look for among very many calls that went well; one that did enters none of these.
        Index("ix_usage_logs_status_id", "status", "id", postgresql_where="status <> 'completed'"),
        Index("ix_usage_logs_error_code_id", "error_code", "id", postgresql_where="error_code IS NOT NULL"),
        # Rows lie in the order of their settlement, so what was added lately is found in a few pages. No leaf to insert into.
        Index(
            "ix_usage_logs_settled_at",
            "settled_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
        ),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    api_key_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)  # why refused or failed
    endpoint: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)  # what was asked for
    served_model: Mapped[str | None] = mapped_column(Text)  # what answered
    upstream: Mapped[str | None] = mapped_column(Text)
    generation_id: Mapped[str | None] = mapped_column(Text)  # the upstream's; never shown to customers
    is_test: Mapped[bool] = mapped_column(default=False)
    is_stream: Mapped[bool] = mapped_column(default=False)
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    total_tokens: Mapped[int] = mapped_column(default=0)
    cached_tokens: Mapped[int] = mapped_column(default=0)  # inside prompt_tokens
    cache_write_tokens: Mapped[int] = mapped_column(default=0)  # inside prompt_tokens
    reasoning_tokens: Mapped[int] = mapped_column(default=0)  # inside completion_tokens
    usage_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # rarer kinds: audio, images, searches
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric)  # what the upstream bills us: exact, may be finer than nano
    cost_source: Mapped[str] = mapped_column(Text, default=CostSource.NONE)
    charge_usd: Mapped[Decimal] = mapped_column("charge_nano", Usd, default=Decimal(0))  # what we bill
    hold_usd: Mapped[Decimal] = mapped_column("hold_nano", Usd, default=Decimal(0))
    overage_loss_usd: Mapped[Decimal] = mapped_column("overage_loss_nano", Usd, default=Decimal(0))  # borne by the operator (R6)
    price_version: Mapped[int | None] = mapped_column(BigInteger)
    rule_id: Mapped[UUID | None]
    markup_percent: Mapped[Decimal | None] = mapped_column(Numeric)
    min_cost_usd: Mapped[Decimal | None] = mapped_column("min_cost_nano", Usd)
    flag: Mapped[str | None] = mapped_column(Text)  # what staff should look at: usage_invalid, overage …
    request_metadata: Mapped[dict[str, Any]] = mapped_column(JSONB)  # parameters without text
    response_metadata: Mapped[dict[str, Any]] = mapped_column(JSONB)  # finish reason, timings
    # The database's clock inside the commit that wrote the row, of refusals too: the rollup finds new rows by it.
    settled_at: Mapped[datetime] = mapped_column(default=now, server_default=func.now())
    posted_on: Mapped[date | None] = mapped_column(Date)  # the day whose ledger entry holds the charge

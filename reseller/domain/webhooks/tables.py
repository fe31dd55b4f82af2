"""Where programs of customers are told of events, what they are told, and each try of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned


class OffBecause(StrEnum):
    """Why an endpoint is off."""

    BY_OWNER = "by_owner"
    BY_STAFF = "by_staff"
    GONE = "gone"  # it answered 410: never again
    FAILING = "failing"  # nothing got through for too long
    REMOVED = "removed"  # its owner removed it; the row stays for what was sent there


class DeliveryState(StrEnum):
    WAITING = "waiting"  # to be sent, or sent again
    DELIVERED = "delivered"  # the receiver answered 2xx
    GIVEN_UP = "given_up"  # tried for too long, or the endpoint is off


class WebhookEndpoint(Identified, Created, Versioned, Base):
    """Also the queue of its deliveries: `due_at` says when the next one is to be sent, the lease that a worker is at it."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("off_because IN ('by_owner', 'by_staff', 'gone', 'failing', 'removed')", name="off_because_known"),
        CheckConstraint("(off_because IS NULL) = (off_at IS NULL)", name="off_has_reason"),
        Index("ix_webhook_endpoints_due", "due_at", postgresql_where="due_at IS NOT NULL AND off_at IS NULL"),
        Index("ix_webhook_endpoints_leased", "leased_until", postgresql_where="leased_until IS NOT NULL"),
        Index("ix_webhook_endpoints_account_id_id", "account_id", "id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    url: Mapped[str] = mapped_column(Text)  # may hold a token of the owner's
    description: Mapped[str] = mapped_column(Text, default="")
    events: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # None: every one, new ones too
    sealed_secret: Mapped[str] = mapped_column(Text)
    sealed_old_secret: Mapped[str | None] = mapped_column(Text)  # of before the last rotation
    old_secret_until: Mapped[datetime | None]  # until then both sign
    off_at: Mapped[datetime | None]
    off_because: Mapped[str | None] = mapped_column(Text)
    failing_since: Mapped[datetime | None]  # the first failure since something got through
    is_slow: Mapped[bool] = mapped_column(default=False)  # of its last answer
    due_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    lease_id: Mapped[UUID | None]


class WebhookDelivery(Identified, Created, Base):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id"),
        CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="state_known"),
        Index("ix_webhook_deliveries_waiting", "endpoint_id", "position", postgresql_where="state = 'waiting'"),
        Index("ix_webhook_deliveries_given_up", "position", postgresql_where="state = 'given_up'"),
        Index("ix_webhook_deliveries_endpoint_id_position", "endpoint_id", "position"),
        Index("ix_webhook_deliveries_account_id_position", "account_id", "position"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)  # the order in which they are sent
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"))  # what is old goes together
    event_name: Mapped[str] = mapped_column(Text)
    is_test: Mapped[bool] = mapped_column(default=False)  # a sample that somebody asked for
    state: Mapped[str] = mapped_column(Text, default=DeliveryState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    is_aside: Mapped[bool] = mapped_column(default=False)  # has failed for so long that later ones do not wait for it any more
    next_try_at: Mapped[datetime] = mapped_column(default=now)
    kept_until: Mapped[datetime]  # then it is given up
    ended_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(Text)  # None after an answer


class WebhookAttempt(Identified, Created, Base):
    """One try: what was sent, what came back, how long it took."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index("ix_webhook_attempts_delivery_id_id", "delivery_id", "id"),
        Index("ix_webhook_attempts_endpoint_id_id", "endpoint_id", "id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    number: Mapped[int]
    url: Mapped[str] = mapped_column(Text)  # as it was then
    request_headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[int | None]
    answer_headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    answer: Mapped[str] = mapped_column(Text)  # its beginning
    error: Mapped[str | None] = mapped_column(Text)  # why there was no answer
    took_ms: Mapped[int]

"""Upstreams, models, their prices, our rules, and the version that counts every change of them.

Written by the verbs of this package alone (`changes`, `catalogue`), each in one transaction
with a new row of `price_versions`. Read into memory by `book`.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Identity, Index, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned
from reseller.money import Usd, UsdRate


class UpstreamKind(StrEnum):
    OPENROUTER = "openrouter"
    OPENAI = "openai"  # anything that speaks the OpenAI API
    SANDBOX = "sandbox"  # in-process


class ModelKind(StrEnum):
    CHAT = "chat"
    EMBEDDING = "embedding"


class ModelStatus(StrEnum):
    ACTIVE = "active"
    QUARANTINED = "quarantined"  # a suspicious new price waits; the old one holds for 24 h (R7)
    WITHDRAWN = "withdrawn"  # not for sale


class PriceState(StrEnum):
    IN_FORCE = "in_force"
    QUARANTINED = "quarantined"  # waits for staff
    REJECTED = "rejected"  # refused by staff
    SUPERSEDED = "superseded"  # the upstream listed something else before anybody decided


class Upstream(Created, Versioned, Base):
    __tablename__ = "upstreams"
    __table_args__ = (CheckConstraint("kind IN ('openrouter', 'openai', 'sandbox')", name="kind_known"),)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    base_url: Mapped[str] = mapped_column(Text, default="")
    key_variable: Mapped[str] = mapped_column(Text, default="")  # the environment variable that holds the key, never the key
    is_active: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=0)


class Model(Base):
    __tablename__ = "models"
    __table_args__ = (
        CheckConstraint("kind IN ('chat', 'embedding')", name="kind_known"),
        CheckConstraint("status IN ('active', 'quarantined', 'withdrawn')", name="status_known"),
    )

    slug: Mapped[str] = mapped_column(Text, primary_key=True)  # what customers ask for
    upstream: Mapped[str] = mapped_column(ForeignKey("upstreams.name"), index=True)
    upstream_model: Mapped[str] = mapped_column(Text)  # what we send
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    context_length: Mapped[int | None] = mapped_column(BigInteger)  # tokens
    max_completion_tokens: Mapped[int | None] = mapped_column(BigInteger)  # tokens
    input_modalities: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    output_modalities: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    supported_parameters: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    kind: Mapped[str] = mapped_column(Text, default=ModelKind.CHAT)
    status: Mapped[str] = mapped_column(Text, default=ModelStatus.ACTIVE)
    status_reason: Mapped[str | None] = mapped_column(Text)
    expires_on: Mapped[date | None] = mapped_column(Date)  # announced by the upstream
    first_seen_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    quarantined_at: Mapped[datetime | None]  # a decision about its price is open since then


class PriceVersion(Created, Base):
    """One row for every committed change of rules, models or prices. The current version is the greatest."""

    __tablename__ = "price_versions"

    version: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)


class ModelPrice(Identified, Base):
    """Append-only: in force at version V is the row with the greatest from_version <= V and state in_force.

    All rates are USD per unit before `discount`, exact; NULL where the upstream names none.
    """

    __tablename__ = "model_prices"
    __table_args__ = (
        UniqueConstraint("model_slug", "from_version"),
        CheckConstraint("state IN ('in_force', 'quarantined', 'rejected', 'superseded')", name="state_known"),
        CheckConstraint("prompt >= 0 AND completion >= 0 AND request >= 0", name="rates_not_negative"),
    )

    model_slug: Mapped[str] = mapped_column(ForeignKey("models.slug"))
    from_version: Mapped[int] = mapped_column(ForeignKey("price_versions.version"))
    state: Mapped[str] = mapped_column(Text, default=PriceState.IN_FORCE)
    prompt: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    completion: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    request: Mapped[Decimal | None] = mapped_column(UsdRate)  # per call
    image: Mapped[Decimal | None] = mapped_column(UsdRate)  # per image of the prompt
    image_token: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    image_output: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    input_cache_read: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    input_cache_write: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    input_cache_write_1h: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    internal_reasoning: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    audio: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    audio_output: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    input_audio_cache: Mapped[Decimal | None] = mapped_column(UsdRate)  # per token
    web_search: Mapped[Decimal | None] = mapped_column(UsdRate)  # per search
    discount: Mapped[Decimal | None] = mapped_column(Numeric)  # fraction taken off every price
    overrides: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)  # decimals as strings
    observed_at: Mapped[datetime] = mapped_column(default=now)


class PricingRule(Identified, Created, Base):
    """Pattern, markup, minimum, priority and scope never change: editing is retiring and adding.

    So the rule that a usage row names explains that row for ever.
    """

    __tablename__ = "pricing_rules"
    __table_args__ = (
        CheckConstraint("markup_percent >= 0", name="markup_not_negative"),
        CheckConstraint("min_cost_nano >= 0", name="min_cost_not_negative"),
        CheckConstraint("model_pattern <> ''", name="pattern_not_empty"),
        Index("ix_pricing_rules_is_active", "is_active"),
    )

    model_pattern: Mapped[str] = mapped_column(Text)  # * and ? are wildcards
    markup_percent: Mapped[Decimal] = mapped_column(Numeric)
    min_cost_usd: Mapped[Decimal] = mapped_column("min_cost_nano", Usd, default=Decimal(0))
    priority: Mapped[int] = mapped_column(default=0)
    is_active: Mapped[bool] = mapped_column(default=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)  # NULL: for everybody
    effective_from: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(Text)
    superseded_at: Mapped[datetime | None]
    superseded_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("pricing_rules.id"))

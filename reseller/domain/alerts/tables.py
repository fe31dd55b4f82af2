"""What customers want to be told about their money, and what they were told. Written by this folder's verbs alone."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned
from reseller.money import Usd


class AlertKind(StrEnum):
    """What is watched. A budget tells and stops nothing: that is what a key's spend limit does."""

    BALANCE_AMOUNT = "balance_amount"  # the balance falls below an amount
    BALANCE_PERCENT = "balance_percent"  # … below a share of the last top-up
    BALANCE_DAYS = "balance_days"  # … below what so many days take at the pace of use
    BUDGET_DAY = "budget_day"  # charges of calls of one UTC day exceed an amount
    BUDGET_MONTH = "budget_month"  # … of one UTC month

    @property
    def is_budget(self) -> bool:
        return self in (AlertKind.BUDGET_DAY, AlertKind.BUDGET_MONTH)

    @property
    def is_amount(self) -> bool:
        """Whether the line is dollars; else it is percent or days."""
        return self not in (AlertKind.BALANCE_PERCENT, AlertKind.BALANCE_DAYS)


KINDS = "kind IN ('balance_amount', 'balance_percent', 'balance_days', 'budget_day', 'budget_month')"


class AlertRule(Identified, Created, Versioned, Base):
    __tablename__ = "alert_rules"
    __table_args__ = (
        CheckConstraint(KINDS, name="kind_known"),
        CheckConstraint("(kind IN ('balance_percent', 'balance_days')) = (amount_nano IS NULL)", name="amount_where_dollars"),
        CheckConstraint("(amount_nano IS NULL) = (number IS NOT NULL)", name="one_line"),
        CheckConstraint("api_key_id IS NULL OR member_id IS NULL", name="one_subject"),
        CheckConstraint("kind LIKE 'budget%' OR (api_key_id IS NULL AND member_id IS NULL)", name="only_budgets_have_subjects"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    amount_usd: Mapped[Decimal | None] = mapped_column("amount_nano", Usd)  # the line, where it is dollars
    number: Mapped[int | None]  # the line, where it is percent or days
    api_key_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("api_keys.id")
    )  # charges of this key and those it replaced or that replaced it
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # charges of the keys that this member made
    by_mail: Mapped[bool] = mapped_column(default=True)
    is_armed: Mapped[bool] = mapped_column(default=False)  # of a balance: it has been above the line since the last alert
    armings: Mapped[int] = mapped_column(default=0)  # how often it was armed or changed: the name of a crossing
    watched_since: Mapped[datetime] = mapped_column(default=now, server_default=func.now())  # when its line became what it is
    looked_at: Mapped[datetime | None]  # budgets and days left: when their sums were last looked at
    fired_at: Mapped[datetime | None]


class Alert(Identified, Created, Base):
    """One crossing, as it was told: a rule tells of each once, whoever looks and however often."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("rule_id", "crossing"), Index("ix_alerts_account_id_id", "account_id", "id"))

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    rule_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_rules.id", ondelete="SET NULL"))  # None: the rule was removed since
    crossing: Mapped[str] = mapped_column(Text)  # which one: of a balance the arming, of a budget the day or month besides
    kind: Mapped[str] = mapped_column(Text)
    line: Mapped[str] = mapped_column(Text)  # "$5.00", "20 % of the last top-up ($4.00)", "3 days of use"
    about: Mapped[str] = mapped_column(Text, default="")  # the key's name or the member's address at that time; "" for the account
    value_usd: Mapped[Decimal] = mapped_column("value_nano", Usd)  # the balance, or what was charged, when it was seen
    starts_on: Mapped[date | None] = mapped_column(Date)  # of a budget: when its day or month began
    dismissed_at: Mapped[datetime | None]  # no longer on the overview
    dismissed_by: Mapped[str | None] = mapped_column(Text)

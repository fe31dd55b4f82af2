"""What the customer page shows, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from reseller.domain.company import Company
from reseller.domain.desk.timeline import Page
from reseller.domain.payments.reading import PaymentLine
from reseller.domain.webhooks import ListedEndpoint


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the account."""

    user_id: UUID
    email: str
    full_name: str
    member_role: str  # inside the account
    staff_role: str  # in the back office; "customer" for nearly everybody
    is_verified: bool
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class Money:
    """The account's money at one instant."""

    settled_usd: Decimal
    held_usd: Decimal
    available_usd: Decimal
    spent_today_usd: Decimal  # charges of this UTC day
    open_calls: int
    overage_usd: Decimal  # ever; borne by the operator (R6)
    overage_calls: int

    @property
    def is_frozen(self) -> bool:
        """Below zero after a refund or dispute: paid calls are refused (R19)."""
        return self.available_usd < 0


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit and how much of it is used at this instant; `used` is None where nothing is counted."""

    name: str  # as on the command line
    label: str
    limit: int | None  # None: no limit
    used: int | None

    @property
    def share_percent(self) -> int:
        """How full, for a bar: 0 to 100."""
        return min(100 * self.used // self.limit, 100) if self.used is not None and self.limit else 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The account's limits; `goes_back_to` holds (label, figure) of what will be put back when a change for a while ends."""

    uses: tuple[LimitUse, ...]
    version: int
    reverts_at: datetime | None
    goes_back_to: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class KeyRow:
    id: UUID
    prefix: str  # as people see it
    name: str
    is_test: bool
    status: str  # active, expiring, expired, revoked
    replaces: str | None  # as people see it
    spend_limit_usd: Decimal | None
    spend_period: str
    spent_usd: Decimal  # in the current span of the limit
    total_usd: Decimal  # ever
    calls: int
    model_patterns: tuple[str, ...] | None
    last_used_at: datetime | None
    last_used_address: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CallRow:
    id: UUID
    at: datetime
    status: str
    error_code: str | None
    model: str
    tokens: int
    charge_usd: Decimal
    is_test: bool
    key_id: UUID
    key_prefix: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    id: UUID
    at: datetime
    kind: str
    amount_usd: Decimal
    balance_after_usd: Decimal
    reason: str
    reference: str
    actor: str


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """An adjustment with the names of those who asked and decided."""

    id: UUID
    account_id: UUID
    account_name: str
    at: datetime
    amount_usd: Decimal
    reason: str
    state: str
    requested_by_id: UUID
    requested_by: str
    decided_by: str | None
    decided_at: datetime | None
    decision_note: str


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: UUID
    at: datetime
    actor: str
    body: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One account with everything around it. `names`: actor → words for people."""

    account_id: UUID
    name: str
    status: str
    status_reason: str
    halted_at: datetime | None
    halted_reason: str
    since: datetime
    company: Company
    members: tuple[Member, ...]
    money: Money
    limits: Limits
    keys: tuple[KeyRow, ...]
    has_more_keys: bool
    calls: tuple[CallRow, ...]
    errors: tuple[CallRow, ...]
    entries: tuple[EntryRow, ...]
    payments: tuple[PaymentLine, ...]
    topped_up_usd: Decimal  # ever
    webhooks: tuple[ListedEndpoint, ...]
    waiting: tuple[AdjustmentRow, ...]
    notes: tuple[NoteRow, ...]
    timeline: Page
    names: dict[str, str]

    @property
    def email(self) -> str:
        """Whom to write to: the first person, owners before others."""
        return self.members[0].email if self.members else ""

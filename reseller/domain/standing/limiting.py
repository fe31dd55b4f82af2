"""What limits an account right now: its state, its money, its windows, calls at once, and keys whose spend limit is nearly used."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import keys
from reseller.domain.accounts import AccountStatus
from reseller.domain.keys import ApiKey
from reseller.domain.ledger import BalanceNow
from reseller.domain.limits import WINDOW_SECONDS, RateLimit, RequestCounter, SlidingWindow
from reseller.domain.standing.rows import rows_of
from reseller.errors import NotFound
from reseller.money import to_nano

NEAR_PERCENT = 80
CONCURRENT = "concurrent"


@dataclass(frozen=True, slots=True)
class Use:
    """One limit and how much of it is used. `name` is minute, hour, day, or concurrent."""

    name: str
    limit: int
    used: int
    free_in_seconds: float = 0.0  # until one more call is let in; 0: now, or when a call ends

    @property
    def share_percent(self) -> int:
        """How full: 0 to 100."""
        return min(100 * self.used // self.limit, 100)

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit


@dataclass(frozen=True, slots=True)
class KeySpend:
    """A key that works, and how much of its spend limit is used or held in the span that the limit counts."""

    id: UUID
    name: str
    prefix: str
    limit_usd: Decimal
    used_usd: Decimal
    period: str

    @property
    def share_percent(self) -> int:
        return min(100 * to_nano(self.used_usd) // max(to_nano(self.limit_usd), 1), 100)

    @property
    def is_full(self) -> bool:
        return self.used_usd >= self.limit_usd


@dataclass(frozen=True, slots=True)
class Standing:
    """An account at one instant. Limits that were lifted are not among the uses."""

    name: str
    is_suspended: bool
    is_halted: bool
    balance: BalanceNow
    uses: tuple[Use, ...]
    max_tokens: int | None
    reverts_at: datetime | None  # when limits that are set for a while go back
    near_keys: tuple[KeySpend, ...]  # at NEAR_PERCENT of their limit or more, the fullest first

    @property
    def is_frozen(self) -> bool:
        """Below zero after a refund or dispute (R19)."""
        return self.balance.available_nano < 0

    @property
    def is_empty(self) -> bool:
        return self.balance.available_nano == 0


def standing_of(account_id: UUID) -> Standing:
    """The account as it is now; the instant is the database's, as windows want it (R39). Raises NotFound."""
    with transaction() as session:
        row = rows_of(session, account_id)
        if row is None:
            raise NotFound("There is no such account.")
        account, balance, limits, counter, at = row
        return Standing(
            name=account.name,
            is_suspended=account.status == AccountStatus.SUSPENDED,
            is_halted=account.halted_at is not None,
            balance=BalanceNow(to_nano(balance.settled_usd), to_nano(balance.held_usd), balance.open_calls),
            uses=_uses(limits, counter, balance.open_calls, at.timestamp()),
            max_tokens=limits.max_tokens_per_request,
            reverts_at=limits.reverts_at,
            near_keys=_near_keys(session, account_id, at),
        )


def _uses(limits: RateLimit, counter: RequestCounter, open_calls: int, now: float) -> tuple[Use, ...]:
    uses = []
    for name, width in WINDOW_SECONDS.items():
        limit = getattr(limits, f"requests_per_{name}")
        if limit is not None:
            window = SlidingWindow(width, getattr(counter, name))
            window.advance(now)
            uses.append(Use(name, limit, window.used, window.seconds_until_free(limit, now)))
    if limits.concurrent_requests is not None:
        uses.append(Use(CONCURRENT, limits.concurrent_requests, open_calls))
    return tuple(uses)


def _near_keys(session: Session, account_id: UUID, at: datetime) -> tuple[KeySpend, ...]:
    query = select(ApiKey).where(ApiKey.account_id == account_id, keys.usable_at(at), ApiKey.spend_limit_usd.is_not(None))
    found = [_spend(key, at) for key in session.scalars(query)]
    return tuple(sorted((key for key in found if key.share_percent >= NEAR_PERCENT), key=lambda key: -key.share_percent))


def _spend(key: ApiKey, at: datetime) -> KeySpend:
    limit = key.spend_limit_usd
    assert limit is not None
    used = keys.spent_now(key, at) + key.held_usd
    return KeySpend(key.id, key.name, keys.shown_prefix(key.key_prefix), limit, used, key.spend_period)

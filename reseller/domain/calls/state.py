"""What one commit knows of an account, a key and a hold, read under the account's lock.

Plain values that the pure decisions of `admission` and `settlement` change as they go through
the operations of a batch in order; the write statement then applies the sums.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from reseller.domain import keys
from reseller.domain.limits import WINDOW_SECONDS, SlidingWindow


@dataclass(slots=True)
class AccountState:
    """One account. Money in nano-dollars; `now` is the database's clock, read under the lock."""

    account_id: UUID
    now: datetime
    settled: int
    held: int
    open_calls: int
    usage_day: date
    unposted: int
    entry_count: int
    entries_nano: int
    last_hash: str
    is_active: bool = True
    is_halted: bool = False
    price_version: int = 0
    limits: dict[str, int | None] = field(default_factory=dict)  # minute, hour, day, max_tokens, concurrent
    windows: dict[str, SlidingWindow] = field(default_factory=dict)
    # What this batch adds up to.
    charged: int = 0
    released: int = 0
    reserved: int = 0
    opened: int = 0
    closed: int = 0
    counted: bool = False
    posted: list[dict[str, Any]] = field(default_factory=list)  # usage entries of days that are over

    @property
    def available(self) -> int:
        return self.settled - self.held

    def load_windows(self, packed: dict[str, bytes]) -> None:
        seconds = self.now.timestamp()
        for name, width in WINDOW_SECONDS.items():
            window = SlidingWindow(width, packed[name])
            window.advance(seconds)
            self.windows[name] = window


@dataclass(slots=True)
class Purse:
    """A spend limit and what counts against it, with what this batch adds. Keys of one line share it.

    `id` is the newest of them, whose row has the counters.
    """

    id: UUID
    spend_limit: int | None
    spend_period: str
    period_start: date
    spent: int
    held: int

    def spent_in(self, today: date) -> int:
        """What was spent in the period that `today` lies in."""
        return self.spent if self.period_start == keys.period_start(self.spend_period, today) else 0

    def settle(self, released: int, charged: int, today: date) -> None:
        """A call that was paid from it has ended."""
        self.held -= released
        self.spent = self.spent_in(today) + charged
        self.period_start = keys.period_start(self.spend_period, today)

    def room(self, today: date) -> int | None:
        """What may still be spent in the period; None without a limit."""
        return None if self.spend_limit is None else self.spend_limit - self.spent_in(today) - self.held


@dataclass(slots=True)
class KeyState:
    """One key, and the purse it spends from."""

    key_id: UUID
    revoked: bool
    expires_at: datetime | None
    model_patterns: list[str] | None
    purse: Purse


@dataclass(slots=True)
class KeyMoves:
    """What a batch adds to one key's row: as a purse `held` and `spent`, as a key the rest and from where it was used last."""

    held: int = 0
    spent: int = 0
    total: int = 0
    calls: int = 0
    address: str | None = None


@dataclass(frozen=True, slots=True)
class HoldState:
    """One open hold."""

    call_id: UUID
    account_id: UUID
    key_id: UUID
    amount: int
    key_amount: int
    purse_id: UUID

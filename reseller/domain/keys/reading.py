"""Keys as pages and commands show them: state, what is spent of the limit, and who replaced whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from reseller.clock import now
from reseller.database import db, transaction
from reseller.domain.keys.directory import Caller
from reseller.domain.keys.shape import shown_prefix
from reseller.domain.keys.tables import ApiKey, SpendPeriod, period_start, usable_at
from reseller.domain.keys.terms import KeyTerms, SpendLimit
from reseller.errors import InvalidKey, NotFound
from reseller.money import ZERO_USD, percent_of

EXPIRING_WITHIN = timedelta(days=7)


class KeyState(StrEnum):
    ACTIVE = "active"
    EXPIRING = "expiring"  # works, and ends within EXPIRING_WITHIN
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key and what stands around it. Limit, period, spent and held are those of the purse it spends from."""

    id: UUID
    prefix: str  # as people see it
    is_test: bool
    state: KeyState
    terms: KeyTerms
    spent_usd: Decimal  # in the current span
    held_usd: Decimal
    total_usd: Decimal
    calls: int
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    replaces: str | None  # as people see it
    replaced_by: str | None
    version: int

    @property
    def spent_percent(self) -> Decimal | None:
        """How much of the limit is spent in the current span; None without a limit."""
        return None if self.terms.spend is None else percent_of(self.spent_usd, self.terms.spend.usd)

    @property
    def works(self) -> bool:
        return self.state in (KeyState.ACTIVE, KeyState.EXPIRING)

    @property
    def is_current(self) -> bool:
        """Whether it works and is the newest of its line: it can be rotated."""
        return self.works and self.replaced_by is None


def keys_of(account_id: UUID) -> list[ApiKey]:
    """The account's keys, newest first."""
    return list(db.session.scalars(select(ApiKey).where(ApiKey.account_id == account_id).order_by(ApiKey.id.desc())))


def key_of(caller: Caller) -> ApiKey:
    """The row behind a caller, as it is now."""
    key = db.session.get(ApiKey, caller.key_id)
    if key is None:
        raise InvalidKey
    return key


def purse_of(key: ApiKey) -> ApiKey:
    """The key whose limit and counters this one spends from: the newest of its line."""
    return key if key.spends_as_id is None else db.session.get_one(ApiKey, key.spends_as_id)


def state_of(key: ApiKey, at: datetime) -> KeyState:
    """What the key is worth at that instant."""
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is None or key.expires_at > at + EXPIRING_WITHIN:
        return KeyState.ACTIVE
    return KeyState.EXPIRING if key.expires_at > at else KeyState.EXPIRED


def spent_now(purse: ApiKey, at: datetime) -> Decimal:
    """What is spent of the limit in the span that the instant lies in."""
    return purse.spent_usd if purse.period_start == period_start(purse.spend_period, at.date()) else ZERO_USD


def key_terms(key: ApiKey) -> KeyTerms:
    """What people decided about the key."""
    spend = None if key.spend_limit_usd is None else SpendLimit(key.spend_limit_usd, SpendPeriod(key.spend_period))
    return KeyTerms(key.name, key.expires_at, spend, tuple(key.model_patterns) if key.model_patterns is not None else None)


def listed(account_id: UUID, *, works: bool, most: int) -> list[ListedKey]:
    """Those of the account's keys that work, or those that have ended; newest first, and not more than that many."""
    at = now()
    working = usable_at(at)
    return _listed(ApiKey.account_id == account_id, working if works else ~working, at=at, most=most)


def listed_key(account_id: UUID, key_id: UUID) -> ListedKey:
    """One key of the account. Raises NotFound."""
    found = _listed(ApiKey.account_id == account_id, ApiKey.id == key_id, at=now(), most=1)
    if not found:
        raise NotFound("There is no such key.")
    return found[0]


def _listed(*conditions: object, at: datetime, most: int) -> list[ListedKey]:
    purse, before, after = aliased(ApiKey), aliased(ApiKey), aliased(ApiKey)
    query = (
        select(ApiKey, purse, before.key_prefix, after.key_prefix)
        .outerjoin(purse, purse.id == ApiKey.spends_as_id)
        .outerjoin(before, before.id == ApiKey.replaces_id)
        .outerjoin(after, after.replaces_id == ApiKey.id)
        .where(*conditions)  # type: ignore[arg-type]
        .order_by(ApiKey.id.desc())
        .limit(most)
    )
    with transaction() as session:
        return [_row(key, purse or key, before, after, at) for key, purse, before, after in session.execute(query)]


def _row(key: ApiKey, purse: ApiKey, before: str | None, after: str | None, at: datetime) -> ListedKey:
    own, shared = key_terms(key), key_terms(purse)
    return ListedKey(
        id=key.id,
        prefix=shown_prefix(key.key_prefix),
        is_test=key.is_test,
        state=state_of(key, at),
        terms=KeyTerms(own.name, own.expires_at, shared.spend, own.model_patterns),
        spent_usd=spent_now(purse, at),
        held_usd=purse.held_usd,
        total_usd=key.total_usd,
        calls=key.calls,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        last_used_address=key.last_used_address,
        replaces=shown_prefix(before) if before else None,
        replaced_by=shown_prefix(after) if after else None,
        version=key.version,
    )

"""API keys: their shape, minting, recognition, revocation. A key is shown once and never stored.

Shape: `sk_live_` or `sk_test_`, 43 base62 characters (256 random bits), 6 of checksum. A key
whose checksum is wrong is refused without touching the database. What is stored is the
SHA-256 digest of the whole key, and the prefix people recognise it by.

The digest → identity mapping never changes, so it may be cached for ever; whether the key
still *works* is read in each admission commit (design decision 6, promise R22).
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Text, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import new_id, now
from reseller.database import Base, Created, Identified, acting_as_operator, db, transaction
from reseller.domain import staff
from reseller.errors import Conflict, InvalidKey, InvalidRequest, NotFound
from reseller.money import Usd, to_nano

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_CHARACTERS = 43  # 62**43 > 2**256
CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32
LIVE, TEST = "sk_live_", "sk_test_"
SHOWN_CHARACTERS = len(LIVE) + 4
_SHAPE = re.compile(r"sk_(live|test)_[0-9A-Za-z]{49}", re.ASCII)
MAX_CACHED_IDENTITIES = 100_000


class SpendPeriod(StrEnum):
    """Over which span a key's spend limit counts; days, weeks (from Monday) and months start in UTC."""

    LIFETIME = "lifetime"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class ApiKey(Identified, Created, Base):
    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("spend_period IN ('lifetime', 'day', 'week', 'month')", name="spend_period_known"),
        CheckConstraint("held_nano >= 0", name="held_not_negative"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    key_hash: Mapped[str] = mapped_column(Text, unique=True)  # SHA-256 of the whole key, hexadecimal
    key_prefix: Mapped[str] = mapped_column(Text, index=True)  # "sk_live_abc1"
    name: Mapped[str] = mapped_column(Text)
    is_test: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    model_patterns: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # None: every model
    spend_limit_usd: Mapped[Decimal | None] = mapped_column("spend_limit_nano", Usd)
    spend_period: Mapped[str] = mapped_column(Text, default=SpendPeriod.LIFETIME)
    # The rest is written by the admission and settlement commits only.
    period_start: Mapped[date] = mapped_column(Date, default=date(1970, 1, 1))  # span that `spent` belongs to
    spent_usd: Mapped[Decimal] = mapped_column("spent_nano", Usd, default=Decimal(0))  # in that span
    held_usd: Mapped[Decimal] = mapped_column("held_nano", Usd, default=Decimal(0))  # of open calls under a spend limit
    total_usd: Mapped[Decimal] = mapped_column("total_nano", Usd, default=Decimal(0))  # ever
    calls: Mapped[int] = mapped_column(BigInteger, default=0)  # settled, ever
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key this is: facts that never change while the key exists."""

    key_id: UUID
    account_id: UUID
    is_test: bool
    prefix: str


def checksum(body: str) -> str:
    """Six base62 characters of CRC-32 over the key's text so far: catches typing errors, proves nothing."""
    value = zlib.crc32(body.encode("ascii"))
    letters = []
    for _ in range(CHECKSUM_CHARACTERS):
        value, digit = divmod(value, 62)
        letters.append(ALPHABET[digit])
    return "".join(letters)


def has_key_shape(token: str) -> bool:
    """Whether this text could be one of our keys: form and checksum, no database."""
    return _SHAPE.fullmatch(token) is not None and checksum(token[:-CHECKSUM_CHARACTERS]) == token[-CHECKSUM_CHARACTERS:]


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def shown_prefix(prefix: str) -> str:
    """How a key is written after its one showing: `sk_live_abc1…`."""
    return f"{prefix}…"


def mint(
    account_id: UUID,
    *,
    name: str,
    actor: str,
    is_test: bool = False,
    expires_in: timedelta | None = None,
    spend: tuple[Decimal, SpendPeriod] | None = None,
    model_patterns: list[str] | None = None,
) -> tuple[str, ApiKey]:
    """A new key of the account exists; the returned text is its only showing. Raises InvalidRequest."""
    if not name.strip():
        raise InvalidRequest("A key needs a name.", param="name")
    if spend is not None and to_nano(spend[0]) <= 0:
        raise InvalidRequest("A spend limit must be more than zero.", param="spend_limit")
    if expires_in is not None and expires_in <= timedelta(0):
        raise InvalidRequest("A key must expire in the future.", param="expires_in")
    body = (TEST if is_test else LIVE) + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_CHARACTERS))
    token = body + checksum(body)
    key = ApiKey(
        id=new_id(),
        account_id=account_id,
        key_hash=digest_of(token),
        key_prefix=token[:SHOWN_CHARACTERS],
        name=name.strip(),
        is_test=is_test,
        expires_at=now() + expires_in if expires_in else None,
        spend_limit_usd=spend[0] if spend else None,
        spend_period=spend[1] if spend else SpendPeriod.LIFETIME,
        model_patterns=model_patterns,
    )
    with transaction() as session:
        session.add(key)
        staff.record(actor, "key.create", "api_key", key.id, account_id=account_id, changes={"prefix": [None, key.key_prefix]})
    return token, key


def revoke(prefix_or_id: str, *, actor: str, account_id: UUID | None = None, reason: str = "") -> ApiKey:
    """The key is refused from the next request on, in every process.

    Raises NotFound, InvalidRequest if several match, Conflict if it is revoked already.
    """
    with transaction() as session:
        key = _find(prefix_or_id, account_id)
        session.refresh(key, with_for_update=True)
        if key.revoked_at is not None:
            raise Conflict(f"The key {shown_prefix(key.key_prefix)} has been revoked already.")
        key.revoked_at = now()
        changes = {"prefix": [key.key_prefix, None]}
        staff.record(actor, "key.revoke", "api_key", key.id, account_id=key.account_id, reason=reason, changes=changes)
        session.flush()
    return key


def keys_of(account_id: UUID) -> list[ApiKey]:
    """The account's keys, newest first."""
    return list(db.session.scalars(select(ApiKey).where(ApiKey.account_id == account_id).order_by(ApiKey.id.desc())))


def key_of(caller: Caller) -> ApiKey:
    """The row behind a caller, as it is now."""
    key = db.session.get(ApiKey, caller.key_id)
    if key is None:
        raise InvalidKey
    return key


def is_usable(key: ApiKey) -> bool:
    """Neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now())


def period_start(period: str, today: date) -> date:
    """The first day of the span that `today` lies in; lifetime began in 1970."""
    if period == SpendPeriod.DAY:
        return today
    if period == SpendPeriod.WEEK:
        return today - timedelta(days=today.weekday())
    if period == SpendPeriod.MONTH:
        return today.replace(day=1)
    return date(1970, 1, 1)


class Directory:
    """Digest → Caller, remembered by full digest. Unknown digests are not remembered, so a new key works at once."""

    def __init__(self) -> None:
        self._known: dict[str, Caller] = {}

    def identify(self, token: str) -> Caller:
        """Whose key this is. Raises InvalidKey: the same for malformed and unknown ones (R21)."""
        if not has_key_shape(token):
            raise InvalidKey
        digest = digest_of(token)
        return self._known.get(digest) or self._look_up(digest)

    def remembered(self, token: str) -> Caller | None:
        """Whose key this is, if that is known without asking the database; malformed ones never are."""
        return self._known.get(digest_of(token)) if token.isascii() else None

    def _look_up(self, digest: str) -> Caller:
        with acting_as_operator():
            columns: Any = (ApiKey.id, ApiKey.account_id, ApiKey.is_test, ApiKey.key_prefix)
            row = db.session.execute(select(*columns).where(ApiKey.key_hash == digest)).first()
            db.session.rollback()
        if row is None:
            raise InvalidKey
        if len(self._known) >= MAX_CACHED_IDENTITIES:
            self._known.clear()
        caller = Caller(key_id=row[0], account_id=row[1], is_test=row[2], prefix=row[3])
        self._known[digest] = caller
        return caller


def _find(prefix_or_id: str, account_id: UUID | None) -> ApiKey:
    query = select(ApiKey)
    try:
        query = query.where(ApiKey.id == UUID(prefix_or_id))
    except ValueError:
        query = query.where(ApiKey.key_prefix == prefix_or_id.removesuffix("…").removesuffix("...")[:SHOWN_CHARACTERS])
    if account_id is not None:
        query = query.where(ApiKey.account_id == account_id)
    found = list(db.session.scalars(query.limit(2)))
    if not found:
        raise NotFound(f"no key begins with {prefix_or_id!r}")
    if len(found) > 1:
        raise InvalidRequest(f"several keys begin with {prefix_or_id!r}; use the id")
    return found[0]

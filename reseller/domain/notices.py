"""What people want to be told by letter: alerts of their account, a key that expires soon, which is told once, by event too.

Letters about passwords, addresses and sign-in are not here: nobody chooses those. What an account is alerted about is `alerts`.
Its tables are written by the verbs below alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.by_itself import each_by_itself
from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned, db, transaction
from reseller.domain import accounts, keys, letters, outbox
from reseller.domain.keys import ApiKey
from reseller.domain.letters import LetterKind

AT_A_TIME = 500
EXPIRING = "key.expiring"
KEY_NOTICE = timedelta(days=7)
"""How long before its end a key is told about; a key that lives no longer than this is not."""


class NoticeChoice(Created, Versioned, Base):
    """What one person chose; without a row, the defaults."""

    __tablename__ = "notice_choices"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tells_alerts: Mapped[bool] = mapped_column(default=True)
    tells_key_expiry: Mapped[bool] = mapped_column(default=True)


class Notice(Identified, Created, Base):
    """That something was told, and when."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("user_id", "account_id", "subject"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    subject: Mapped[str] = mapped_column(Text)  # "key <id> <when it expires>"
    told_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Choices:
    """Which letters somebody wants. `version`: 0 for somebody who never chose."""

    tells_alerts: bool = True
    tells_key_expiry: bool = True
    version: int = 0


def choices_of(user_id: UUID) -> Choices:
    """What this person is told about."""
    row = db.session.get(NoticeChoice, user_id)
    return Choices() if row is None else Choices(row.tells_alerts, row.tells_key_expiry, row.version)


def choose(user_id: UUID, wanted: Choices, *, actor: str) -> None:
    """The person is told about this from now on. `wanted.version` is the one they saw: Conflict if it is older."""
    with transaction() as session:
        row = session.get(NoticeChoice, user_id, with_for_update=True, populate_existing=True)
        before = Choices() if row is None else Choices(row.tells_alerts, row.tells_key_expiry)
        if row is None:
            row = NoticeChoice(user_id=user_id, version=0)
            session.add(row)
        row.claim(wanted.version)
        row.tells_alerts, row.tells_key_expiry = wanted.tells_alerts, wanted.tells_key_expiry
        changes = {
            "tells_alerts": [before.tells_alerts, wanted.tells_alerts],
            "tells_key_expiry": [before.tells_key_expiry, wanted.tells_key_expiry],
        }
        accounts.record(actor, "user.choose_notices", user_id, changes=changes)


_ENDING = """k.revoked_at IS NULL AND k.expires_at > :at AND k.expires_at <= :soon AND k.expires_at - k.created_at > :notice
          AND NOT EXISTS (SELECT FROM api_keys newer WHERE newer.replaces_id = k.id)"""

_SUBJECT = "'key ' || k.id || ' ' || k.expires_at::date"
_OWNERS = f"""api_keys k JOIN accounts a ON a.id = k.account_id AND a.status = 'active'
         JOIN memberships m ON m.account_id = k.account_id AND m.role = 'owner'
         JOIN users u ON u.id = m.user_id AND u.email_verified_at IS NOT NULL
         LEFT JOIN notice_choices c ON c.user_id = u.id
        WHERE {_ENDING} AND coalesce(c.tells_key_expiry, true)"""
_UNWRITTEN = text(
    f"""SELECT u.id AS user_id, k.id AS key_id FROM {_OWNERS}
          AND NOT EXISTS (SELECT FROM notices n WHERE n.user_id = u.id AND n.account_id = k.account_id AND n.subject = {_SUBJECT})
        ORDER BY k.expires_at, k.id, u.id LIMIT :limit"""  # noqa: S608
)
_NOTE = text(
    f"""INSERT INTO notices (id, user_id, account_id, subject, told_at, created_at)
       SELECT gen_random_uuid(), u.id, k.account_id, {_SUBJECT}, :at, :at FROM {_OWNERS} AND k.id = :key_id AND u.id = :user_id
       ON CONFLICT DO NOTHING RETURNING id"""  # noqa: S608
)
_UNTOLD = text(
    f"""SELECT k.account_id, k.id FROM api_keys k JOIN accounts a ON a.id = k.account_id AND a.status = 'active'
        WHERE {_ENDING}
          AND NOT EXISTS (SELECT FROM event_marks m WHERE m.account_id = k.account_id AND m.name = '{EXPIRING}'
                             AND m.subject = k.id || ' ' || CAST(floor(extract(epoch FROM k.expires_at)) AS bigint))
        ORDER BY k.expires_at, k.id LIMIT :limit"""  # noqa: S608
)
_IS_ENDING = text(f"SELECT FROM api_keys k WHERE k.id = :key_id AND {_ENDING}")  # noqa: S608
_KEY = text("SELECT u.email, k.key_prefix, k.expires_at FROM users u, api_keys k WHERE u.id = :user_id AND k.id = :key_id")


def tell() -> int:
    """Owners are told of keys that expire, and programs; how many letters and events. What fails in one keeps nobody from the other."""
    ways = {"letters": tell_of_expiring_keys, "events": announce_expiring_keys}
    return each_by_itself(lambda way: ways[way](), ways, of="telling of keys that expire")


def tell_of_expiring_keys() -> int:
    """Whoever owns a key that expires within KEY_NOTICE has a letter on its way, once for each end; how many have.

    The nearest ends first. SomeFailed if one could not be told of, once all others are.
    """
    with transaction() as session:
        ending = session.execute(_UNWRITTEN, {**_span(), "limit": AT_A_TIME}).all()
    return each_by_itself(lambda row: _write(*row), ending, of="letters about keys that expire", named=lambda row: f"key {row.key_id}")


def _write(user_id: UUID, key_id: UUID) -> bool:
    which = {"user_id": user_id, "key_id": key_id}
    with transaction() as session:
        if session.execute(_NOTE, {**_span(), **which}).first() is None:
            return False
        email, prefix, expires_at = session.execute(_KEY, which).one()
        letters.write(LetterKind.KEY_EXPIRES, email, facts={"key": keys.shown_prefix(prefix), "day": f"{expires_at:%-d %B %Y}"})
        return True


def announce_expiring_keys() -> int:
    """Accounts whose keys expire within KEY_NOTICE are told by event, once for each end, whatever letters their owners want; how many.

    The nearest ends first. SomeFailed if one could not be told of, once all others are.
    """
    with transaction() as session:
        ending = session.execute(_UNTOLD, {**_span(), "limit": AT_A_TIME}).all()
    return each_by_itself(lambda row: _announce(*row), ending, of="events about keys that expire", named=lambda row: f"key {row.id}")


def _announce(account_id: UUID, key_id: UUID) -> bool:
    with transaction() as session:
        # Nobody moves its end or revokes it until this is told; what was done since it was found is seen below.
        key = session.get_one(ApiKey, key_id, with_for_update={"read": True}, populate_existing=True)
        is_ending = session.execute(_IS_ENDING, {**_span(), "key_id": key_id}).first() is not None
        if not is_ending or key.expires_at is None:
            return False
        if not outbox.first_told(EXPIRING, account_id, f"{key_id} {floor(key.expires_at.timestamp())}"):
            return False
        outbox.announce("key.expiring", account_id, **keys.as_told(key), expires_at=key.expires_at)
        return True


def _span() -> dict[str, Any]:
    at = now()
    return {"at": at, "soon": at + KEY_NOTICE, "notice": KEY_NOTICE}

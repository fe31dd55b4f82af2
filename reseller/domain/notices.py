"""What people want to be told by letter, and that they are told once: a balance that falls below theirs, a key that expires soon.

Letters about passwords, addresses and sign-in are not here: nobody chooses those. A balance is told about when it crosses the
line downwards, so an account that never was above it hears nothing; it has to be above again, and COOL_DOWN over, for the next
letter. Written by the verbs below alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, Versioned, db, transaction
from reseller.domain import accounts, keys, letters
from reseller.domain.letters import LetterKind
from reseller.errors import InvalidRequest
from reseller.money import Usd, display_usd, exact_usd, to_nano, to_usd

DEFAULT_LOW_BALANCE_USD = Decimal(5)
MAX_LOW_BALANCE_USD = Decimal(1_000_000)
COOL_DOWN = timedelta(hours=24)
KEY_NOTICE = timedelta(days=7)
"""How long before its end a key is told about; a key that lives no longer than this is not."""


class NoticeChoice(Created, Versioned, Base):
    """What one person chose; without a row, the defaults."""

    __tablename__ = "notice_choices"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    low_balance_usd: Mapped[Decimal | None] = mapped_column("low_balance_nano", Usd)  # None: not told
    tells_key_expiry: Mapped[bool] = mapped_column(default=True)


class Notice(Identified, Created, Base):
    """Whether something is still to be told, and when it last was."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("user_id", "account_id", "subject"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    subject: Mapped[str] = mapped_column(Text)  # "balance", "key <id> <when it expires>"
    is_armed: Mapped[bool]  # the balance has been above the line since it was last told about
    told_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Choices:
    """`low_balance_usd`: the line; None for no letter. `version`: 0 for somebody who never chose."""

    low_balance_usd: Decimal | None = DEFAULT_LOW_BALANCE_USD
    tells_key_expiry: bool = True
    version: int = 0


def choices_of(user_id: UUID) -> Choices:
    """What this person is told about."""
    row = db.session.get(NoticeChoice, user_id)
    return Choices() if row is None else Choices(row.low_balance_usd, row.tells_key_expiry, row.version)


def choose(user_id: UUID, wanted: Choices, *, actor: str) -> None:
    """The person is told about this from now on. `wanted.version` is the one they saw: Conflict if it is older; InvalidRequest."""
    line = wanted.low_balance_usd
    if line is not None and not 0 < line <= MAX_LOW_BALANCE_USD:
        raise InvalidRequest(f"An amount above zero, at most {display_usd(MAX_LOW_BALANCE_USD)}.", param="low_balance_usd")
    with transaction() as session:
        row = session.get(NoticeChoice, user_id, with_for_update=True, populate_existing=True)
        before = Choices() if row is None else Choices(row.low_balance_usd, row.tells_key_expiry)
        if row is None:
            row = NoticeChoice(user_id=user_id, version=0)
            session.add(row)
        row.claim(wanted.version)
        row.low_balance_usd, row.tells_key_expiry = line, wanted.tells_key_expiry
        changes = {
            "low_balance_usd": [_written(before.low_balance_usd), _written(line)],
            "tells_key_expiry": [before.tells_key_expiry, wanted.tells_key_expiry],
        }
        accounts.record(actor, "user.choose_notices", user_id, changes=changes)


def _written(line: Decimal | None) -> str | None:
    return None if line is None else str(line)


_WATCHED = """
SELECT m.user_id, b.account_id, u.email, b.settled_nano,
       CASE WHEN c.user_id IS NULL THEN :default_nano ELSE c.low_balance_nano END AS line_nano
  FROM balances b JOIN accounts a ON a.id = b.account_id AND a.status = 'active'
  JOIN memberships m ON m.account_id = b.account_id AND m.role = 'owner'
  JOIN users u ON u.id = m.user_id AND u.email_verified_at IS NOT NULL
  LEFT JOIN notice_choices c ON c.user_id = u.id"""

_ARM = text(
    f"""INSERT INTO notices (id, user_id, account_id, subject, is_armed, created_at)
        SELECT gen_random_uuid(), user_id, account_id, 'balance', true, :at FROM ({_WATCHED}) w WHERE settled_nano >= line_nano
        ON CONFLICT (user_id, account_id, subject) DO UPDATE SET is_armed = true WHERE NOT notices.is_armed"""  # noqa: S608
)
_TELL = text(
    f"""UPDATE notices n SET is_armed = false, told_at = :at FROM ({_WATCHED}) w
         WHERE n.user_id = w.user_id AND n.account_id = w.account_id AND n.subject = 'balance' AND n.is_armed
           AND w.settled_nano < w.line_nano AND (n.told_at IS NULL OR n.told_at <= :cool)
        RETURNING w.email, w.settled_nano, w.line_nano"""  # noqa: S608
)


def tell_of_low_balances() -> int:
    """Whoever's balance has fallen below their line has a letter on its way; how many have."""
    at = now()
    facts = {"at": at, "cool": at - COOL_DOWN, "default_nano": to_nano(DEFAULT_LOW_BALANCE_USD)}
    with transaction() as session:
        session.execute(_ARM, facts)
        rows = session.execute(_TELL, facts).all()
        for email, settled_nano, line_nano in rows:
            told = {"balance": display_usd(to_usd(settled_nano)), "line": exact_usd(to_usd(line_nano))}
            letters.write(LetterKind.LOW_BALANCE, email, facts=told)
    return len(rows)


_EXPIRING = text(
    """INSERT INTO notices (id, user_id, account_id, subject, is_armed, told_at, created_at)
       SELECT gen_random_uuid(), m.user_id, k.account_id, 'key ' || k.id || ' ' || k.expires_at::date, false, :at, :at
         FROM api_keys k JOIN accounts a ON a.id = k.account_id AND a.status = 'active'
         JOIN memberships m ON m.account_id = k.account_id AND m.role = 'owner'
         JOIN users u ON u.id = m.user_id AND u.email_verified_at IS NOT NULL
         LEFT JOIN notice_choices c ON c.user_id = u.id
        WHERE k.revoked_at IS NULL AND k.expires_at > :at AND k.expires_at <= :soon AND coalesce(c.tells_key_expiry, true)
          AND k.expires_at - k.created_at > :notice
          AND NOT EXISTS (SELECT FROM api_keys newer WHERE newer.replaces_id = k.id)
       ON CONFLICT DO NOTHING RETURNING user_id, subject"""
)
_KEY = text("SELECT u.email, k.key_prefix, k.expires_at FROM users u, api_keys k WHERE u.id = :user_id AND k.id = CAST(:key_id AS uuid)")


def tell_of_expiring_keys() -> int:
    """Whoever owns a key that expires within KEY_NOTICE has a letter on its way, once for each end; how many have."""
    at = now()
    with transaction() as session:
        rows = session.execute(_EXPIRING, {"at": at, "soon": at + KEY_NOTICE, "notice": KEY_NOTICE}).all()
        for user_id, subject in rows:
            email, prefix, expires_at = session.execute(_KEY, {"user_id": user_id, "key_id": subject.split()[1]}).one()
            letters.write(LetterKind.KEY_EXPIRES, email, facts={"key": keys.shown_prefix(prefix), "day": f"{expires_at:%-d %B %Y}"})
    return len(rows)

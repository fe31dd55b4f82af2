"""Codes that stand in for a lost authenticator, each once. Shown when they are made; afterwards only their digests are known."""

import base64
import secrets
from uuid import UUID

from sqlalchemy import delete, func, select, update

from reseller.clock import now
from reseller.database import transaction
from reseller.digest import digest_of
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import User
from reseller.domain.identity.tables import RecoveryCode
from reseller.domain.letters import LetterKind

HOW_MANY = 10
BYTES = 10  # 80 random bits, sixteen characters of base32


def issue(user_id: UUID, *, actor: str) -> list[str]:
    """New codes for somebody who has an authenticator already, and a letter about them."""
    with transaction() as session:
        email = session.get_one(User, user_id).email
        letters.write(LetterKind.RECOVERY_CODES_ISSUED, email, facts={"address": staff.acting_address()})
        return make(user_id, actor=actor)


def make(user_id: UUID, *, actor: str) -> list[str]:
    """New codes, to be shown now and never again; older ones no longer work."""
    codes = [_random_code() for _ in range(HOW_MANY)]
    with transaction() as session:
        discard(user_id)
        session.add_all(RecoveryCode(user_id=user_id, code_digest=_digest(code)) for code in codes)
        accounts.record(actor, "user.issue_recovery_codes", user_id)
    return codes


def use(user_id: UUID, code: str) -> bool:
    """Whether this was a code of theirs that still worked. It does not any more."""
    with transaction() as session:
        query = update(RecoveryCode).where(RecoveryCode.user_id == user_id, RecoveryCode.code_digest == _digest(code))
        used = session.execute(query.where(RecoveryCode.used_at.is_(None)).values(used_at=now()))
        return used.rowcount == 1  # type: ignore[attr-defined,no-any-return]


def left(user_id: UUID) -> int:
    """How many codes still work."""
    with transaction() as session:
        query = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        return session.scalar(query) or 0


def discard(user_id: UUID) -> None:
    """No code of theirs works any more."""
    with transaction() as session:
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _random_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(BYTES)).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _digest(code: str) -> str:
    """The same for every way to type a code: capitals, spaces, with or without the dashes."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return digest_of(plain)

"""Whose key is this: digest → Caller, remembered for ever, since that never changes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from reseller.database import acting_as_operator, db
from reseller.digest import digest_of
from reseller.domain.keys.shape import has_key_shape
from reseller.domain.keys.tables import ApiKey
from reseller.errors import InvalidKey

MAX_CACHED_IDENTITIES = 100_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key this is: facts that never change while the key exists."""

    key_id: UUID
    account_id: UUID
    is_test: bool
    prefix: str


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

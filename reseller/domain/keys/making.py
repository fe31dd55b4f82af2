"""A key comes to be. Its text is returned once and is in no row, no log and no audit."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.clock import new_id, now
from reseller.database import transaction
from reseller.digest import digest_of
from reseller.domain import outbox, staff
from reseller.domain.keys.shape import SHOWN_CHARACTERS, random_token, shown_prefix
from reseller.domain.keys.tables import ApiKey, SpendPeriod, usable_at
from reseller.domain.keys.terms import KeyTerms, SpendLimit, check
from reseller.errors import Conflict, InvalidRequest

MAX_ACTIVE_KEYS = 100
"""Keys of one account that work at once. Keys in the grace of a rotation count, but do not stop one."""


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A key that is asked for. `id` is the nonce of the form, so a form sent twice makes one key."""

    id: UUID
    account_id: UUID
    is_test: bool
    terms: KeyTerms


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
    """A new key of the account exists; the returned text is its only showing. Raises InvalidRequest, Conflict."""
    if expires_in is not None and expires_in <= timedelta(0):
        raise InvalidRequest("A key must expire in the future.", param="expires_in")
    terms = KeyTerms(
        name,
        now() + expires_in if expires_in else None,
        SpendLimit(*spend) if spend else None,
        tuple(model_patterns) if model_patterns is not None else None,
    )
    return make(KeyOrder(new_id(), account_id, is_test, terms), actor=actor)


def make(order: KeyOrder, *, actor: str) -> tuple[str, ApiKey]:
    """The key exists; the returned text is its only showing.

    Raises InvalidRequest for terms that no key may have, Conflict for an order that was carried out before and for an
    account that has its MAX_ACTIVE_KEYS.
    """
    terms = check(order.terms)
    token = random_token(is_test=order.is_test)
    key = new_row(order.id, order.account_id, token, is_test=order.is_test)
    put_terms(key, terms)
    key.made_by_id = staff.person_of(actor)
    try:
        with transaction() as session:
            lock_account(session, order.account_id)
            if session.get(ApiKey, order.id) is not None:
                raise _sent_before()
            require_room(session, order.account_id, MAX_ACTIVE_KEYS)
            session.add(key)
            changes = {"prefix": [None, key.key_prefix], "name": [None, key.name]}
            staff.record(actor, "key.create", "api_key", key.id, account_id=order.account_id, changes=changes)
            outbox.announce("key.created", order.account_id, **as_told(key), expires_at=key.expires_at)
            session.flush()
    except IntegrityError:  # the id of a key of another account, which this transaction does not see
        raise _sent_before() from None
    return token, key


def new_row(key_id: UUID, account_id: UUID, token: str, *, is_test: bool) -> ApiKey:
    """The row of a key with this text, without terms and not yet in the database."""
    return ApiKey(id=key_id, account_id=account_id, key_hash=digest_of(token), key_prefix=token[:SHOWN_CHARACTERS], is_test=is_test)


def as_told(key: ApiKey) -> dict[str, Any]:
    """The key as events of it tell."""
    return {"key_id": key.id, "prefix": shown_prefix(key.key_prefix), "name": key.name, "is_test": key.is_test}


def put_terms(key: ApiKey, terms: KeyTerms) -> None:
    """The row says these terms."""
    key.name = terms.name
    key.expires_at = terms.expires_at
    key.spend_limit_usd = terms.spend.usd if terms.spend else None
    key.spend_period = terms.spend.period if terms.spend else SpendPeriod.LIFETIME
    key.model_patterns = list(terms.model_patterns) if terms.model_patterns else None


def lock_account(session: Session, account_id: UUID) -> None:
    """No call of the account is admitted or settled until this transaction ends.

    The tills write a key's counters under the lock of the account's balance; so does whoever moves or counts them otherwise.
    """
    session.execute(text("SELECT 1 FROM balances WHERE account_id = :account_id FOR UPDATE"), {"account_id": account_id})


def require_room(session: Session, account_id: UUID, most: int) -> None:
    """Raises Conflict if the account has that many keys that work. Under `lock_account`, so that two do not both find room."""
    query = select(func.count()).select_from(ApiKey).where(ApiKey.account_id == account_id, usable_at(now()))
    count = session.scalar(query) or 0
    if count >= most:
        raise Conflict(f"An account has at most {most} keys that work. Revoke one that is not used any more, then try again.")


def _sent_before() -> Conflict:
    words = "This form had been sent before, and its key was made then. A key is shown once: if you have not kept it, rotate it."
    return Conflict(words, param="nonce")

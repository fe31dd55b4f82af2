"""What happens to a key that exists: its terms change, it is replaced, it ends."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reseller.clock import new_id, now
from reseller.database import db, transaction
from reseller.domain import outbox, staff
from reseller.domain.keys import making
from reseller.domain.keys import terms as terms_
from reseller.domain.keys.reading import key_terms
from reseller.domain.keys.shape import SHOWN_CHARACTERS, random_token, shown_prefix
from reseller.domain.keys.tables import ApiKey, is_usable, period_start
from reseller.domain.keys.terms import KeyTerms
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import ZERO_USD, format_decimal

MAX_GRACE = timedelta(days=30)


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
        key.claim(None)
        changes = {"prefix": [key.key_prefix, None]}
        staff.record(actor, "key.revoke", "api_key", key.id, account_id=key.account_id, reason=reason, changes=changes)
        outbox.announce("key.revoked", key.account_id, **making.as_told(key), revoked_at=key.revoked_at)
        session.flush()
    return key


def rotate(prefix_or_id: str, *, grace: timedelta, actor: str, account_id: UUID | None = None) -> tuple[str, ApiKey]:
    """A new key with the same terms exists, and the old one works for `grace` longer; the returned text is the new one's only showing.

    Both spend from one purse from now on: the new key has the limit, what is spent of it and what is held; the old one's
    calls count there too. The new key expires when the old one would have; the old one never works longer than that.
    Raises NotFound, InvalidRequest if several match or for a grace that cannot be, Conflict for a key that is replaced,
    revoked or expired already.
    """
    if not timedelta(0) <= grace <= MAX_GRACE:
        raise InvalidRequest(f"The old key may work for at most {MAX_GRACE.days} days more.", param="grace")
    with transaction() as session:
        old = _find(prefix_or_id, account_id)
        making.lock_account(session, old.account_id)
        session.refresh(old, with_for_update=True)
        _require_current(session, old)
        making.require_room(session, old.account_id, 2 * making.MAX_ACTIVE_KEYS)
        token = random_token(is_test=old.is_test)
        new = making.new_row(new_id(), old.account_id, token, is_test=old.is_test)
        making.put_terms(new, key_terms(old))
        new.replaces_id, new.made_by_id = old.id, old.made_by_id
        session.add(new)
        session.flush()
        _hand_over(session, old, new)
        _end_after(old, grace)
        old_ends_at = old.revoked_at or old.expires_at or now()
        changes = {"prefix": [old.key_prefix, new.key_prefix], "old_key_expires_at": [None, old_ends_at.isoformat()]}
        staff.record(actor, "key.rotate", "api_key", old.id, account_id=old.account_id, changes=changes)
        outbox.announce(
            "key.rotated",
            old.account_id,
            **making.as_told(new),
            replaced_key_id=old.id,
            replaced_prefix=shown_prefix(old.key_prefix),
            replaced_works_until=old_ends_at,
        )
        session.flush()
    return token, new


def change(key_id: UUID, terms: KeyTerms, *, actor: str, account_id: UUID, seen_version: int | None = None) -> ApiKey:
    """The key has these terms from the next request on.

    Another kind of period begins counting at zero; the same one goes on with what is spent. A time of expiry that stays
    as it is may lie in the past. Raises NotFound, InvalidRequest for terms that no key may have, Conflict for a key
    that is revoked or replaced, or that has changed since `seen_version`.
    """
    with transaction() as session:
        making.lock_account(session, account_id)
        key = _find(str(key_id), account_id)
        session.refresh(key, with_for_update=True)
        if key.revoked_at is not None:
            raise Conflict("This key is revoked; nothing about it can be changed any more.")
        _require_no_successor(session, key)
        wanted = _checked(key, terms)
        key.claim(seen_version)
        before, period = _as_audit(key), key.spend_period
        making.put_terms(key, wanted)
        if key.spend_period != period:
            key.spent_usd, key.period_start = ZERO_USD, period_start(key.spend_period, now().date())
        after = _as_audit(key)
        changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
        staff.record(actor, "key.change", "api_key", key.id, account_id=account_id, changes=changes)
        session.flush()
    return key


def _checked(key: ApiKey, terms: KeyTerms) -> KeyTerms:
    """The terms as they are stored, with an expiry that is not touched left alone."""
    if terms.expires_at != key.expires_at:
        return terms_.check(terms)
    rest = terms_.check(KeyTerms(terms.name, None, terms.spend, terms.model_patterns))
    return KeyTerms(rest.name, key.expires_at, rest.spend, rest.model_patterns)


def _require_current(session: Session, key: ApiKey) -> None:
    """Raises Conflict unless the key works and is the newest of its line."""
    if key.revoked_at is not None:
        raise Conflict(f"The key {shown_prefix(key.key_prefix)} has been revoked. Make a new one instead.")
    _require_no_successor(session, key)
    if not is_usable(key):
        raise Conflict(f"The key {shown_prefix(key.key_prefix)} has expired. Make a new one instead.")


def _require_no_successor(session: Session, key: ApiKey) -> None:
    successor = session.scalar(select(ApiKey.key_prefix).where(ApiKey.replaces_id == key.id))
    if successor is not None:
        raise Conflict(f"The key {shown_prefix(key.key_prefix)} has been replaced by {shown_prefix(successor)} already.")


def _hand_over(session: Session, old: ApiKey, new: ApiKey) -> None:
    """The purse is the new key's; whoever spent from it before still does."""
    new.spent_usd, new.held_usd, new.period_start = old.spent_usd, old.held_usd, old.period_start
    old.spent_usd = old.held_usd = ZERO_USD
    session.execute(update(ApiKey).where(ApiKey.spends_as_id == old.id).values(spends_as_id=new.id))
    old.spends_as_id = new.id


def _end_after(key: ApiKey, grace: timedelta) -> None:
    key.claim(None)
    if not grace:
        key.revoked_at = now()
        return
    ends_at = now() + grace
    key.expires_at = ends_at if key.expires_at is None else min(key.expires_at, ends_at)


def _as_audit(key: ApiKey) -> dict[str, Any]:
    """The terms as an audit row keeps them."""
    return {
        "name": key.name,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "spend_limit_usd": None if key.spend_limit_usd is None else format_decimal(key.spend_limit_usd),
        "spend_period": key.spend_period if key.spend_limit_usd is not None else None,
        "models": ", ".join(key.model_patterns) if key.model_patterns else None,
    }


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
        raise NotFound(f"There is no key “{prefix_or_id[:SHOWN_CHARACTERS]}”." if account_id is None else "There is no such key.")
    if len(found) > 1:
        raise InvalidRequest(f"Several keys begin with “{prefix_or_id[:SHOWN_CHARACTERS]}”. Name the one by its id.")
    return found[0]

"""Changing an account's limits: for good, or for a while and then back to what they were."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.limits.tables import LIMIT_COLUMNS, LimitPreset, RateLimit
from reseller.errors import InvalidRequest, NotFound

MOST = 2_000_000_000
REVERTER = "system:revert limits"


def limits_of(account_id: UUID) -> RateLimit:
    """The account's limits as they are. Raises NoResultFound for no account."""
    with transaction() as session:
        return session.get_one(RateLimit, account_id)


def change(
    account_id: UUID,
    values: Mapping[str, int | None],
    *,
    actor: str,
    reason: str = "",
    seen_version: int | None = None,
    reverts_at: datetime | None = None,
) -> RateLimit:
    """The account's limits are these from the next request on. Keys as in LIMIT_COLUMNS; None lifts a limit.

    With `reverts_at` only until then: `revert_due` puts back what held before, and a second change for a while
    goes back to what held before the first. A change for good also changes what is gone back to.
    Raises Conflict if the limits are no longer those of `seen_version`, InvalidRequest for figures that make no sense.
    """
    wanted = {LIMIT_COLUMNS[name]: _sensible(name, value) for name, value in values.items()}
    if reverts_at is not None and reverts_at <= now():
        raise InvalidRequest("The end of the change must lie in the future.", param="reverts_at")
    with transaction() as session:
        limits = session.get_one(RateLimit, account_id, with_for_update=True)
        limits.claim(seen_version)
        changes: dict[str, Any] = {column: [getattr(limits, column), value] for column, value in wanted.items()}
        ended = limits.reverts_at
        _remember(limits, wanted, reverts_at)
        if limits.reverts_at != ended:
            changes["reverts_at"] = [_iso(ended), _iso(limits.reverts_at)]
        staff.record(actor, "limits.change", "account", account_id, account_id=account_id, reason=reason, changes=changes)
    return limits


def _remember(limits: RateLimit, wanted: Mapping[str, int | None], reverts_at: datetime | None) -> None:
    """The columns have the wanted values; what is gone back to, and when, is right again."""
    before = {column: getattr(limits, column) for column in LIMIT_COLUMNS.values()}
    back = limits.reverts_to or before
    if reverts_at is None:
        back = {**back, **wanted}
    for column, value in wanted.items():
        setattr(limits, column, value)
    is_for_a_while = back != {**before, **wanted}
    limits.reverts_to = back if is_for_a_while else None
    limits.reverts_at = (reverts_at or limits.reverts_at) if is_for_a_while else None


def give(
    account_id: UUID, preset_id: UUID, *, actor: str, reason: str, seen_version: int | None = None, reverts_at: datetime | None = None
) -> RateLimit:
    """The account has the preset's figures, as by `change`. Raises NotFound for no preset."""
    with transaction() as session:
        preset = session.get(LimitPreset, preset_id)
        if preset is None:
            raise NotFound("There is no such preset.", param="preset")
        values = {name: getattr(preset, column) for name, column in LIMIT_COLUMNS.items()}
        words = f"{reason} (preset {preset.name})"
        return change(account_id, values, actor=actor, reason=words, seen_version=seen_version, reverts_at=reverts_at)


def revert_due() -> int:
    """Limits whose time is over are what they were before; returns of how many accounts. Each account apart.

    If we die here, the rest is done in the next round.
    """
    with transaction() as session:
        due = list(session.scalars(select(RateLimit.account_id).where(RateLimit.reverts_at <= now())))
    return sum(_revert(account_id) for account_id in due)


def _revert(account_id: UUID) -> bool:
    with transaction() as session:
        limits = session.get_one(RateLimit, account_id, with_for_update=True)
        if limits.reverts_at is None or limits.reverts_at > now() or limits.reverts_to is None:
            return False  # changed since we looked
        changes: dict[str, Any] = {}
        for column, value in limits.reverts_to.items():
            if getattr(limits, column) != value:
                changes[column] = [getattr(limits, column), value]
                setattr(limits, column, value)
        limits.claim(None)
        reason = f"the change until {limits.reverts_at:%Y-%m-%d %H:%M} UTC is over"
        limits.reverts_at = limits.reverts_to = None
        staff.record(REVERTER, "limits.revert", "account", account_id, account_id=account_id, reason=reason, changes=changes)
        return True


def _sensible(name: str, value: int | None) -> int | None:
    if value is not None and not 0 < value <= MOST:
        raise InvalidRequest(f"{name} must be a whole number above zero, or none", param=name)
    return value


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")

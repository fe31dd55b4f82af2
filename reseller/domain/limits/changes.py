"""The verbs by which an account's limits change."""

from collections.abc import Mapping
from uuid import UUID

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.limits.tables import LIMIT_COLUMNS, RateLimit
from reseller.errors import InvalidRequest


def limits_of(account_id: UUID) -> RateLimit:
    """The account's limits as they are. Raises NoResultFound for no account."""
    with transaction() as session:
        return session.get_one(RateLimit, account_id)


def change(account_id: UUID, values: Mapping[str, int | None], *, actor: str, reason: str = "") -> RateLimit:
    """The account's limits are these from the next request on. Keys as in LIMIT_COLUMNS; None lifts a limit."""
    with transaction() as session:
        limits = session.get_one(RateLimit, account_id, with_for_update=True)
        changes = {}
        for name, value in values.items():
            if value is not None and not 0 < value <= 2_000_000_000:
                raise InvalidRequest(f"{name} must be a whole number above zero, or none", param=name)
            column = LIMIT_COLUMNS[name]
            changes[column] = [getattr(limits, column), value]
            setattr(limits, column, value)
        staff.record(actor, "limits.change", "account", account_id, account_id=account_id, reason=reason, changes=changes)
    return limits

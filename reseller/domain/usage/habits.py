"""What one account has lately used of each model: the base of guesses and comparisons, read from the sums.

Runs for whoever the transaction acts for; the account is named in the query all the same. Test calls cost nothing and
are left out.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from reseller.database import transaction
from reseller.domain.usage.rollup_tables import UsageHour


@dataclass(frozen=True, slots=True)
class ModelUse:
    """An account's live calls to one model, refused ones left out, and what they were charged."""

    model: str
    calls: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    charge_nano: int


def use_by_model(account_id: UUID, since: datetime) -> list[ModelUse]:
    """What the account has used since then, by model; models that were only refused are left out."""
    sums = [func.sum(column) for column in _SUMMED]
    query = (
        select(UsageHour.model, *sums)
        .where(UsageHour.account_id == account_id, UsageHour.starts_at >= since, ~UsageHour.is_test)
        .group_by(UsageHour.model)
        .having(func.sum(UsageHour.calls) > 0)
        .order_by(UsageHour.model)
    )
    with transaction() as session:
        return [ModelUse(row[0], *(int(value) for value in row[1:])) for row in session.execute(query)]


def usual_completion_tokens(account_id: UUID, model: str, since: datetime) -> int | None:
    """Output tokens of the account's average call to this model, rounded up; None if none has gone well."""
    query = select(func.sum(UsageHour.calls - UsageHour.errors), func.sum(UsageHour.completion_tokens)).where(
        UsageHour.account_id == account_id, UsageHour.starts_at >= since, UsageHour.model == model, ~UsageHour.is_test
    )
    with transaction() as session:
        calls, tokens = session.execute(query).one()
    return -(-int(tokens) // int(calls)) if calls else None


_SUMMED = (UsageHour.calls, UsageHour.errors, UsageHour.prompt_tokens, UsageHour.completion_tokens, UsageHour.charge_nano)

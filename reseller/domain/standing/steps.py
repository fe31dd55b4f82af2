"""What somebody new still has to do until their first call, and what is done: read from what is there, never ticked by hand."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from reseller.clock import now
from reseller.database import transaction

NOT_SUMMED_YET = timedelta(hours=2)
"""Calls are looked for in the sums, which may be behind by less than this, and newer ones among the calls themselves."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The first steps of a person and their account."""

    is_verified: bool  # their address
    has_key: bool  # one that works
    has_called: bool  # a call has brought an answer
    has_credit: bool  # has ever had
    has_second_factor: bool


# The first by time, which has an index, and not any that exists: the planner would look for a busy account's among everybody's.
_STEPS = text("""
WITH who AS (
    SELECT coalesce(CAST(:user_id AS uuid), (SELECT user_id FROM memberships WHERE account_id = :account_id AND role = 'owner'
                                              ORDER BY created_at LIMIT 1)) AS user_id
)
SELECT (SELECT email_verified_at IS NOT NULL FROM users JOIN who ON who.user_id = users.id),
       EXISTS (SELECT 1 FROM api_keys WHERE account_id = :account_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)),
       (SELECT calls FROM usage_hours WHERE account_id = :account_id AND calls > errors ORDER BY starts_at LIMIT 1) IS NOT NULL
         OR EXISTS (SELECT 1 FROM usage_logs
                     WHERE account_id = :account_id AND created_at >= :since AND status IN ('completed', 'abandoned')),
       EXISTS (SELECT 1 FROM ledger_entries WHERE account_id = :account_id AND amount_nano > 0),
       EXISTS (SELECT 1 FROM second_factors JOIN who USING (user_id))""")


def first_steps(account_id: UUID, user_id: UUID | None) -> Steps:
    """Which steps are done, by this person or, without one, by the owner of the account."""
    at = now()
    with transaction() as session:
        row = session.execute(_STEPS, {"account_id": account_id, "user_id": user_id, "at": at, "since": at - NOT_SUMMED_YET}).one()
        return Steps(*(bool(value) for value in row))

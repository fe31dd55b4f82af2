"""Accounts and keys that hit a limit: told at most once an hour for each limit, by event.

A refused call has its row like any other, with what it was measured against; the clock looks at the newest of them. So being told
costs a call nothing, and a flood of refusals is one event. What was refused before the last LOOKS_BACK is nobody's news.

How new a refusal is, is said by the database's clock (R39), on which its row has its settlement. Its id and its instant are of the
process that refused it, whose clock may be behind by CLOCK_STEP: they only bound what is read.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from reseller.by_itself import each_by_itself
from reseller.clock import first_id, now
from reseller.database import transaction
from reseller.domain import outbox
from reseller.domain.usage.rollup import CLOCK_STEP

LOOKS_BACK = timedelta(minutes=5)
PAUSE = timedelta(hours=1)
HIT = "limit.hit"

# The newest refusal of each account, key and limit. By the index of error codes: calls that went well are not read.
_REFUSED = text(
    """SELECT DISTINCT ON (account_id, error_code, key_id, span)
              account_id, error_code, created_at, response_metadata AS kept,
              CASE WHEN error_code = 'key_spend_limit_reached' THEN api_key_id END AS key_id,
              coalesce(response_metadata ->> 'window', response_metadata ->> 'what', '') AS span
         FROM usage_logs
        WHERE error_code IN ('rate_limit_exceeded', 'too_many_concurrent_requests', 'key_spend_limit_reached')
          AND status = 'refused' AND settled_at >= now() - :looks_back AND id >= :since_id AND created_at >= :since
        ORDER BY account_id, error_code, key_id, span, id DESC"""
)


def tell_of_hits() -> int:
    """Whoever hit a limit lately and was not told of it for an hour is told; how many events.

    SomeFailed if somebody could not be told, once all others are.
    """
    since = now() - LOOKS_BACK - CLOCK_STEP
    with transaction() as session:
        bounds = {"looks_back": LOOKS_BACK, "since_id": first_id(since), "since": since}
        refused = session.execute(_REFUSED, bounds).mappings().all()
    return each_by_itself(
        lambda row: _tell(row["account_id"], _told(row)), refused, of="telling of limits", named=lambda row: row["account_id"]
    )


def _tell(account_id: UUID, told: Mapping[str, Any]) -> bool:
    with transaction():
        subject = f"{told['limit']} {told['key_id'] or ''}".strip()
        if not outbox.first_told(HIT, account_id, subject, again_after=PAUSE):
            return False
        outbox.announce("limit.hit", account_id, **told)
        return True


def _told(row: RowMapping) -> dict[str, Any]:
    """What the event tells of this refusal. Figures are as its row has them: text for money, whole numbers for calls."""
    kept = row["kept"]
    if row["error_code"] == "key_spend_limit_reached":
        limit, allowed = f"key_spend_{kept.get('period', 'lifetime')}", kept.get("limit_usd")
    elif row["error_code"] == "rate_limit_exceeded":
        limit, allowed = f"requests_per_{row['span']}", kept.get("limit")
    else:
        limit, allowed = "concurrent_requests" if row["span"] in ("", "calls") else "concurrent_large_requests", kept.get("limit")
    return {
        "limit": limit,
        "allowed": None if allowed is None else str(allowed),
        "error_code": row["error_code"],
        "key_id": row["key_id"],
        "refused_at": row["created_at"],
    }

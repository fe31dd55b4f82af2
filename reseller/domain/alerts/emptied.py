"""Accounts whose credit is used up: told once, and again only after there was clearly some again. By event; a letter is a rule's.

Nothing on the paid call's path knows of it: the clock looks. An account that never had any credit is not told that it has none.
"""

from uuid import UUID

from sqlalchemy import text

from reseller.by_itself import each_by_itself
from reseller.database import transaction
from reseller.domain import ledger, outbox
from reseller.money import to_usd

AT_A_TIME = 500
EMPTY_NANO, AGAIN_NANO = 10_000_000, 20_000_000
"""Below one cent it is used up: a call reserves what it could cost, so the last of it is hardly ever reached. From two on it is not."""
EMPTIED = "balance.zero"

_FILLED = text(
    """SELECT m.account_id FROM event_marks m JOIN balances b ON b.account_id = m.account_id
        WHERE m.name = :name AND b.settled_nano >= :again"""
)
_EMPTY = text(
    """SELECT b.account_id FROM balances b JOIN accounts a ON a.id = b.account_id AND a.status = 'active'
        WHERE b.settled_nano < :empty AND b.entry_count > 0
          AND NOT EXISTS (SELECT FROM event_marks m WHERE m.account_id = b.account_id AND m.name = :name)
        ORDER BY b.account_id LIMIT :limit"""
)


def sweep() -> int:
    """Whoever's credit is used up is told; how many are. SomeFailed if somebody could not be told, once all others are."""
    with transaction() as session:
        outbox.told_no_more(EMPTIED, session.scalars(_FILLED, {"name": EMPTIED, "again": AGAIN_NANO}))
    with transaction() as session:
        empty = list(session.scalars(_EMPTY, {"name": EMPTIED, "empty": EMPTY_NANO, "limit": AT_A_TIME}))
    return each_by_itself(_tell, empty, of="telling of used up credit")


def _tell(account_id: UUID) -> bool:
    with transaction():
        settled_nano = ledger.balance_now(account_id).settled_nano
        if settled_nano >= EMPTY_NANO or not outbox.first_told(EMPTIED, account_id):
            return False
        outbox.announce("balance.zero", account_id, balance_usd=to_usd(settled_nano))
        return True

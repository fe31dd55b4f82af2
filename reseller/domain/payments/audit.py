"""Payments against the ledger and against the money that moved: each paid one is in both exactly once, any other in neither (R17, R19).

Money comes in by payments alone: what staff or a trial give is an adjustment, and no entry of a payment's kinds is without its payment.
"""

from collections.abc import Iterator

from sqlalchemy import RowMapping, text

from reseller.database import transaction
from reseller.domain.ledger import Mismatch
from reseller.money import format_nano

_COMPARED = text("""
WITH entries AS (
    SELECT split_part(reference, ':', 1) AS payment_id, account_id,
           coalesce(sum(amount_nano) FILTER (WHERE kind = 'top_up'), 0) AS top_up,
           coalesce(sum(amount_nano) FILTER (WHERE kind = 'bonus'), 0) AS bonus,
           coalesce(sum(amount_nano) FILTER (WHERE kind IN ('refund', 'dispute')), 0) AS back
      FROM ledger_entries WHERE kind IN ('top_up', 'bonus', 'refund', 'dispute') GROUP BY 1, 2
), moves AS (
    SELECT payment_id, account_id, sum(credit_nano) AS credit, coalesce(sum(amount_nano) FILTER (WHERE kind = 'payment'), 0) AS paid
      FROM payment_moves GROUP BY 1, 2
), wanted AS (
    SELECT id, account_id, CASE WHEN status = 'paid' THEN amount_nano ELSE 0 END AS top_up,
           CASE WHEN status = 'paid' THEN bonus_nano - taken_bonus_nano ELSE 0 END AS bonus,
           -taken_by_refunds_nano - taken_by_disputes_nano AS back,
           CASE WHEN status = 'paid' THEN coalesce(total_nano, amount_nano) ELSE 0 END AS paid
      FROM payments
)
SELECT coalesce(w.id::text, e.payment_id, m.payment_id::text) AS id, coalesce(w.account_id, e.account_id, m.account_id) AS account_id,
       w.id IS NULL AS is_nobodys, w.top_up AS wanted_top_up, w.bonus AS wanted_bonus, w.back AS wanted_back, w.paid AS wanted_paid,
       w.top_up + w.back AS wanted_credit, coalesce(e.top_up, 0) AS top_up, coalesce(e.bonus, 0) AS bonus, coalesce(e.back, 0) AS back,
       coalesce(m.paid, 0) AS paid, coalesce(m.credit, 0) AS credit
  FROM wanted w
  FULL JOIN entries e ON e.payment_id = w.id::text AND e.account_id = w.account_id
  FULL JOIN moves m ON m.payment_id = w.id AND m.account_id = w.account_id
 WHERE w.id IS NULL
    OR (w.top_up, w.bonus, w.back, w.paid, w.top_up + w.back)
       IS DISTINCT FROM (coalesce(e.top_up, 0), coalesce(e.bonus, 0), coalesce(e.back, 0), coalesce(m.paid, 0), coalesce(m.credit, 0))
 ORDER BY 1, 2
""")
_WORDS = {
    "top_up": "top-up entries of it",
    "bonus": "bonus entries of it",
    "back": "entries that took it back",
    "paid": "its moves of money paid",
    "credit": "credit in its moves",
}


def mismatches() -> Iterator[Mismatch]:
    """Every payment that the ledger or the moves have otherwise than its row says, and what they have of none. Nothing is changed."""
    with transaction() as session:
        rows = list(session.execute(_COMPARED).mappings())
    for row in rows:
        for problem in _problems(row):
            yield Mismatch(row["account_id"], f"payments {row['id']}", problem)


def _problems(row: RowMapping) -> Iterator[str]:
    if row["is_nobodys"]:
        moved = (f"{words} come to {format_nano(int(row[name]))}" for name, words in _WORDS.items() if row[name])
        yield f"this account has no such payment, but {', '.join(moved) or 'entries or moves that cancel out'}"
        return
    for name, words in _WORDS.items():
        if row[name] != row[f"wanted_{name}"]:
            yield f"{words} come to {format_nano(int(row[name]))} instead of {format_nano(int(row[f'wanted_{name}']))}"

"""Every table either loses rows by a rule or is kept for ever for a reason, and no money is ever forgotten (R36)."""

from reseller.database import Base
from reseller.domain.retention import KEPT, POLICY

MONEY = {
    "ledger_entries", "balances", "holds", "adjustments", "payments", "payment_moves", "payment_refunds", "payment_disputes",
    "suspense_items", "credit_days", "carried_charges", "staff_actions",
}  # fmt: skip
TABLES = set(Base.metadata.tables)


def test_every_table_is_in_the_list_once() -> None:
    forgotten = [rule.table for rule in POLICY]
    unsaid = TABLES - set(forgotten) - set(KEPT)

    assert not unsaid, f"Say in reseller/domain/retention/policy.py how long rows are kept, or why for ever: {sorted(unsaid)}"
    assert not set(forgotten) & set(KEPT), "A table is either forgotten or kept"
    assert len(forgotten) == len(set(forgotten))


def test_the_list_names_no_table_that_is_gone() -> None:
    assert not ({rule.table for rule in POLICY} | set(KEPT)) - TABLES


def test_no_money_is_forgotten() -> None:
    """R2, R36."""
    assert MONEY <= TABLES
    assert not MONEY & {rule.table for rule in POLICY}


def test_every_rule_says_how_long_and_why() -> None:
    assert all(rule.kept and rule.why for rule in POLICY)
    assert all(KEPT.values())

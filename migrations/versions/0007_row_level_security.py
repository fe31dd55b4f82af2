"""Each account's rows are seen by transactions that act for it, or openly for the operator (promise R23)

A transaction that has said nothing sees nothing. Forced, so that owning the tables does not switch it off.
"""

from alembic import op

revision = "0007_row_level_security"
down_revision = "0006_clock"
branch_labels = None
depends_on = None

ACTING = "current_setting('reseller.acting_for', true)"
OWNED = (
    "memberships", "api_keys", "staff_actions", "rate_limits", "request_counters", "balances", "ledger_entries", "holds", "usage_logs",
)


def upgrade() -> None:
    for table in OWNED:
        _protect(table, f"{ACTING} = 'operator' OR account_id::text = {ACTING}")
    _protect("accounts", f"{ACTING} = 'operator' OR id::text = {ACTING}")
    # Rules for everybody may be read by anybody; only the operator writes any.
    _protect("pricing_rules", f"{ACTING} = 'operator' OR account_id IS NULL OR account_id::text = {ACTING}", check=f"{ACTING} = 'operator'")
    for partition in _months():
        _close(partition)


def downgrade() -> None:
    for table in (*OWNED, "accounts", "pricing_rules"):
        op.execute(f"DROP POLICY account_rows ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for partition in _months():
        op.execute(f"ALTER TABLE {partition} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {partition} DISABLE ROW LEVEL SECURITY")


def _protect(table: str, visible: str, check: str | None = None) -> None:
    _close(table)
    op.execute(f"CREATE POLICY account_rows ON {table} USING ({visible}) WITH CHECK ({check or visible})")


def _close(table: str) -> None:
    """Without a policy nobody reads a month directly; through its parent the parent's policy holds."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _months() -> list[str]:
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_logs'::regclass"
    return [row[0] for row in op.get_bind().exec_driver_sql(query)]

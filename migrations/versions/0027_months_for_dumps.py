"""Months of usage are read one by one by the operator, too: a dump does so (promise R35)

Without a policy of its own a month looked empty to the role that owns it. No account reads one past the parent's policy, as before.
"""

from alembic import op

revision = "0027_months_for_dumps"
down_revision = "0026_outbox"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"


def upgrade() -> None:
    for month in _months():
        op.execute(f"CREATE POLICY operator_rows ON {month} USING ({OPERATOR}) WITH CHECK ({OPERATOR})")


def downgrade() -> None:
    for month in _months():
        op.execute(f"DROP POLICY IF EXISTS operator_rows ON {month}")


def _months() -> list[str]:
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage_logs'::regclass"
    return [row[0] for row in op.get_bind().exec_driver_sql(query)]

"""What Stripe told and what was put aside is the operator's: no account sees it, not even what is about itself (promise R23)

Both may be about nobody of ours, and hold what Stripe knows of whoever paid.
"""

from alembic import op

revision = "0024_words_of_stripe"
down_revision = "0023_payments"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"
OPERATORS = ("stripe_events", "suspense_items")


def upgrade() -> None:
    for table in OPERATORS:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY operator_rows ON {table} USING ({OPERATOR}) WITH CHECK ({OPERATOR})")


def downgrade() -> None:
    for table in OPERATORS:
        op.execute(f"DROP POLICY operator_rows ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

"""How long each account's calls took, by key and model, in the quarter-hours of its sums"""

import sqlalchemy as sa
from alembic import op

revision = "0015_usage_latencies"
down_revision = "0014_active_windows"
branch_labels = None
depends_on = None

# As a subquery it is evaluated once a statement, not once a row.
ACTING = "(SELECT current_setting('reseller.acting_for', true))"


def upgrade() -> None:
    op.create_table('usage_latencies',
        sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('api_key_id', sa.Uuid(), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        sa.Column('bucket', sa.Integer(), nullable=False),
        sa.Column('calls', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('starts_at', 'account_id', 'api_key_id', 'model', 'is_test', 'bucket', name=op.f('pk_usage_latencies'))
    )
    op.create_index('ix_usage_latencies_account_id_starts_at', 'usage_latencies', ['account_id', 'starts_at'], unique=False)
    visible = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"
    op.execute("ALTER TABLE usage_latencies ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE usage_latencies FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account_rows ON usage_latencies USING ({visible}) WITH CHECK ({visible})")
    # The clock fills it: its next run looks at every row anew, a day at a time.
    op.execute("UPDATE rollup_marks SET settled_until = '2000-01-01 00:00:00+00'")


def downgrade() -> None:
    op.drop_table("usage_latencies")

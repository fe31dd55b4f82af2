"""How long each account's calls took, in the quarter-hours of its sums; indexes that hold what is summed"""

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
    # Rows of one account lie all over both tables: an index that holds what is summed is read instead, from end to end.
    op.create_index(
        'ix_usage_latencies_account_id_starts_at', 'usage_latencies', ['account_id', 'starts_at'], unique=False,
        postgresql_include=['api_key_id', 'model', 'is_test', 'bucket', 'calls'],
    )
    op.drop_index('ix_usage_hours_account_id_starts_at', table_name='usage_hours')
    op.create_index(
        'ix_usage_hours_account_id_starts_at', 'usage_hours', ['account_id', 'starts_at'], unique=False,
        postgresql_include=['api_key_id', 'model', 'is_test', 'calls', 'refused', 'errors', 'prompt_tokens', 'completion_tokens', 'charge_nano'],
    )
    visible = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"
    op.execute("ALTER TABLE usage_latencies ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE usage_latencies FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account_rows ON usage_latencies USING ({visible}) WITH CHECK ({visible})")
    # The clock fills it: its next run looks at every row anew, a day at a time.
    op.execute("UPDATE rollup_marks SET settled_until = '2000-01-01 00:00:00+00'")


def downgrade() -> None:
    op.drop_index('ix_usage_hours_account_id_starts_at', table_name='usage_hours')
    op.create_index('ix_usage_hours_account_id_starts_at', 'usage_hours', ['account_id', 'starts_at'], unique=False)
    op.drop_table("usage_latencies")

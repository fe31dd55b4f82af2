"""Sums of accounts by months that are over: ranges of many days are read from few rows"""

import sqlalchemy as sa
from alembic import op

revision = "0040_account_months"
down_revision = "0039_told_prices"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"
VISIBLE = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"


def upgrade() -> None:
    op.create_table('account_months',
        sa.Column('month', sa.Date(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('calls', sa.BigInteger(), nullable=False),
        sa.Column('refused', sa.BigInteger(), nullable=False),
        sa.Column('errors', sa.BigInteger(), nullable=False),
        sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
        sa.Column('completion_tokens', sa.BigInteger(), nullable=False),
        sa.Column('charge_nano', sa.BigInteger(), nullable=False),
        sa.Column('cost_usd', sa.Numeric(), nullable=False),
        sa.Column('overage_loss_nano', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('month', 'account_id', name=op.f('pk_account_months'))
    )
    op.create_index('ix_account_months_account_id_month', 'account_months', ['account_id', 'month'], unique=False)
    op.execute("ALTER TABLE account_months ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE account_months FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account_rows ON account_months USING ({VISIBLE}) WITH CHECK ({VISIBLE})")


def downgrade() -> None:
    op.drop_table('account_months')
    op.execute("DELETE FROM rollup_marks WHERE name = 'months'")  # quick: one row

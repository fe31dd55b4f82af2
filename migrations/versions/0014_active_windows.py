"""How many accounts were active in the 24 hours from each quarter-hour: daily active accounts of any time zone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014_active_windows"
down_revision = "0013_usage_hours"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"


def upgrade() -> None:
    op.create_table('active_windows',
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('accounts', postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint('day', name=op.f('pk_active_windows'))
    )
    op.execute("ALTER TABLE active_windows ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE active_windows FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY operator_rows ON active_windows USING ({ACTING} = 'operator') WITH CHECK ({ACTING} = 'operator')")
    # Whether an account was active in a range is one look for each account, however many calls there are.
    op.create_index('ix_account_days_account_id_day', 'account_days', ['account_id', 'day'], unique=False)
    # Sums that are there already have no windows yet: the next run makes them all anew.
    op.execute("DELETE FROM rollup_marks")


def downgrade() -> None:
    op.drop_index('ix_account_days_account_id_day', table_name='account_days')
    op.drop_table('active_windows')

"""Months of calls that are not kept any more, and what of them the audit still counts

Jobs whose work the list of retention has taken over have no row any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033_dropped_months"
down_revision = "0032_service_status"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"


def upgrade() -> None:
    op.create_table('dropped_months',
        sa.Column('month', sa.Date(), nullable=False),
        sa.Column('kept_months', sa.Integer(), nullable=False),
        sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('dropped_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('month', name=op.f('pk_dropped_months'))
    )
    op.create_table('carried_charges',
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('month', sa.Date(), nullable=False),
        sa.Column('charge_nano', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('account_id', 'day', 'month', name=op.f('pk_carried_charges'))
    )
    op.execute("ALTER TABLE carried_charges ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE carried_charges FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY operator_rows ON carried_charges USING ({OPERATOR}) WITH CHECK ({OPERATOR})")
    op.execute("DELETE FROM job_runs WHERE name IN ('forget sign-ins', 'forget letters', 'forget alarms', 'forget payment events', 'forget registrations')")  # quick: one row a job


def downgrade() -> None:
    op.drop_table('carried_charges')
    op.drop_table('dropped_months')

"""How often the clock raised each alarm, and how often each job ran and failed: counted for ever, so that a rate can be read"""

import sqlalchemy as sa
from alembic import op

revision = "0030_alarms_and_runs"
down_revision = "0029_alarms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('clock_alarms',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('raised', sa.BigInteger(), nullable=False),
        sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_clock_alarms'))
    )
    op.add_column('job_runs', sa.Column('runs', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('job_runs', sa.Column('failures', sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('job_runs', 'failures')
    op.drop_column('job_runs', 'runs')
    op.drop_table('clock_alarms')

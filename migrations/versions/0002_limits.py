"""What an account may ask for, and what it has asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0002_limits"
down_revision = '0001_accounts_and_keys'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rate_limits',
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('requests_per_minute', sa.Integer(), nullable=True),
        sa.Column('requests_per_hour', sa.Integer(), nullable=True),
        sa.Column('requests_per_day', sa.Integer(), nullable=True),
        sa.Column('max_tokens_per_request', sa.Integer(), nullable=True),
        sa.Column('concurrent_requests', sa.Integer(), nullable=True),
        sa.CheckConstraint('max_tokens_per_request > 0 AND concurrent_requests > 0', name=op.f('ck_rate_limits_sizes_positive')),
        sa.CheckConstraint('requests_per_minute > 0 AND requests_per_hour > 0 AND requests_per_day > 0', name=op.f('ck_rate_limits_windows_positive')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_rate_limits_account_id_accounts')),
        sa.PrimaryKeyConstraint('account_id', name=op.f('pk_rate_limits'))
    )
    op.create_table('request_counters',
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('minute', sa.LargeBinary(), nullable=False),
        sa.Column('hour', sa.LargeBinary(), nullable=False),
        sa.Column('day', sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_request_counters_account_id_accounts')),
        sa.PrimaryKeyConstraint('account_id', name=op.f('pk_request_counters'))
    )


def downgrade() -> None:
    op.drop_table("request_counters")
    op.drop_table("rate_limits")

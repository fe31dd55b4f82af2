"""One row for each call, by month"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_usage"
down_revision = '0004_ledger'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('usage_logs',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('api_key_id', sa.Uuid(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('error_code', sa.Text(), nullable=True),
        sa.Column('endpoint', sa.Text(), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('served_model', sa.Text(), nullable=True),
        sa.Column('upstream', sa.Text(), nullable=True),
        sa.Column('generation_id', sa.Text(), nullable=True),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        sa.Column('is_stream', sa.Boolean(), nullable=False),
        sa.Column('prompt_tokens', sa.Integer(), nullable=False),
        sa.Column('completion_tokens', sa.Integer(), nullable=False),
        sa.Column('total_tokens', sa.Integer(), nullable=False),
        sa.Column('cached_tokens', sa.Integer(), nullable=False),
        sa.Column('cache_write_tokens', sa.Integer(), nullable=False),
        sa.Column('reasoning_tokens', sa.Integer(), nullable=False),
        sa.Column('usage_details', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column('cost_usd', sa.Numeric(), nullable=True),
        sa.Column('cost_source', sa.Text(), nullable=False),
        sa.Column('charge_nano', sa.BigInteger(), nullable=False),
        sa.Column('hold_nano', sa.BigInteger(), nullable=False),
        sa.Column('overage_loss_nano', sa.BigInteger(), nullable=False),
        sa.Column('price_version', sa.BigInteger(), nullable=True),
        sa.Column('rule_id', sa.Uuid(), nullable=True),
        sa.Column('markup_percent', sa.Numeric(), nullable=True),
        sa.Column('min_cost_nano', sa.BigInteger(), nullable=True),
        sa.Column('flag', sa.Text(), nullable=True),
        sa.Column('request_metadata', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('response_metadata', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('posted_on', sa.Date(), nullable=True),
        sa.CheckConstraint('charge_nano >= 0 AND overage_loss_nano >= 0', name=op.f('ck_usage_logs_charges_not_negative')),
        sa.PrimaryKeyConstraint('id', 'created_at', name=op.f('pk_usage_logs')),
        postgresql_partition_by='RANGE (created_at)'
    )
    op.create_index('ix_usage_logs_account_id_created_at', 'usage_logs', ['account_id', 'created_at'], unique=False)
    op.create_index('ix_usage_logs_created_at', 'usage_logs', ['created_at'], unique=False, postgresql_using='brin')
    # Room for the first months; from then on a job makes them ahead of time. On a first of the month there may be
    # processes whose clock has not got there.
    month = (datetime.now(UTC) - timedelta(days=1)).date().replace(day=1)
    for _ in range(4):
        following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
        name = f"usage_logs_{month:%Y_%m}"
        op.execute(
            f"CREATE TABLE {name} PARTITION OF usage_logs FOR VALUES FROM ('{month} 00:00:00+00') TO ('{following} 00:00:00+00')"
        )
        month = following


def downgrade() -> None:
    op.drop_table("usage_logs")

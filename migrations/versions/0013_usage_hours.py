"""Sums of usage by quarter-hour and day; every usage row says when it was settled

An account sees the sums of its own calls; sums over all accounts are the operator's.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_usage_hours"
down_revision = "0012_call_list"
branch_labels = None
depends_on = None

# As a subquery it is evaluated once a statement, not once a row.
ACTING = "(SELECT current_setting('reseller.acting_for', true))"
OWNED = ("usage_hours", "account_days")
OPERATORS = ("traffic_hours", "traffic_days", "traffic_totals")
TRAFFIC_KEY = ('is_test', 'model', 'upstream', 'endpoint', 'status', 'error_code')


def upgrade() -> None:
    op.execute("UPDATE usage_logs SET settled_at = created_at WHERE settled_at IS NULL")
    op.alter_column('usage_logs', 'settled_at', nullable=False, server_default=sa.text('now()'))
    op.create_index(
        'ix_usage_logs_settled_at', 'usage_logs', ['settled_at'], unique=False, postgresql_using='brin',
        postgresql_with={'pages_per_range': 32, 'autosummarize': 'on'},
    )
    op.create_table('usage_hours',
        sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('api_key_id', sa.Uuid(), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        *_sums(),
        sa.PrimaryKeyConstraint('starts_at', 'account_id', 'api_key_id', 'model', 'is_test', name=op.f('pk_usage_hours'))
    )
    op.create_index('ix_usage_hours_account_id_starts_at', 'usage_hours', ['account_id', 'starts_at'], unique=False)
    op.create_table('account_days',
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('quarters', postgresql.BIT(length=96), nullable=False),
        *_sums(),
        sa.PrimaryKeyConstraint('day', 'account_id', name=op.f('pk_account_days'))
    )
    op.create_table('traffic_hours',
        sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
        *_traffic_key(), *_sums(), *_latencies(),
        sa.PrimaryKeyConstraint('starts_at', *TRAFFIC_KEY, name=op.f('pk_traffic_hours'))
    )
    op.create_table('traffic_days',
        sa.Column('day', sa.Date(), nullable=False),
        *_traffic_key(), *_sums(), *_latencies(),
        sa.PrimaryKeyConstraint('day', *TRAFFIC_KEY, name=op.f('pk_traffic_days'))
    )
    op.create_table('traffic_totals',
        sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        *_sums(), *_latencies(),
        sa.PrimaryKeyConstraint('starts_at', 'is_test', name=op.f('pk_traffic_totals'))
    )
    op.create_table('rollup_marks',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('settled_until', sa.DateTime(timezone=True), nullable=False),
        sa.Column('rolled_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_rollup_marks'))
    )
    for table in OWNED:
        _close(table, "account_rows", f"{ACTING} = 'operator' OR account_id::text = {ACTING}")
    for table in OPERATORS:
        _close(table, "operator_rows", f"{ACTING} = 'operator'")
    op.add_column('processes', sa.Column('cpu_seconds', sa.Double(), server_default='0', nullable=False))
    op.add_column('processes', sa.Column('cpu_percent', sa.Double(), server_default='0', nullable=False))
    # What customers paid in and got back, by time: few entries beside those of usage, which this index does not hold.
    op.create_index(
        'ix_ledger_entries_payments', 'ledger_entries', ['created_at'], unique=False,
        postgresql_where=sa.text("kind IN ('top_up', 'refund', 'dispute')"),
    )


def downgrade() -> None:
    op.drop_column('processes', 'cpu_percent')
    op.drop_column('processes', 'cpu_seconds')
    op.drop_index('ix_ledger_entries_payments', table_name='ledger_entries')
    for table in ("rollup_marks", *OPERATORS, *OWNED):
        op.drop_table(table)
    op.drop_index('ix_usage_logs_settled_at', table_name='usage_logs')
    op.alter_column('usage_logs', 'settled_at', nullable=True, server_default=None)


def _sums() -> list[sa.Column]:
    return [
        sa.Column('calls', sa.BigInteger(), nullable=False),
        sa.Column('refused', sa.BigInteger(), nullable=False),
        sa.Column('errors', sa.BigInteger(), nullable=False),
        sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
        sa.Column('completion_tokens', sa.BigInteger(), nullable=False),
        sa.Column('charge_nano', sa.BigInteger(), nullable=False),
        sa.Column('cost_usd', sa.Numeric(), nullable=False),
        sa.Column('overage_loss_nano', sa.BigInteger(), nullable=False),
    ]


def _traffic_key() -> list[sa.Column]:
    return [sa.Column(name, sa.Boolean() if name == 'is_test' else sa.Text(), nullable=False) for name in TRAFFIC_KEY]


def _latencies() -> list[sa.Column]:
    return [sa.Column(name, postgresql.ARRAY(sa.Integer()), nullable=True) for name in ('total_ms', 'first_byte_ms', 'added_ms')]


def _close(table: str, policy: str, visible: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {policy} ON {table} USING ({visible}) WITH CHECK ({visible})")

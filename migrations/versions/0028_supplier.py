"""What the upstream says it billed beside what we booked, and the credit that is left there

All of it is the operator's: no account sees any.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028_supplier"
down_revision = "0027_months_for_dumps"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"
TABLES = ("supplier_models", "supplier_days", "supplier_items", "supplier_credits", "supplier_balances")


def upgrade() -> None:
    op.create_table('supplier_models',
        *_day_of_upstream(),
        sa.Column('model', sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ('requests', 'prompt_tokens', 'completion_tokens', 'reasoning_tokens')),
        *_dollars('told_usd', 'byok_usd'),
        sa.Column('names', postgresql.ARRAY(sa.Text()), nullable=False),
        *(sa.Column(f'booked_{name}', sa.BigInteger(), nullable=False) for name in ('calls', 'prompt_tokens', 'completion_tokens')),
        *_dollars('booked_usd', 'drift_usd'),
        sa.PrimaryKeyConstraint('upstream', 'day', 'model', name=op.f('pk_supplier_models'))
    )
    op.create_table('supplier_days',
        *_day_of_upstream(),
        sa.Column('compared_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('is_of_key', sa.Boolean(), nullable=False),
        sa.Column('is_final', sa.Boolean(), nullable=False),
        sa.Column('requests', sa.BigInteger(), nullable=False),
        *_dollars('told_usd', 'byok_usd'),
        sa.Column('booked_calls', sa.BigInteger(), nullable=False),
        *_dollars('booked_usd', 'drift_usd'),
        sa.PrimaryKeyConstraint('upstream', 'day', name=op.f('pk_supplier_days'))
    )
    op.create_table('supplier_items',
        sa.Column('id', sa.Uuid(), nullable=False),
        *_day_of_upstream(),
        *_dollars('told_usd', 'booked_usd', 'drift_usd'),
        sa.Column('suspects', postgresql.JSONB(), nullable=False),
        sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('resolved_by', sa.Text(), nullable=True),
        sa.Column('resolution', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('(resolved_at IS NULL) = (resolved_by IS NULL)', name=op.f('ck_supplier_items_resolved_by_somebody')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_supplier_items')),
        sa.UniqueConstraint('upstream', 'day', name=op.f('uq_supplier_items_upstream_day'))
    )
    op.create_index('ix_supplier_items_open', 'supplier_items', ['id'], unique=False, postgresql_where='resolved_at IS NULL')
    op.create_table('supplier_credits',
        sa.Column('upstream', sa.Text(), nullable=False),
        sa.Column('read_at', sa.DateTime(timezone=True), nullable=False),
        *_dollars('bought_usd', 'used_usd'),
        sa.PrimaryKeyConstraint('upstream', 'read_at', name=op.f('pk_supplier_credits'))
    )
    op.create_table('supplier_balances',
        sa.Column('upstream', sa.Text(), nullable=False),
        sa.Column('low_since', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('upstream', name=op.f('pk_supplier_balances'))
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY operator_rows ON {table} USING ({OPERATOR}) WITH CHECK ({OPERATOR})")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _day_of_upstream() -> list[sa.Column]:
    return [sa.Column('upstream', sa.Text(), nullable=False), sa.Column('day', sa.Date(), nullable=False)]


def _dollars(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Numeric(), nullable=False) for name in names]

"""Notes, adjustments with approval, limit presets and limits for a while, jobs on request, what an operator confirmed

Notes and adjustments are the operator's own: no account sees them, not even its own ones (promise R23).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_back_office"
down_revision = "0008_sign_in"
branch_labels = None
depends_on = None

OPERATOR = "current_setting('reseller.acting_for', true) = 'operator'"
OPERATORS = ("account_notes", "adjustments")
VERSIONED = ("rate_limits", "upstreams")


def upgrade() -> None:
    for table in VERSIONED:
        op.add_column(table, sa.Column('version', sa.Integer(), server_default='1', nullable=False))
    op.add_column('rate_limits', sa.Column('reverts_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('rate_limits', sa.Column('reverts_to', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column('staff_actions', sa.Column('address', sa.Text(), server_default='', nullable=False))
    op.add_column('job_runs', sa.Column('requested_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('limit_presets',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('requests_per_minute', sa.Integer(), nullable=True),
        sa.Column('requests_per_hour', sa.Integer(), nullable=True),
        sa.Column('requests_per_day', sa.Integer(), nullable=True),
        sa.Column('max_tokens_per_request', sa.Integer(), nullable=True),
        sa.Column('concurrent_requests', sa.Integer(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint('requests_per_minute > 0 AND requests_per_hour > 0 AND requests_per_day > 0', name=op.f('ck_limit_presets_windows_positive')),
        sa.CheckConstraint('max_tokens_per_request > 0 AND concurrent_requests > 0', name=op.f('ck_limit_presets_sizes_positive')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_limit_presets')),
        sa.UniqueConstraint('name', name=op.f('uq_limit_presets_name'))
    )
    op.create_table('account_notes',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('author', sa.Text(), nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_account_notes_account_id_accounts')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_account_notes'))
    )
    op.create_index(op.f('ix_account_notes_account_id'), 'account_notes', ['account_id'], unique=False)
    op.create_table('adjustments',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('requested_by_id', sa.Uuid(), nullable=False),
        sa.Column('decided_by_id', sa.Uuid(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('decision_note', sa.Text(), nullable=False),
        sa.Column('entry_id', sa.Uuid(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'posted', 'rejected')", name=op.f('ck_adjustments_state_known')),
        sa.CheckConstraint('amount_nano <> 0', name=op.f('ck_adjustments_amount_not_zero')),
        sa.CheckConstraint(
            'decided_by_id IS NULL OR decided_by_id <> requested_by_id OR entry_id IS NULL', name=op.f('ck_adjustments_approved_by_another')
        ),
        sa.CheckConstraint("(state = 'posted') = (entry_id IS NOT NULL)", name=op.f('ck_adjustments_posted_has_entry')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_adjustments_account_id_accounts')),
        sa.ForeignKeyConstraint(['decided_by_id'], ['users.id'], name=op.f('fk_adjustments_decided_by_id_users')),
        sa.ForeignKeyConstraint(['entry_id'], ['ledger_entries.id'], name=op.f('fk_adjustments_entry_id_ledger_entries')),
        sa.ForeignKeyConstraint(['requested_by_id'], ['users.id'], name=op.f('fk_adjustments_requested_by_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_adjustments'))
    )
    op.create_index(op.f('ix_adjustments_account_id'), 'adjustments', ['account_id'], unique=False)
    op.create_index('ix_adjustments_requested_by_id_created_at', 'adjustments', ['requested_by_id', 'created_at'], unique=False)
    op.create_index(
        'ix_adjustments_waiting', 'adjustments', ['created_at'], unique=False, postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_table('confirmations',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('confirmed_by_id', sa.Uuid(), nullable=False),
        sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('note', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['confirmed_by_id'], ['users.id'], name=op.f('fk_confirmations_confirmed_by_id_users')),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_confirmations'))
    )
    for table in OPERATORS:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY operator_rows ON {table} USING ({OPERATOR}) WITH CHECK ({OPERATOR})")


def downgrade() -> None:
    for table in ("confirmations", "adjustments", "account_notes", "limit_presets"):
        op.drop_table(table)
    op.drop_column('job_runs', 'requested_at')
    op.drop_column('staff_actions', 'address')
    op.drop_column('rate_limits', 'reverts_to')
    op.drop_column('rate_limits', 'reverts_at')
    for table in VERSIONED:
        op.drop_column(table, 'version')

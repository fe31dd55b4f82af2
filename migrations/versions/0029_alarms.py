"""Alarms are rows as long as they last, and the operator is told of them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029_alarms"
down_revision = "0028_supplier"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"


def upgrade() -> None:
    op.create_table('alarms',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('alarm', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('words', sa.Text(), nullable=False),
        sa.Column('times', sa.BigInteger(), nullable=False),
        sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('acknowledged_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('acknowledged_by', sa.Text(), nullable=True),
        sa.Column('note', sa.Text(), nullable=False),
        sa.Column('cleared_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('cleared_by', sa.Text(), nullable=True),
        sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('told_over_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alarms'))
    )
    op.create_index('uq_alarms_open', 'alarms', ['alarm', 'subject'], unique=True, postgresql_where='cleared_at IS NULL')
    op.create_index('ix_alarms_alarm_subject_told_at', 'alarms', ['alarm', 'subject', 'told_at'], unique=False)
    op.create_table('alarm_messages',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('alarm_id', sa.Uuid(), nullable=False),
        sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name=op.f('ck_alarm_messages_state_known')),
        sa.ForeignKeyConstraint(['alarm_id'], ['alarms.id'], name=op.f('fk_alarm_messages_alarm_id_alarms')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm_messages'))
    )
    op.create_index(op.f('ix_alarm_messages_alarm_id'), 'alarm_messages', ['alarm_id'], unique=False)
    op.create_index('ix_alarm_messages_due', 'alarm_messages', ['next_try_at'], unique=False, postgresql_where="state = 'waiting'")
    for table in ("alarms", "alarm_messages"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY operator_rows ON {table} USING ({OPERATOR}) WITH CHECK ({OPERATOR})")


def downgrade() -> None:
    op.drop_table('alarm_messages')
    op.drop_table('alarms')

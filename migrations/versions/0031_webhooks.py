"""Where programs of customers are told of events, what they are told, and each try of it"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031_webhooks"
down_revision = "0030_alarms_and_runs"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"
VISIBLE = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"
TABLES = ("webhook_endpoints", "webhook_deliveries", "webhook_attempts")


def upgrade() -> None:
    # Ids of one millisecond have no order among themselves; whoever is told hears things in the order they happened.
    op.add_column('outbox', sa.Column('position', sa.BigInteger(), sa.Identity(always=True), nullable=False))  # quick: PostgreSQL numbers it; only keys have announced so far
    op.drop_index('ix_outbox_undispatched', table_name='outbox')
    op.create_index('ix_outbox_undispatched', 'outbox', ['position'], unique=False, postgresql_where=sa.text('dispatched_at IS NULL'))  # quick: the same few rows
    op.create_table('webhook_endpoints',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=True),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), nullable=False),
        sa.Column('events', postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column('sealed_secret', sa.Text(), nullable=False),
        sa.Column('sealed_old_secret', sa.Text(), nullable=True),
        sa.Column('old_secret_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('off_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('off_because', sa.Text(), nullable=True),
        sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
        sa.Column('is_slow', sa.Boolean(), nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('lease_id', sa.Uuid(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint("off_because IN ('by_owner', 'by_staff', 'gone', 'failing', 'removed')",
                           name=op.f('ck_webhook_endpoints_off_because_known')),
        sa.CheckConstraint('(off_because IS NULL) = (off_at IS NULL)', name=op.f('ck_webhook_endpoints_off_has_reason')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_webhook_endpoints_account_id_accounts')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_endpoints'))
    )
    op.create_index('ix_webhook_endpoints_account_id_id', 'webhook_endpoints', ['account_id', 'id'], unique=False)
    op.create_index('ix_webhook_endpoints_due', 'webhook_endpoints', ['due_at'], unique=False,
                    postgresql_where=sa.text('due_at IS NOT NULL AND off_at IS NULL'))
    op.create_index('ix_webhook_endpoints_leased', 'webhook_endpoints', ['leased_until'], unique=False,
                    postgresql_where=sa.text('leased_until IS NOT NULL'))
    op.create_table('webhook_deliveries',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('position', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=True),
        sa.Column('endpoint_id', sa.Uuid(), nullable=False),
        sa.Column('event_id', sa.Uuid(), nullable=False),
        sa.Column('event_name', sa.Text(), nullable=False),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('is_aside', sa.Boolean(), nullable=False),
        sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('kept_until', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('last_status', sa.Integer(), nullable=True),
        sa.Column('last_error', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name=op.f('ck_webhook_deliveries_state_known')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_webhook_deliveries_account_id_accounts')),
        sa.ForeignKeyConstraint(['endpoint_id'], ['webhook_endpoints.id'], name=op.f('fk_webhook_deliveries_endpoint_id_webhook_endpoints')),
        sa.ForeignKeyConstraint(['event_id'], ['outbox.id'], name=op.f('fk_webhook_deliveries_event_id_outbox'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_deliveries')),
        sa.UniqueConstraint('event_id', 'endpoint_id', name=op.f('uq_webhook_deliveries_event_id_endpoint_id')),
        sa.UniqueConstraint('position', name=op.f('uq_webhook_deliveries_position'))
    )
    op.create_index('ix_webhook_deliveries_account_id_position', 'webhook_deliveries', ['account_id', 'position'], unique=False)
    op.create_index('ix_webhook_deliveries_endpoint_id_position', 'webhook_deliveries', ['endpoint_id', 'position'], unique=False)
    op.create_index('ix_webhook_deliveries_waiting', 'webhook_deliveries', ['endpoint_id', 'position'], unique=False,
                    postgresql_where=sa.text("state = 'waiting'"))
    op.create_table('webhook_attempts',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=True),
        sa.Column('delivery_id', sa.Uuid(), nullable=False),
        sa.Column('endpoint_id', sa.Uuid(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('request_headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('status', sa.Integer(), nullable=True),
        sa.Column('answer_headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('answer', sa.Text(), nullable=False),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('took_ms', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_webhook_attempts_account_id_accounts')),
        sa.ForeignKeyConstraint(['delivery_id'], ['webhook_deliveries.id'], name=op.f('fk_webhook_attempts_delivery_id_webhook_deliveries'),
                                ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['endpoint_id'], ['webhook_endpoints.id'], name=op.f('fk_webhook_attempts_endpoint_id_webhook_endpoints')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_attempts'))
    )
    op.create_index('ix_webhook_attempts_delivery_id_id', 'webhook_attempts', ['delivery_id', 'id'], unique=False)
    op.create_index('ix_webhook_attempts_endpoint_id_id', 'webhook_attempts', ['endpoint_id', 'id'], unique=False)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY account_rows ON {table} USING ({VISIBLE}) WITH CHECK ({VISIBLE})")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index('ix_outbox_undispatched', table_name='outbox')
    op.create_index('ix_outbox_undispatched', 'outbox', ['id'], unique=False, postgresql_where=sa.text('dispatched_at IS NULL'))  # quick: rows of a month at most
    op.drop_column('outbox', 'position')

"""Payments, what became of them, and what Stripe has told us"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023_payments"
down_revision = "0022_company_of_accounts"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"
VISIBLE = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"
OWNED = ("payments", "payment_refunds", "payment_disputes", "payment_moves")
KINDS = "kind IN ('top_up', {}'usage', 'refund', 'dispute', 'adjustment')"

KEEP_MOVES = """
CREATE FUNCTION refuse_changed_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'moves of payments are never changed or deleted; write another one'
        USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    _kinds("'bonus', ", "usage_negative", "kind <> 'usage' OR amount_nano < 0", "usage_and_refund_negative")
    op.create_index('ix_ledger_entries_paid_in', 'ledger_entries', ['account_id', 'created_at'], unique=False,
        postgresql_include=['amount_nano'], postgresql_where="kind IN ('top_up', 'refund', 'dispute')")
    op.create_table('credit_days',
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('deferred_nano', sa.BigInteger(), nullable=False),
        sa.Column('owed_nano', sa.BigInteger(), nullable=False),
        sa.Column('sold_nano', sa.BigInteger(), nullable=False),
        sa.Column('back_nano', sa.BigInteger(), nullable=False),
        sa.Column('given_nano', sa.BigInteger(), nullable=False),
        sa.Column('used_nano', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('day', name=op.f('pk_credit_days'))
    )
    op.create_table('bonus_tiers',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('from_nano', sa.BigInteger(), nullable=False),
        sa.Column('bonus_percent', sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint('bonus_percent > 0 AND bonus_percent <= 100', name=op.f('ck_bonus_tiers_percent_possible')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_bonus_tiers')),
        sa.UniqueConstraint('from_nano', name=op.f('uq_bonus_tiers_from_nano'))
    )
    op.create_table('packs',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('label', sa.Text(), nullable=False),
        sa.Column('is_offered', sa.Boolean(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint('amount_nano > 0 AND amount_nano % 10000000 = 0', name=op.f('ck_packs_whole_cents')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_packs')),
        sa.UniqueConstraint('amount_nano', name=op.f('uq_packs_amount_nano'))
    )
    op.create_table('stripe_events',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('is_live', sa.Boolean(), nullable=False),
        sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('handled_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=True),
        sa.Column('problem', sa.Text(), nullable=False),
        sa.Column('body', postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("state IN ('received', 'applied', 'ignored')", name=op.f('ck_stripe_events_state_known')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_stripe_events'))
    )
    op.create_index(op.f('ix_stripe_events_payment_id'), 'stripe_events', ['payment_id'], unique=False)
    op.create_index('ix_stripe_events_received_at', 'stripe_events', ['received_at'], unique=False)
    op.create_index('ix_stripe_events_unapplied', 'stripe_events', ['received_at'], unique=False, postgresql_where="state = 'received'")
    op.create_table('payments',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=True),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('bonus_nano', sa.BigInteger(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('session_id', sa.Text(), nullable=True),
        sa.Column('intent_id', sa.Text(), nullable=True),
        sa.Column('charge_id', sa.Text(), nullable=True),
        sa.Column('customer_id', sa.Text(), nullable=True),
        sa.Column('checkout_url', sa.Text(), nullable=True),
        sa.Column('receipt_url', sa.Text(), nullable=True),
        sa.Column('invoice_url', sa.Text(), nullable=True),
        sa.Column('total_nano', sa.BigInteger(), nullable=True),
        sa.Column('fee_nano', sa.BigInteger(), nullable=True),
        sa.Column('taken_by_refunds_nano', sa.BigInteger(), nullable=False),
        sa.Column('taken_by_disputes_nano', sa.BigInteger(), nullable=False),
        sa.Column('taken_bonus_nano', sa.BigInteger(), nullable=False),
        sa.Column('reversals', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name=op.f('ck_payments_paid_has_time')),
        sa.CheckConstraint("status IN ('open', 'processing', 'expired', 'failed', 'paid')", name=op.f('ck_payments_status_known')),
        sa.CheckConstraint('amount_nano > 0 AND amount_nano % 10000000 = 0 AND bonus_nano >= 0', name=op.f('ck_payments_amounts_possible')),
        sa.CheckConstraint('taken_by_refunds_nano >= 0 AND taken_by_disputes_nano >= 0 AND taken_bonus_nano BETWEEN 0 AND bonus_nano AND taken_by_refunds_nano + taken_by_disputes_nano <= amount_nano', name=op.f('ck_payments_never_more_than_granted')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payments_account_id_accounts')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_payments_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_payments')),
        sa.UniqueConstraint('intent_id', name=op.f('uq_payments_intent_id')),
        sa.UniqueConstraint('session_id', name=op.f('uq_payments_session_id'))
    )
    op.create_index('ix_payments_account_id_id', 'payments', ['account_id', 'id'], unique=False)
    op.create_index(op.f('ix_payments_charge_id'), 'payments', ['charge_id'], unique=False)
    op.create_index('ix_payments_paid_at', 'payments', ['paid_at'], unique=False, postgresql_where='paid_at IS NOT NULL')
    op.create_index('ix_payments_unsettled', 'payments', ['id'], unique=False, postgresql_where="status IN ('open', 'processing')")
    op.create_table('payment_disputes',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('dispute_id', sa.Text(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('withdrawn_nano', sa.BigInteger(), nullable=False),
        sa.Column('fee_nano', sa.BigInteger(), nullable=False),
        sa.Column('movements', sa.Integer(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('evidence_due_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('withdrawn_nano >= 0 AND movements >= 0', name=op.f('ck_payment_disputes_amounts_possible')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payment_disputes_account_id_accounts')),
        sa.ForeignKeyConstraint(['payment_id'], ['payments.id'], name=op.f('fk_payment_disputes_payment_id_payments')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_disputes')),
        sa.UniqueConstraint('dispute_id', name=op.f('uq_payment_disputes_dispute_id'))
    )
    op.create_index(op.f('ix_payment_disputes_payment_id'), 'payment_disputes', ['payment_id'], unique=False)
    op.create_table('payment_refunds',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('refund_id', sa.Text(), nullable=True),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('asked', 'pending', 'succeeded', 'failed', 'canceled', 'refused')", name=op.f('ck_payment_refunds_status_known')),
        sa.CheckConstraint('amount_nano > 0', name=op.f('ck_payment_refunds_amount_positive')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payment_refunds_account_id_accounts')),
        sa.ForeignKeyConstraint(['payment_id'], ['payments.id'], name=op.f('fk_payment_refunds_payment_id_payments')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_refunds')),
        sa.UniqueConstraint('refund_id', name=op.f('uq_payment_refunds_refund_id'))
    )
    op.create_index('ix_payment_refunds_asked', 'payment_refunds', ['id'], unique=False, postgresql_where="status = 'asked'")
    op.create_index(op.f('ix_payment_refunds_payment_id'), 'payment_refunds', ['payment_id'], unique=False)
    op.create_table('payment_moves',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('credit_nano', sa.BigInteger(), nullable=False),
        sa.Column('tax_nano', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('payment', 'fee', 'refund', 'dispute', 'dispute_fee')", name=op.f('ck_payment_moves_kind_known')),
        sa.CheckConstraint("credit_nano = 0 AND tax_nano = 0 OR kind IN ('payment', 'refund', 'dispute')", name=op.f('ck_payment_moves_fees_are_fees')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payment_moves_account_id_accounts')),
        sa.ForeignKeyConstraint(['payment_id'], ['payments.id'], name=op.f('fk_payment_moves_payment_id_payments')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_moves'))
    )
    op.create_index('ix_payment_moves_created_at', 'payment_moves', ['created_at'], unique=False)
    op.create_index(op.f('ix_payment_moves_payment_id'), 'payment_moves', ['payment_id'], unique=False)
    op.create_table('suspense_items',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('payment_id', sa.Uuid(), nullable=True),
        sa.Column('event_id', sa.Text(), nullable=True),
        sa.Column('amount_nano', sa.BigInteger(), nullable=True),
        sa.Column('words', sa.Text(), nullable=False),
        sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('resolved_by', sa.Text(), nullable=True),
        sa.Column('resolution', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['payment_id'], ['payments.id'], name=op.f('fk_suspense_items_payment_id_payments')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_suspense_items')),
        sa.UniqueConstraint('kind', 'subject', name=op.f('uq_suspense_items_kind_subject'))
    )
    op.create_index('ix_suspense_items_open', 'suspense_items', ['id'], unique=False, postgresql_where='resolved_at IS NULL')
    op.execute(KEEP_MOVES)
    for event, scope in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        name = "payment_moves_no_truncate" if event == "TRUNCATE" else "payment_moves_append_only"
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON payment_moves FOR EACH {scope} EXECUTE FUNCTION refuse_changed_moves()")
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY account_rows ON {table} USING ({VISIBLE}) WITH CHECK ({VISIBLE})")


def downgrade() -> None:
    """Entries of a kind that there was not before are in the books for good: with them this refuses."""
    op.drop_table('suspense_items')
    op.drop_table('payment_moves')
    op.execute("DROP FUNCTION refuse_changed_moves()")
    op.drop_table('payment_refunds')
    op.drop_table('payment_disputes')
    op.drop_table('payments')
    op.drop_table('stripe_events')
    op.drop_table('packs')
    op.drop_table('bonus_tiers')
    op.drop_table('credit_days')
    op.drop_index('ix_ledger_entries_paid_in', table_name='ledger_entries')
    _kinds("", "usage_and_refund_negative", "kind NOT IN ('usage', 'refund') OR amount_nano < 0", "usage_negative")


def _kinds(more: str, name: str, rule: str, instead_of: str) -> None:
    """Entries may be of these kinds, and of these signs."""
    op.execute("ALTER TABLE ledger_entries DROP CONSTRAINT ck_ledger_entries_kind_known")
    op.execute(f"ALTER TABLE ledger_entries DROP CONSTRAINT ck_ledger_entries_{instead_of}")
    for constraint, condition in (("kind_known", KINDS.format(more)), (name, rule)):
        op.execute(f"ALTER TABLE ledger_entries ADD CONSTRAINT ck_ledger_entries_{constraint} CHECK ({condition})")

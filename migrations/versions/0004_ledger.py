"""Balances, the append-only ledger, and holds"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_ledger"
down_revision = '0003_prices'
branch_labels = None
depends_on = None

# Entries are corrected by new entries, never changed (promise R2).
REFUSE_CHANGES = """
CREATE FUNCTION reseller_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger entries are never changed or deleted; post a new entry that refers to this one'
        USING ERRCODE = 'restrict_violation';
END $$
"""

# Raises inside a statement whose parts touched another number of rows than they were meant to, so COMMIT never runs.
EXPECT = """
CREATE FUNCTION reseller_expect(what text, actual bigint, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF actual <> expected THEN
        RAISE EXCEPTION 'guard failed: % % instead of %', actual, what, expected USING ERRCODE = 'triggered_action_exception';
    END IF;
END $$
"""


def upgrade() -> None:
    op.create_table('balances',
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('settled_nano', sa.BigInteger(), nullable=False),
        sa.Column('held_nano', sa.BigInteger(), nullable=False),
        sa.Column('open_calls', sa.Integer(), nullable=False),
        sa.Column('reversal_floor_nano', sa.BigInteger(), nullable=False),
        sa.Column('usage_day', sa.Date(), nullable=False),
        sa.Column('unposted_nano', sa.BigInteger(), nullable=False),
        sa.Column('entry_count', sa.BigInteger(), nullable=False),
        sa.Column('entries_nano', sa.BigInteger(), nullable=False),
        sa.Column('last_hash', sa.Text(), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('held_nano >= 0 AND open_calls >= 0 AND unposted_nano >= 0', name=op.f('ck_balances_counts_not_negative')),
        sa.CheckConstraint('settled_nano - held_nano + reversal_floor_nano >= 0', name=op.f('ck_balances_no_overspend')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_balances_account_id_accounts')),
        sa.PrimaryKeyConstraint('account_id', name=op.f('pk_balances')),
        postgresql_with={'fillfactor': '50'}
    )
    op.create_table('ledger_entries',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('sequence', sa.BigInteger(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('balance_after_nano', sa.BigInteger(), nullable=False),
        sa.Column('reference', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('corrects_id', sa.Uuid(), nullable=True),
        sa.Column('previous_hash', sa.Text(), nullable=False),
        sa.Column('entry_hash', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind <> 'top_up' OR amount_nano > 0", name=op.f('ck_ledger_entries_top_up_positive')),
        sa.CheckConstraint("kind IN ('top_up', 'usage', 'refund', 'dispute', 'adjustment')", name=op.f('ck_ledger_entries_kind_known')),
        sa.CheckConstraint("kind NOT IN ('usage', 'refund') OR amount_nano < 0", name=op.f('ck_ledger_entries_usage_and_refund_negative')),
        sa.CheckConstraint('amount_nano <> 0', name=op.f('ck_ledger_entries_amount_not_zero')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_ledger_entries_account_id_accounts')),
        sa.ForeignKeyConstraint(['corrects_id'], ['ledger_entries.id'], name=op.f('fk_ledger_entries_corrects_id_ledger_entries')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_entries')),
        sa.UniqueConstraint('account_id', 'sequence', name=op.f('uq_ledger_entries_account_id_sequence')),
        sa.UniqueConstraint('kind', 'reference', name=op.f('uq_ledger_entries_kind_reference'))
    )
    op.create_table('holds',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('api_key_id', sa.Uuid(), nullable=False),
        sa.Column('process_id', sa.Uuid(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('key_nano', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('endpoint', sa.Text(), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('upstream', sa.Text(), nullable=False),
        sa.Column('is_test', sa.Boolean(), nullable=False),
        sa.Column('price_version', sa.BigInteger(), nullable=False),
        sa.Column('rule_id', sa.Uuid(), nullable=True),
        sa.Column('markup_percent', sa.Numeric(), nullable=False),
        sa.Column('min_cost_nano', sa.BigInteger(), nullable=False),
        sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
        sa.Column('request_metadata', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('generation_id', sa.Text(), nullable=True),
        sa.Column('draft', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column('chase_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('chase_attempts', sa.Integer(), nullable=False),
        sa.CheckConstraint('amount_nano >= 0 AND key_nano >= 0', name=op.f('ck_holds_amounts_not_negative')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_holds')),
        postgresql_with={'fillfactor': '70'}
    )
    op.create_index('ix_holds_account_id', 'holds', ['account_id'], unique=False)
    op.create_index('ix_holds_chase_at', 'holds', ['chase_at'], unique=False, postgresql_where='chase_at IS NOT NULL')
    op.create_index('ix_holds_process_id', 'holds', ['process_id'], unique=False)
    op.execute(REFUSE_CHANGES)
    for event in ("UPDATE OR DELETE", "TRUNCATE"):
        scope = "ROW" if event.startswith("UPDATE") else "STATEMENT"
        name = "ledger_entries_no_truncate" if event == "TRUNCATE" else "ledger_entries_append_only"
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON ledger_entries FOR EACH {scope} EXECUTE FUNCTION reseller_refuse_changes()"
        )
    op.execute(EXPECT)


def downgrade() -> None:
    op.execute("DROP FUNCTION reseller_expect(text, bigint, bigint)")
    op.drop_table("holds")
    op.drop_table("ledger_entries")
    op.drop_table("balances")
    op.execute("DROP FUNCTION reseller_refuse_changes()")

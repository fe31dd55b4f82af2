"""What an account is told about its balance and spending are rules of the account; keys know who made them

The line below which somebody was told of a low balance becomes a rule of the account they own. Downwards it is theirs again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034_alerts"
down_revision = "0033_dropped_months"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"
VISIBLE = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"
KINDS = "kind IN ('balance_amount', 'balance_percent', 'balance_days', 'budget_day', 'budget_month')"
DEFAULT_NANO = 5_000_000_000


def upgrade() -> None:
    op.execute("SELECT set_config('reseller.acting_for', 'operator', true)")
    op.create_table('alert_rules',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=True),
        sa.Column('number', sa.Integer(), nullable=True),
        sa.Column('api_key_id', sa.Uuid(), nullable=True),
        sa.Column('member_id', sa.Uuid(), nullable=True),
        sa.Column('by_mail', sa.Boolean(), nullable=False),
        sa.Column('is_armed', sa.Boolean(), nullable=False),
        sa.Column('armings', sa.Integer(), nullable=False),
        sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('fired_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint(KINDS, name=op.f('ck_alert_rules_kind_known')),
        sa.CheckConstraint("(kind IN ('balance_percent', 'balance_days')) = (amount_nano IS NULL)", name=op.f('ck_alert_rules_amount_where_dollars')),
        sa.CheckConstraint("(amount_nano IS NULL) = (number IS NOT NULL)", name=op.f('ck_alert_rules_one_line')),
        sa.CheckConstraint("api_key_id IS NULL OR member_id IS NULL", name=op.f('ck_alert_rules_one_subject')),
        sa.CheckConstraint("kind LIKE 'budget%' OR (api_key_id IS NULL AND member_id IS NULL)", name=op.f('ck_alert_rules_only_budgets_have_subjects')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_alert_rules_account_id_accounts')),
        sa.ForeignKeyConstraint(['api_key_id'], ['api_keys.id'], name=op.f('fk_alert_rules_api_key_id_api_keys')),
        sa.ForeignKeyConstraint(['member_id'], ['users.id'], name=op.f('fk_alert_rules_member_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_rules'))
    )
    op.create_index(op.f('ix_alert_rules_account_id'), 'alert_rules', ['account_id'], unique=False)
    op.create_table('alerts',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('rule_id', sa.Uuid(), nullable=True),
        sa.Column('crossing', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('line', sa.Text(), nullable=False),
        sa.Column('about', sa.Text(), nullable=False),
        sa.Column('value_nano', sa.BigInteger(), nullable=False),
        sa.Column('starts_on', sa.Date(), nullable=True),
        sa.Column('dismissed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('dismissed_by', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_alerts_account_id_accounts')),
        sa.ForeignKeyConstraint(['rule_id'], ['alert_rules.id'], name=op.f('fk_alerts_rule_id_alert_rules'), ondelete='SET NULL'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alerts')),
        sa.UniqueConstraint('rule_id', 'crossing', name=op.f('uq_alerts_rule_id_crossing'))
    )
    op.create_index('ix_alerts_account_id_id', 'alerts', ['account_id', 'id'], unique=False)
    for table in ("alert_rules", "alerts"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY account_rows ON {table} USING ({VISIBLE}) WITH CHECK ({VISIBLE})")
    op.add_column('api_keys', sa.Column('made_by_id', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('fk_api_keys_made_by_id_users'), 'api_keys', 'users', ['made_by_id'], ['id'])  # quick: a column without a value yet
    _carry_over()
    op.add_column('notice_choices', sa.Column('tells_alerts', sa.Boolean(), server_default='true', nullable=False))
    op.alter_column('notice_choices', 'tells_alerts', server_default=None)
    op.drop_column('notice_choices', 'low_balance_nano')
    op.execute("DELETE FROM notices WHERE subject = 'balance'")  # quick: a row an owner
    op.drop_column('notices', 'is_armed')


def _carry_over() -> None:
    """Lines that owners chose, with whether the balance was above; the default for those who never chose; and who made keys."""
    op.execute(
        f"""INSERT INTO alert_rules (id, account_id, kind, amount_nano, by_mail, is_armed, armings, fired_at, created_at)
            SELECT DISTINCT ON (m.account_id, line) gen_random_uuid(), m.account_id, 'balance_amount', line, true,
                   coalesce(n.is_armed, false), coalesce(n.is_armed, false)::int, n.told_at, now()
              FROM memberships m LEFT JOIN notice_choices c ON c.user_id = m.user_id
              CROSS JOIN LATERAL (SELECT CASE WHEN c.user_id IS NULL THEN {DEFAULT_NANO} ELSE c.low_balance_nano END AS line) l
              LEFT JOIN notices n ON n.user_id = m.user_id AND n.account_id = m.account_id AND n.subject = 'balance'
             WHERE m.role = 'owner' AND line IS NOT NULL ORDER BY m.account_id, line, m.created_at"""
    )
    op.execute(  # quick: a row a key, found by the audit row of its making
        """UPDATE api_keys k SET made_by_id = u.id FROM staff_actions s JOIN users u ON 'user:' || u.id = s.actor
            WHERE s.action = 'key.create' AND s.subject_id = k.id::text"""
    )


def downgrade() -> None:
    op.execute("SELECT set_config('reseller.acting_for', 'operator', true)")
    op.add_column('notices', sa.Column('is_armed', sa.Boolean(), server_default='false', nullable=False))
    op.alter_column('notices', 'is_armed', server_default=None)
    op.add_column('notice_choices', sa.Column('low_balance_nano', sa.BigInteger(), nullable=True))
    op.execute(
        """UPDATE notice_choices c SET low_balance_nano =
             (SELECT max(r.amount_nano) FROM alert_rules r JOIN memberships m ON m.account_id = r.account_id
               WHERE m.user_id = c.user_id AND m.role = 'owner' AND r.kind = 'balance_amount' AND c.tells_alerts)"""
    )
    op.drop_column('notice_choices', 'tells_alerts')
    op.drop_constraint(op.f('fk_api_keys_made_by_id_users'), 'api_keys', type_='foreignkey')
    op.drop_column('api_keys', 'made_by_id')
    op.drop_table('alerts')
    op.drop_table('alert_rules')

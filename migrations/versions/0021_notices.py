"""What people want to be told by letter, and what they have been told"""

import sqlalchemy as sa
from alembic import op

revision = "0021_notices"
down_revision = "0020_letters_and_links"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"


def upgrade() -> None:
    op.create_table('notice_choices',
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('low_balance_nano', sa.BigInteger(), nullable=True),
        sa.Column('tells_key_expiry', sa.Boolean(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notice_choices_user_id_users')),
        sa.PrimaryKeyConstraint('user_id', name=op.f('pk_notice_choices'))
    )
    op.create_table('notices',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('is_armed', sa.Boolean(), nullable=False),
        sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_notices_account_id_accounts')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notices_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
        sa.UniqueConstraint('user_id', 'account_id', 'subject', name=op.f('uq_notices_user_id_account_id_subject'))
    )
    op.create_index(op.f('ix_notices_account_id'), 'notices', ['account_id'], unique=False)
    op.execute("ALTER TABLE notices ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE notices FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY operator_rows ON notices USING ({ACTING} = 'operator') WITH CHECK ({ACTING} = 'operator')")


def downgrade() -> None:
    op.drop_table('notices')
    op.drop_table('notice_choices')

"""Viewings: which member of staff looks at which customer's portal, since when and how long

They are the operator's own: no account sees them, not even those of itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019_viewings"
down_revision = "0018_key_lines"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"


def upgrade() -> None:
    op.create_table('viewings',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('session_id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('until', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_viewings_account_id_accounts')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_viewings_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_viewings'))
    )
    op.create_index(op.f('ix_viewings_account_id'), 'viewings', ['account_id'], unique=False)
    op.create_index(op.f('ix_viewings_user_id'), 'viewings', ['user_id'], unique=False)
    op.create_index('ix_viewings_open', 'viewings', ['session_id'], unique=True, postgresql_where=sa.text('ended_at IS NULL'))
    op.execute("ALTER TABLE viewings ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE viewings FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY operator_rows ON viewings USING ({ACTING} = 'operator') WITH CHECK ({ACTING} = 'operator')")


def downgrade() -> None:
    op.drop_table('viewings')

"""What was told by event and is not told again: credit that is used up, keys that expire, limits that were hit

Accounts whose credit is used up already know it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0038_event_marks"
down_revision = "0037_given_up"
branch_labels = None
depends_on = None

ACTING = "(SELECT current_setting('reseller.acting_for', true))"
VISIBLE = f"{ACTING} = 'operator' OR account_id::text = {ACTING}"


def upgrade() -> None:
    op.execute("SELECT set_config('reseller.acting_for', 'operator', true)")
    op.create_table('event_marks',
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('told_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_event_marks_account_id_accounts')),
        sa.PrimaryKeyConstraint('account_id', 'name', 'subject', name=op.f('pk_event_marks'))
    )
    op.execute(
        """INSERT INTO event_marks (account_id, name, subject, told_at)
           SELECT account_id, 'balance.zero', '', now() FROM balances WHERE settled_nano < 10000000 AND entry_count > 0"""
    )
    op.execute("ALTER TABLE event_marks ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE event_marks FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account_rows ON event_marks USING ({VISIBLE}) WITH CHECK ({VISIBLE})")


def downgrade() -> None:
    op.drop_table('event_marks')

"""What one of staff moves alone counts in one place, be it an adjustment or a refund of what is spent (promise R25)

Adjustments of the running day are taken over: nobody's cap begins anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025_cap_uses"
down_revision = "0024_words_of_stripe"
branch_labels = None
depends_on = None

OPERATOR = "(SELECT current_setting('reseller.acting_for', true)) = 'operator'"


def upgrade() -> None:
    op.create_table('cap_uses',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('amount_nano', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('amount_nano > 0', name=op.f('ck_cap_uses_amount_positive')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_cap_uses_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_cap_uses'))
    )
    op.create_index('ix_cap_uses_user_id_created_at', 'cap_uses', ['user_id', 'created_at'], unique=False)
    op.execute("ALTER TABLE cap_uses ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE cap_uses FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY operator_rows ON cap_uses USING ({OPERATOR}) WITH CHECK ({OPERATOR})")
    op.execute(
        "INSERT INTO cap_uses (id, user_id, amount_nano, created_at) SELECT id, requested_by_id, abs(amount_nano), created_at FROM adjustments "
        "WHERE state = 'posted' AND decided_by_id IS NULL AND created_at >= now() - interval '1 day'"
    )


def downgrade() -> None:
    op.drop_table('cap_uses')

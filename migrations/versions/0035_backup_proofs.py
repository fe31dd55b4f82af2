"""Which backups were restored elsewhere and proved (promise R35)"""

import sqlalchemy as sa
from alembic import op

revision = "0035_backup_proofs"
down_revision = "0034_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('backup_proofs',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('taken_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('bytes', sa.BigInteger(), nullable=False),
        sa.Column('accounts', sa.Integer(), nullable=False),
        sa.Column('entries', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_backup_proofs'))
    )
    op.create_index('ix_backup_proofs_taken_at', 'backup_proofs', ['taken_at'], unique=False)


def downgrade() -> None:
    op.drop_table('backup_proofs')

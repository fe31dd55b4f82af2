"""An alert knows since when its line is what it is: a budget that is lowered tells nothing of the months before"""

import sqlalchemy as sa
from alembic import op

revision = "0036_watched_since"
down_revision = "0035_backup_proofs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SELECT set_config('reseller.acting_for', 'operator', true)")
    # The default is for code of before, which goes on meanwhile and knows no such column.
    op.add_column('alert_rules', sa.Column('watched_since', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False))
    op.execute("UPDATE alert_rules SET watched_since = created_at")  # quick: at most twenty rows an account


def downgrade() -> None:
    op.drop_column('alert_rules', 'watched_since')

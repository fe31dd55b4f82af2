"""Indexes for what staff look for: calls that went wrong, calls above their hold, limits that end"""

import sqlalchemy as sa
from alembic import op

revision = "0010_customer_page"
down_revision = "0009_back_office"
branch_labels = None
depends_on = None

PARTIAL = (
    ("ix_usage_logs_errors", "usage_logs", ["account_id", "created_at"], "status IN ('refused', 'failed', 'partial', 'voided')"),
    ("ix_usage_logs_overage", "usage_logs", ["account_id", "created_at"], "overage_loss_nano > 0"),
    ("ix_rate_limits_reverts_at", "rate_limits", ["reverts_at"], "reverts_at IS NOT NULL"),
)


def upgrade() -> None:
    for name, table, columns, where in PARTIAL:
        op.create_index(name, table, columns, unique=False, postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in reversed(PARTIAL):
        op.drop_index(name, table_name=table)

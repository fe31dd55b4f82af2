"""Indexes for the list of calls: failures, and refusals by code. A call that went well enters none of them"""

import sqlalchemy as sa
from alembic import op

revision = "0012_call_list"
down_revision = "0011_books_and_operations"
branch_labels = None
depends_on = None

PARTIAL = (
    ("ix_usage_logs_status_id", ["status", "id"], "status <> 'completed'"),
    ("ix_usage_logs_error_code_id", ["error_code", "id"], "error_code IS NOT NULL"),
)


def upgrade() -> None:
    for name, columns, where in PARTIAL:
        op.create_index(name, "usage_logs", columns, unique=False, postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, _, _ in reversed(PARTIAL):
        op.drop_index(name, table_name="usage_logs")

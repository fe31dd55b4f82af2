"""Intervals of jobs, and indexes for what staff read: money entries, calls to look at, the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "0011_books_and_operations"
down_revision = "0010_customer_page"
branch_labels = None
depends_on = None

INDEXES = (
    # Payments, refunds, disputes and adjustments among very many days of usage.
    ("ix_ledger_entries_money", "ledger_entries", ["id"], "kind <> 'usage'"),
    # A call that went well costs this index nothing.
    ("ix_usage_logs_to_look_at", "usage_logs", ["id"], "overage_loss_nano > 0 OR flag IS NOT NULL"),
    ("ix_staff_actions_actor_id", "staff_actions", ["actor", "id"], None),
    ("ix_staff_actions_action_id", "staff_actions", ["action", "id"], None),
    ("ix_staff_actions_subject_id_id", "staff_actions", ["subject_id", "id"], None),
)


def upgrade() -> None:
    op.add_column('job_runs', sa.Column('every_seconds', sa.Integer(), nullable=True))
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns, unique=False, postgresql_where=sa.text(where) if where else None)


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_column('job_runs', 'every_seconds')

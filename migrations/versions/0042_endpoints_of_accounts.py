"""Every endpoint is an account's

Endpoints of the operator were allowed for and could never be made: alarms have a webhook of their own, by the environment.
"""

from alembic import op

revision = "0042_endpoints_of_accounts"
down_revision = "0041_outbox_for_everybody"
branch_labels = None
depends_on = None

TABLES = ("webhook_endpoints", "webhook_deliveries", "webhook_attempts")


def upgrade() -> None:
    for table in TABLES:
        op.alter_column(table, "account_id", nullable=False)  # quick: rows of some weeks, which no paid call waits for


def downgrade() -> None:
    for table in TABLES:
        op.alter_column(table, "account_id", nullable=True)

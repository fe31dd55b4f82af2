"""Deliveries that were given up are found by themselves: staff ask for them, and they are few among many"""

import sqlalchemy as sa
from alembic import op

revision = "0037_given_up"
down_revision = "0036_watched_since"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_webhook_deliveries_given_up', 'webhook_deliveries', ['position'], unique=False,
                    postgresql_where=sa.text("state = 'given_up'"))  # quick: reads the deliveries of a month once


def downgrade() -> None:
    op.drop_index('ix_webhook_deliveries_given_up', table_name='webhook_deliveries')

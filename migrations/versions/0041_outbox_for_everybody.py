"""What was told to everybody is read by the accounts that it was sent to

Such an event is no account's row. A delivery stands behind its account's wall, so only those to whom the event was sent
see it, and what is for the operator alone stays hidden. Nobody but the operator changes or removes it.
"""

from alembic import op

revision = "0041_outbox_for_everybody"
down_revision = "0040_account_months"
branch_labels = None
depends_on = None

WAS_SENT = "account_id IS NULL AND EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = outbox.id)"


def upgrade() -> None:
    op.execute(f"CREATE POLICY sent_rows ON outbox FOR SELECT USING ({WAS_SENT})")


def downgrade() -> None:
    op.execute("DROP POLICY sent_rows ON outbox")

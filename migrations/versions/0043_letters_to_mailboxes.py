"""Letters of the last hour to one mailbox are counted before another is written"""

from alembic import op

revision = "0043_letters_to_mailboxes"
down_revision = "0042_endpoints_of_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_letters_recipient_created_at', 'letters', ['recipient', 'created_at'],
                    unique=False)  # quick: reads the letters of a month once, and no paid call writes one


def downgrade() -> None:
    op.drop_index('ix_letters_recipient_created_at', table_name='letters')

"""A company is the account's alone"""

import sqlalchemy as sa
from alembic import op

revision = "0022_company_of_accounts"
down_revision = "0021_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("users", "company")


def downgrade() -> None:
    op.add_column("users", sa.Column("company", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE users SET company = accounts.company FROM memberships JOIN accounts ON accounts.id = memberships.account_id "
        "WHERE memberships.user_id = users.id AND memberships.role = 'owner'"
    )
    op.alter_column("users", "company", server_default=None)

"""Company, tax id and billing address of an account; accounts are versioned, since people edit them"""

import sqlalchemy as sa
from alembic import op

revision = "0016_company"
down_revision = "0015_usage_latencies"
branch_labels = None
depends_on = None

FIELDS = ("company", "tax_id", "billing_address")


def upgrade() -> None:
    op.add_column('accounts', sa.Column('version', sa.Integer(), server_default='1', nullable=False))
    for field in FIELDS:
        op.add_column('accounts', sa.Column(field, sa.Text(), server_default='', nullable=False))
    op.execute("SELECT set_config('reseller.acting_for', 'operator', true)")
    # Owners had named their companies when they registered.
    op.execute(
        "UPDATE accounts SET company = users.company FROM memberships JOIN users ON users.id = memberships.user_id "
        "WHERE memberships.account_id = accounts.id AND memberships.role = 'owner' AND users.company <> ''"
    )


def downgrade() -> None:
    for field in (*FIELDS, "version"):
        op.drop_column('accounts', field)

"""What customers were last told of each model: its list prices, and whether it was for sale"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0039_told_prices"
down_revision = "0038_event_marks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('told_prices',
        sa.Column('model_slug', sa.Text(), nullable=False),
        sa.Column('prices', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('is_for_sale', sa.Boolean(), nullable=False),
        sa.Column('told_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['model_slug'], ['models.slug'], name=op.f('fk_told_prices_model_slug_models')),
        sa.PrimaryKeyConstraint('model_slug', name=op.f('pk_told_prices'))
    )


def downgrade() -> None:
    op.drop_table('told_prices')

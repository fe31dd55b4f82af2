"""Letters on their way to people, and the links inside them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020_letters_and_links"
down_revision = "0019_viewings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('letters',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('recipient', sa.Text(), nullable=False),
        sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('sealed_token', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('useful_until', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'refused', 'given_up')", name=op.f('ck_letters_state_known')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_letters'))
    )
    op.create_index('ix_letters_due', 'letters', ['next_try_at'], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_index('ix_letters_state_created_at', 'letters', ['state', 'created_at'], unique=False)
    op.create_table('links',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('token_digest', sa.Text(), nullable=False),
        sa.Column('purpose', sa.Text(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('browser_digest', sa.Text(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_links_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_links')),
        sa.UniqueConstraint('token_digest', name=op.f('uq_links_token_digest'))
    )
    op.create_index(op.f('ix_links_user_id'), 'links', ['user_id'], unique=False)


def downgrade() -> None:
    op.drop_table('links')
    op.drop_table('letters')

"""Keys that replace others, share their spend limit, can be edited, and say from where they were used last"""

import sqlalchemy as sa
from alembic import op

revision = "0018_key_lines"
down_revision = "0017_identities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('api_keys', sa.Column('version', sa.Integer(), server_default='1', nullable=False))
    op.add_column('api_keys', sa.Column('replaces_id', sa.Uuid(), nullable=True))
    op.add_column('api_keys', sa.Column('spends_as_id', sa.Uuid(), nullable=True))
    op.add_column('api_keys', sa.Column('last_used_address', sa.Text(), nullable=True))
    op.create_foreign_key(op.f('fk_api_keys_replaces_id_api_keys'), 'api_keys', 'api_keys', ['replaces_id'], ['id'])
    op.create_foreign_key(op.f('fk_api_keys_spends_as_id_api_keys'), 'api_keys', 'api_keys', ['spends_as_id'], ['id'])
    op.create_unique_constraint(op.f('uq_api_keys_replaces_id'), 'api_keys', ['replaces_id'])
    op.create_index('ix_api_keys_spends_as_id', 'api_keys', ['spends_as_id'], unique=False, postgresql_where='spends_as_id IS NOT NULL')


def downgrade() -> None:
    op.drop_index('ix_api_keys_spends_as_id', table_name='api_keys')
    op.drop_constraint(op.f('uq_api_keys_replaces_id'), 'api_keys', type_='unique')
    op.drop_constraint(op.f('fk_api_keys_spends_as_id_api_keys'), 'api_keys', type_='foreignkey')
    op.drop_constraint(op.f('fk_api_keys_replaces_id_api_keys'), 'api_keys', type_='foreignkey')
    op.drop_column('api_keys', 'last_used_address')
    op.drop_column('api_keys', 'spends_as_id')
    op.drop_column('api_keys', 'replaces_id')
    op.drop_column('api_keys', 'version')

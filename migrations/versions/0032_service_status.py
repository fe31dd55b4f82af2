"""How each part of the service fares, for the public status page, and incidents that staff tell of"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032_service_status"
down_revision = "0031_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('service_slots',
        sa.Column('part', sa.Text(), nullable=False),
        sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('good', sa.BigInteger(), nullable=False),
        sa.Column('bad', sa.BigInteger(), nullable=False),
        sa.Column('took_ms', postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint('part', 'starts_at', name=op.f('pk_service_slots'))
    )
    op.create_table('service_snapshots',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('figures', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_service_snapshots'))
    )
    op.create_table('incidents',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('impact', sa.Text(), nullable=False),
        sa.Column('parts', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.CheckConstraint("impact IN ('minor', 'major', 'maintenance')", name=op.f('ck_incidents_impact_known')),
        sa.CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name=op.f('ck_incidents_resolved_once')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_incidents'))
    )
    op.create_index('ix_incidents_open', 'incidents', ['id'], unique=False, postgresql_where=sa.text('resolved_at IS NULL'))
    op.create_table('incident_updates',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('incident_id', sa.Uuid(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('words', sa.Text(), nullable=False),
        sa.Column('author_id', sa.Uuid(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['author_id'], ['users.id'], name=op.f('fk_incident_updates_author_id_users')),
        sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_incident_updates_incident_id_incidents')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_incident_updates'))
    )
    op.create_index('ix_incident_updates_incident_id_id', 'incident_updates', ['incident_id', 'id'], unique=False)


def downgrade() -> None:
    op.drop_table('incident_updates')
    op.drop_table('incidents')
    op.drop_table('service_snapshots')
    op.drop_table('service_slots')

"""Upstreams, models, their prices, our rules, and the version that counts every change"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_prices"
down_revision = '0002_limits'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('upstreams',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('base_url', sa.Text(), nullable=False),
        sa.Column('key_variable', sa.Text(), nullable=False),
        sa.Column('is_active', sa.Boolean(), nullable=False),
        sa.Column('priority', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('openrouter', 'openai', 'sandbox')", name=op.f('ck_upstreams_kind_known')),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_upstreams'))
    )
    op.create_table('models',
        sa.Column('slug', sa.Text(), nullable=False),
        sa.Column('upstream', sa.Text(), nullable=False),
        sa.Column('upstream_model', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), nullable=False),
        sa.Column('context_length', sa.BigInteger(), nullable=True),
        sa.Column('max_completion_tokens', sa.BigInteger(), nullable=True),
        sa.Column('input_modalities', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('output_modalities', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('supported_parameters', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('status_reason', sa.Text(), nullable=True),
        sa.Column('expires_on', sa.Date(), nullable=True),
        sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('quarantined_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('chat', 'embedding')", name=op.f('ck_models_kind_known')),
        sa.CheckConstraint("status IN ('active', 'quarantined', 'withdrawn')", name=op.f('ck_models_status_known')),
        sa.ForeignKeyConstraint(['upstream'], ['upstreams.name'], name=op.f('fk_models_upstream_upstreams')),
        sa.PrimaryKeyConstraint('slug', name=op.f('pk_models'))
    )
    op.create_index(op.f('ix_models_upstream'), 'models', ['upstream'], unique=False)
    op.create_table('price_versions',
        sa.Column('version', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('version', name=op.f('pk_price_versions'))
    )
    op.create_table('model_prices',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('model_slug', sa.Text(), nullable=False),
        sa.Column('from_version', sa.BigInteger(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('prompt', sa.Numeric(), nullable=True),
        sa.Column('completion', sa.Numeric(), nullable=True),
        sa.Column('request', sa.Numeric(), nullable=True),
        sa.Column('image', sa.Numeric(), nullable=True),
        sa.Column('image_token', sa.Numeric(), nullable=True),
        sa.Column('image_output', sa.Numeric(), nullable=True),
        sa.Column('input_cache_read', sa.Numeric(), nullable=True),
        sa.Column('input_cache_write', sa.Numeric(), nullable=True),
        sa.Column('input_cache_write_1h', sa.Numeric(), nullable=True),
        sa.Column('internal_reasoning', sa.Numeric(), nullable=True),
        sa.Column('audio', sa.Numeric(), nullable=True),
        sa.Column('audio_output', sa.Numeric(), nullable=True),
        sa.Column('input_audio_cache', sa.Numeric(), nullable=True),
        sa.Column('web_search', sa.Numeric(), nullable=True),
        sa.Column('discount', sa.Numeric(), nullable=True),
        sa.Column('overrides', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('observed_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('in_force', 'quarantined', 'rejected', 'superseded')", name=op.f('ck_model_prices_state_known')),
        sa.CheckConstraint('prompt >= 0 AND completion >= 0 AND request >= 0', name=op.f('ck_model_prices_rates_not_negative')),
        sa.ForeignKeyConstraint(['from_version'], ['price_versions.version'], name=op.f('fk_model_prices_from_version_price_versions')),
        sa.ForeignKeyConstraint(['model_slug'], ['models.slug'], name=op.f('fk_model_prices_model_slug_models')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_model_prices')),
        sa.UniqueConstraint('model_slug', 'from_version', name=op.f('uq_model_prices_model_slug_from_version'))
    )
    op.create_table('pricing_rules',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('model_pattern', sa.Text(), nullable=False),
        sa.Column('markup_percent', sa.Numeric(), nullable=False),
        sa.Column('min_cost_nano', sa.BigInteger(), nullable=False),
        sa.Column('priority', sa.Integer(), nullable=False),
        sa.Column('is_active', sa.Boolean(), nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=True),
        sa.Column('effective_from', sa.DateTime(timezone=True), nullable=False),
        sa.Column('created_by', sa.Text(), nullable=False),
        sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('superseded_by_id', sa.Uuid(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("model_pattern <> ''", name=op.f('ck_pricing_rules_pattern_not_empty')),
        sa.CheckConstraint('markup_percent >= 0', name=op.f('ck_pricing_rules_markup_not_negative')),
        sa.CheckConstraint('min_cost_nano >= 0', name=op.f('ck_pricing_rules_min_cost_not_negative')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_pricing_rules_account_id_accounts')),
        sa.ForeignKeyConstraint(['superseded_by_id'], ['pricing_rules.id'], name=op.f('fk_pricing_rules_superseded_by_id_pricing_rules')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_pricing_rules'))
    )
    op.create_index(op.f('ix_pricing_rules_account_id'), 'pricing_rules', ['account_id'], unique=False)
    op.create_index('ix_pricing_rules_is_active', 'pricing_rules', ['is_active'], unique=False)


def downgrade() -> None:
    op.drop_table("pricing_rules")
    op.drop_table("model_prices")
    op.drop_table("price_versions")
    op.drop_table("models")
    op.drop_table("upstreams")

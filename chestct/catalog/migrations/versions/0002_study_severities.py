"""The severity that a version finds in a study, and what its interval needs of each prediction."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to what the first version made; predictions made before carry no doubt."""
    op.add_column("predictions", sa.Column("lesion_expected", sa.Double()))
    op.add_column("predictions", sa.Column("lesion_deviation", sa.Double()))
    op.create_table(
        "study_severities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text()),
        sa.Column("percent", sa.Double()),
        sa.Column("interval_low", sa.Double()),
        sa.Column("interval_high", sa.Double()),
        sa.Column("severity", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study_severities"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_severities_study_id"),
        sa.UniqueConstraint("study_id", "model_version", name="uq_study_severities_study_id_model_version"),
    )
    op.create_index("ix_study_severities_model_version", "study_severities", ["model_version"])

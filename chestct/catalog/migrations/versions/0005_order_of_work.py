"""What orders the work: a prediction's doubt, which slices are done with, arms, and the kept order."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DOUBT = ("zone_entropy", "ground_glass_entropy", "consolidation_entropy", "disagreement", "lesion_zone")

# A slice is done with where the newest state of some annotation says so of it. What an older state of
# that annotation said is void, even where the newest one does not speak of the slice.
_REVIEWED = """
EXISTS (
    SELECT 1 FROM corrections c
    WHERE c.slice_id = slices.id AND c.state IN ('submitted', 'accepted') AND NOT EXISTS (
        SELECT 1 FROM corrections newer
        WHERE newer.project_uid = c.project_uid AND newer.annotation_id = c.annotation_id
        AND (newer.annotation_updated_at > c.annotation_updated_at
             OR (newer.annotation_updated_at = c.annotation_updated_at
                 AND newer.slice_id = c.slice_id AND newer.id > c.id))
    )
)
"""


def upgrade() -> None:
    """Predictions and pictures from before stay without doubt and fingerprint until they are made anew."""
    for name in _DOUBT:
        op.add_column("predictions", sa.Column(name, sa.Double()))
    op.add_column("predictions", sa.Column("doubt_path", sa.Text()))
    op.add_column("slices", sa.Column("reviewed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("slices", sa.Column("fingerprint", sa.BigInteger()))
    op.execute(f"UPDATE slices SET reviewed = true WHERE {_REVIEWED}")
    op.create_index("ix_slices_reviewed", "slices", ["reviewed"])
    op.create_table(
        "assignments",
        sa.Column("slice_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("prelabelled", sa.Boolean(), nullable=False),
        sa.Column("read_twice", sa.Boolean(), nullable=False),
        sa.Column("drawn_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slice_id", name="pk_assignments"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_assignments_slice_id"),
        sa.CheckConstraint("arm IN ('active', 'control')", name="ck_assignments_arm"),
    )
    op.create_table(
        "work_order",
        sa.Column("slice_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("slice_id", name="pk_work_order"),
        sa.UniqueConstraint("place", name="uq_work_order_place"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_work_order_slice_id"),
    )
    op.create_index("ix_work_order_reviewed_place", "work_order", ["reviewed", "place"])

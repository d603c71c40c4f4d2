"""What readers changed, counted once: beside the corrections, which never change."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COUNTS = (
    "ground_glass_added",
    "ground_glass_removed",
    "consolidation_added",
    "consolidation_removed",
    "changed",
    "lesion_before",
    "lesion_after",
)


def upgrade() -> None:
    """Both tables are filled by the next sync; they hold nothing that cannot be counted again."""
    op.create_table(
        "correction_changes",
        sa.Column("correction_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("beside", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("dice", sa.Double(), nullable=False),
        sa.Column("sure", sa.Integer()),
        sa.PrimaryKeyConstraint("correction_id", "model_version", name="pk_correction_changes"),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["corrections.id"], name="fk_correction_changes_correction_id"
        ),
    )
    op.create_table(
        "reading_pairs",
        sa.Column("first_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("second_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("lesion_dice", sa.Double()),
        sa.Column("ground_glass_dice", sa.Double()),
        sa.Column("consolidation_dice", sa.Double()),
        sa.PrimaryKeyConstraint("first_id", "second_id", name="pk_reading_pairs"),
        sa.ForeignKeyConstraint(["first_id"], ["corrections.id"], name="fk_reading_pairs_first_id"),
        sa.ForeignKeyConstraint(["second_id"], ["corrections.id"], name="fk_reading_pairs_second_id"),
    )

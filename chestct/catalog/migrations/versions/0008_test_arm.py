"""A third arm of the allocation: test slices, read early and unassisted to judge models by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ARMS = "arm IN ('active', 'control', 'test')"
_COLUMNS = "slice_id, arm, prelabelled, read_twice, drawn_at"


def upgrade() -> None:
    """What was drawn stays as it is."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_assignments()
        return
    op.drop_constraint("ck_assignments_arm", "assignments", type_="check")
    op.create_check_constraint("ck_assignments_arm", "assignments", _ARMS)


def _rebuild_assignments() -> None:
    """SQLite changes no constraint of a table that exists: a new one takes its rows and its name."""
    op.create_table(
        "assignments_rebuilt",
        sa.Column("slice_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("prelabelled", sa.Boolean(), nullable=False),
        sa.Column("read_twice", sa.Boolean(), nullable=False),
        sa.Column("drawn_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slice_id", name="pk_assignments"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_assignments_slice_id"),
        sa.CheckConstraint(_ARMS, name="ck_assignments_arm"),
    )
    op.execute(f"INSERT INTO assignments_rebuilt ({_COLUMNS}) SELECT {_COLUMNS} FROM assignments")
    op.drop_table("assignments")
    op.rename_table("assignments_rebuilt", "assignments")

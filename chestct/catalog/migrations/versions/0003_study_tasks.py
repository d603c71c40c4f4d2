"""Tasks that show whole studies: their links, one correction row a slice, and readers' grades."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

_ONE_DELIVERY = ("project_uid", "annotation_id", "annotation_updated_at", "slice_id", "state")
_COLUMNS = (
    "id, slice_id, project_uid, task_id, annotation_id, annotation_updated_at, state, annotator, "
    "lead_time_seconds, ground_truth, label_map_path, model_version, prediction_id, changed_fraction, "
    "received_at, via"
)
_STATES = "state IN ('submitted', 'accepted', 'skipped', 'deleted')"


def upgrade() -> None:
    """Add to what the first version made; every row that it holds stays as it is."""
    _link_studies()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_corrections()
    else:
        _alter_corrections()
    _grades()
    _refuse_change_of_grades()


def _link_studies() -> None:
    op.create_table(
        "study_tasks",
        sa.Column("project_uid", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_uid", "task_id", name="pk_study_tasks"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_tasks_study_id"),
    )
    op.create_index("ix_study_tasks_study_id", "study_tasks", ["study_id"])


def _alter_corrections() -> None:
    op.drop_constraint("uq_corrections_one_delivery", "corrections", type_="unique")
    op.create_unique_constraint("uq_corrections_one_delivery", "corrections", list(_ONE_DELIVERY))
    op.drop_constraint("ck_corrections_state", "corrections", type_="check")
    op.create_check_constraint("ck_corrections_state", "corrections", _STATES)


def _rebuild_corrections() -> None:
    """SQLite changes no constraint of a table that exists: a new one takes its rows and its name.

    Its triggers and indexes go with the old one. Dropping a table fires no trigger.
    """
    op.create_table(
        "corrections_rebuilt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slice_id", sa.Integer(), nullable=False),
        sa.Column("project_uid", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_updated_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("lead_time_seconds", sa.Double()),
        sa.Column("ground_truth", sa.Boolean(), nullable=False),
        sa.Column("label_map_path", sa.Text()),
        sa.Column("model_version", sa.Text()),
        sa.Column("prediction_id", sa.Integer()),
        sa.Column("changed_fraction", sa.Double()),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.UniqueConstraint(*_ONE_DELIVERY, name="uq_corrections_one_delivery"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_corrections_slice_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name="fk_corrections_prediction_id"),
        sa.CheckConstraint(_STATES, name="ck_corrections_state"),
        sa.CheckConstraint(
            "(state = 'submitted') = (label_map_path IS NOT NULL)", name="ck_corrections_label_map"
        ),
    )
    op.execute(f"INSERT INTO corrections_rebuilt ({_COLUMNS}) SELECT {_COLUMNS} FROM corrections")
    op.drop_table("corrections")
    op.rename_table("corrections_rebuilt", "corrections")
    op.create_index("ix_corrections_slice_id", "corrections", ["slice_id"])
    _refuse_change("corrections")


def _grades() -> None:
    grades = ", ".join(f"'CT-{number}'" for number in range(5))
    op.create_table(
        "study_grades",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("project_uid", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_updated_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("lead_time_seconds", sa.Double()),
        sa.Column("ground_truth", sa.Boolean(), nullable=False),
        sa.Column("grade", sa.Text()),
        sa.Column("model_version", sa.Text()),
        sa.Column("model_grade", sa.Text()),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study_grades"),
        sa.UniqueConstraint(
            "project_uid",
            "annotation_id",
            "annotation_updated_at",
            "state",
            name="uq_study_grades_one_delivery",
        ),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_grades_study_id"),
        sa.CheckConstraint("state IN ('submitted', 'skipped', 'deleted')", name="ck_study_grades_state"),
        sa.CheckConstraint(f"grade IN ({grades})", name="ck_study_grades_grade"),
    )
    op.create_index("ix_study_grades_study_id", "study_grades", ["study_id"])


def _refuse_change_of_grades() -> None:
    """A reader's grade is gold like a correction."""
    if op.get_bind().dialect.name == "sqlite":
        _refuse_change("study_grades")
        return
    op.execute(
        "CREATE TRIGGER study_grades_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON study_grades "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_corrections()"
    )


def _refuse_change(table: str) -> None:
    """SQLite's triggers, as the first migration made them for the corrections."""
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} BEGIN "
            "SELECT RAISE(ABORT, 'corrections are append-only: add a row with the new state'); END"
        )

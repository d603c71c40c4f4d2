"""Studies, slices, tasks, predictions, append-only corrections, versions and requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_POSTGRES_REFUSAL = """
CREATE FUNCTION refuse_change_of_corrections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'corrections are append-only: add a row with the new state';
END $$
"""


def upgrade() -> None:
    """Make everything on an empty database; there is no way back from the first version."""
    _studies_and_slices()
    _work_on_slices()
    _versions_and_requests()
    _refuse_change_of_corrections()


def _studies_and_slices() -> None:
    op.create_table(
        "patients",
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("patient", name="pk_patients"),
        sa.CheckConstraint("split IN ('train', 'test')", name="ck_patients_split"),
    )
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("intensity", sa.Text(), nullable=False),
        sa.Column("stored_shape", sa.JSON(none_as_null=True)),
        sa.Column("affine", sa.JSON(none_as_null=True)),
        sa.Column("grade", sa.Text()),
        sa.Column("slice_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("key", name="uq_studies_key"),
        sa.UniqueConstraint("name", name="uq_studies_name"),
        sa.ForeignKeyConstraint(["patient"], ["patients.patient"], name="fk_studies_patient"),
    )
    op.create_index("ix_studies_patient", "studies", ["patient"])
    op.create_table(
        "slices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("pixels_path", sa.Text(), nullable=False),
        sa.Column("picture_path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("record_path", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_slices"),
        sa.UniqueConstraint("study_id", "index", name="uq_slices_study_id_index"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_slices_study_id"),
    )
    op.create_index("ix_slices_key", "slices", ["key"])
    op.create_index("ix_slices_picture_path", "slices", ["picture_path"])


# Longer than our functions are: a migration is history, and is never rewritten.
def _work_on_slices() -> None:
    op.create_table(
        "tasks",
        sa.Column("project_uid", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("slice_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_uid", "task_id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_tasks_slice_id"),
    )
    op.create_index("ix_tasks_slice_id", "tasks", ["slice_id"])
    op.create_table(
        "predictions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slice_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("label_map_path", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("ground_glass_fraction", sa.Double(), nullable=False),
        sa.Column("consolidation_fraction", sa.Double(), nullable=False),
        sa.Column("entropy_mean", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
        sa.UniqueConstraint("slice_id", "model_version", name="uq_predictions_slice_id_model_version"),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_predictions_slice_id"),
    )
    op.create_index("ix_predictions_model_version", "predictions", ["model_version"])
    op.create_table(
        "corrections",
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
        sa.UniqueConstraint(
            "project_uid",
            "annotation_id",
            "annotation_updated_at",
            "state",
            name="uq_corrections_one_delivery",
        ),
        sa.ForeignKeyConstraint(["slice_id"], ["slices.id"], name="fk_corrections_slice_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name="fk_corrections_prediction_id"),
        sa.CheckConstraint("state IN ('submitted', 'skipped', 'deleted')", name="ck_corrections_state"),
        sa.CheckConstraint(
            "(state = 'submitted') = (label_map_path IS NOT NULL)", name="ck_corrections_label_map"
        ),
    )
    op.create_index("ix_corrections_slice_id", "corrections", ["slice_id"])


def _versions_and_requests() -> None:
    op.create_table(
        "versions",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("snapshot", sa.Text()),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("decision", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("version", name="pk_versions"),
        sa.CheckConstraint(
            "state IN ('champion', 'challenger', 'refused', 'retired')", name="ck_versions_state"
        ),
    )
    only_champions = sa.text("state = 'champion'")
    op.create_index(
        "uq_versions_champion",
        "versions",
        ["state"],
        unique=True,
        sqlite_where=only_champions,
        postgresql_where=only_champions,
    )
    op.create_table(
        "champion_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_champion_changes"),
        sa.ForeignKeyConstraint(["version"], ["versions.version"], name="fk_champion_changes_version"),
        sa.CheckConstraint("kind IN ('promotion', 'rollback')", name="ck_champion_changes_kind"),
    )
    op.create_table(
        "retrain_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.Column("finished_at", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_retrain_requests"),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'done', 'failed')", name="ck_retrain_requests_state"
        ),
    )
    op.create_index("ix_retrain_requests_state", "retrain_requests", ["state"])
    op.create_index("ix_retrain_requests_job_id", "retrain_requests", ["job_id"])


def _refuse_change_of_corrections() -> None:
    """What a reader gave is gold: the database itself refuses to change or drop it."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER corrections_refuse_{change.lower()} BEFORE {change} ON corrections BEGIN "
                "SELECT RAISE(ABORT, 'corrections are append-only: add a row with the new state'); END"
            )
        return
    op.execute(_POSTGRES_REFUSAL)
    op.execute(
        "CREATE TRIGGER corrections_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON corrections "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_corrections()"
    )

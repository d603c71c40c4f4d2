"""The catalog's tables, as the newest migration leaves them (a test compares the two).

Text columns hold values of the enums in `records` and `labels`; times are the text of `moments`.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Splits are by patient, so the split lives here and nowhere else: two studies of one patient
# cannot disagree.
patients = sa.Table(
    "patients",
    metadata,
    sa.Column("patient", sa.Text, primary_key=True),
    sa.Column("split", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("patient", sa.ForeignKey("patients.patient"), nullable=False, index=True),
    sa.Column("layout", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("intensity", sa.Text, nullable=False),
    sa.Column("stored_shape", sa.JSON(none_as_null=True)),
    sa.Column("affine", sa.JSON(none_as_null=True)),
    sa.Column("grade", sa.Text),
    sa.Column("slice_count", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False, index=True),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("pixels_path", sa.Text, nullable=False),
    sa.Column("picture_path", sa.Text, nullable=False, index=True),
    sa.Column("name", sa.Text),
    sa.Column("record_path", sa.Text),
    sa.UniqueConstraint("study_id", "index"),
)

# A task that somebody made a second time for the same slice is a second row: corrections of either
# find their slice.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("project_uid", sa.Text, primary_key=True),
    sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("slice_id", sa.ForeignKey("slices.id"), nullable=False, index=True),
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("slice_id", sa.ForeignKey("slices.id"), nullable=False),
    sa.Column("model_version", sa.Text, nullable=False, index=True),
    sa.Column("label_map_path", sa.Text, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("ground_glass_fraction", sa.Double, nullable=False),
    sa.Column("consolidation_fraction", sa.Double, nullable=False),
    sa.Column("entropy_mean", sa.Double, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("lesion_expected", sa.Double),
    sa.Column("lesion_deviation", sa.Double),
    sa.UniqueConstraint("slice_id", "model_version"),
)

# What a version makes of a whole study: the grade to ask and sort by, and all of it as it was told.
study_severities = sa.Table(
    "study_severities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("model_version", sa.Text, nullable=False, index=True),
    sa.Column("grade", sa.Text),
    sa.Column("percent", sa.Double),
    sa.Column("interval_low", sa.Double),
    sa.Column("interval_high", sa.Double),
    sa.Column("severity", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.UniqueConstraint("study_id", "model_version"),
)

# Append-only: triggers made by the first migration refuse UPDATE and DELETE.
corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("slice_id", sa.ForeignKey("slices.id"), nullable=False, index=True),
    sa.Column("project_uid", sa.Text, nullable=False),
    sa.Column("task_id", sa.BigInteger, nullable=False),
    sa.Column("annotation_id", sa.BigInteger, nullable=False),
    sa.Column("annotation_updated_at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("lead_time_seconds", sa.Double),
    sa.Column("ground_truth", sa.Boolean, nullable=False),
    sa.Column("label_map_path", sa.Text),
    sa.Column("model_version", sa.Text),
    sa.Column("prediction_id", sa.ForeignKey("predictions.id")),
    sa.Column("changed_fraction", sa.Double),
    sa.Column("received_at", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.UniqueConstraint(
        "project_uid", "annotation_id", "annotation_updated_at", "state", name="uq_corrections_one_delivery"
    ),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("parent", sa.Text),
    sa.Column("snapshot", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("decision", sa.JSON(none_as_null=True)),
)
# The database itself holds that there is never more than one champion.
sa.Index(
    "uq_versions_champion",
    versions.c.state,
    unique=True,
    sqlite_where=sa.text("state = 'champion'"),
    postgresql_where=sa.text("state = 'champion'"),
)

# Every change of champion in its order: what a rollback goes back along.
champion_changes = sa.Table(
    "champion_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.ForeignKey("versions.version"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
)

retrain_requests = sa.Table(
    "retrain_requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("job_id", sa.Text, index=True),
    sa.Column("outcome", sa.Text),
    sa.Column("finished_at", sa.Text),
)

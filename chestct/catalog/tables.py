"""The catalog's tables, as the newest migration leaves them (a test compares the two).

Text columns hold values of the enums in `records` and `labels`; times are the text of `timestamps`.
"""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _columns(
    kind: type[sa.types.TypeEngine[Any]], names: str, *, nullable: bool = False
) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names.split()]


def _annotation_columns() -> list[sa.Column[Any]]:
    """What every state of an annotation says, of a slice or of a study."""
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        *_columns(sa.Text, "project_uid annotation_updated_at state annotator received_at via"),
        *_columns(sa.BigInteger, "task_id annotation_id"),
        sa.Column("lead_time_seconds", sa.Double),
        sa.Column("ground_truth", sa.Boolean, nullable=False),
        sa.Column("model_version", sa.Text),
    ]


# Splits are by patient, so the split lives here and nowhere else: two studies of one patient
# cannot disagree.
patients = sa.Table(
    "patients",
    metadata,
    sa.Column("patient", sa.Text, primary_key=True),
    *_columns(sa.Text, "split created_at"),
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("patient", sa.ForeignKey("patients.patient"), nullable=False, index=True),
    *_columns(sa.Text, "layout source intensity"),
    sa.Column("stored_shape", sa.JSON(none_as_null=True)),
    sa.Column("affine", sa.JSON(none_as_null=True)),
    sa.Column("grade", sa.Text),
    sa.Column("slice_count", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("dicom_source_path", sa.Text),
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False, index=True),
    *_columns(sa.Integer, "width height"),
    sa.Column("pixels_path", sa.Text, nullable=False),
    sa.Column("picture_path", sa.Text, nullable=False, index=True),
    *_columns(sa.Text, "name record_path", nullable=True),
    # Kept equal to `current.reviewed_slices` by whatever appends to the corrections (`reviewed`).
    sa.Column("reviewed", sa.Boolean, nullable=False, server_default=sa.false(), index=True),
    # The 64 bits of `chestct.acquisition.fingerprint` as a signed number; None: not worked out yet.
    sa.Column("fingerprint", sa.BigInteger),
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

# Tasks that show a whole study; which slices those are, and in which order, the task's own data say.
study_tasks = sa.Table(
    "study_tasks",
    metadata,
    sa.Column("project_uid", sa.Text, primary_key=True),
    sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False, index=True),
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("slice_id", sa.ForeignKey("slices.id"), nullable=False),
    sa.Column("model_version", sa.Text, nullable=False, index=True),
    sa.Column("label_map_path", sa.Text, nullable=False),
    *_columns(sa.Double, "score ground_glass_fraction consolidation_fraction entropy_mean seconds"),
    sa.Column("created_at", sa.Text, nullable=False),
    *_columns(sa.Double, "lesion_expected lesion_deviation lesion_zone disagreement", nullable=True),
    *_columns(sa.Double, "zone_entropy ground_glass_entropy consolidation_entropy", nullable=True),
    sa.Column("doubt_path", sa.Text),
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
    *_columns(sa.Double, "percent interval_low interval_high", nullable=True),
    sa.Column("severity", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.UniqueConstraint("study_id", "model_version"),
)

# Append-only: triggers made by the migrations refuse UPDATE and DELETE. An annotation of a study task
# is one row for each of its slices.
corrections = sa.Table(
    "corrections",
    metadata,
    *_annotation_columns(),
    sa.Column("slice_id", sa.ForeignKey("slices.id"), nullable=False, index=True),
    sa.Column("label_map_path", sa.Text),
    sa.Column("prediction_id", sa.ForeignKey("predictions.id")),
    sa.Column("changed_fraction", sa.Double),
    sa.UniqueConstraint(
        "project_uid",
        "annotation_id",
        "annotation_updated_at",
        "slice_id",
        "state",
        name="uq_corrections_one_delivery",
    ),
)

# Append-only like the corrections.
study_grades = sa.Table(
    "study_grades",
    metadata,
    *_annotation_columns(),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False, index=True),
    *_columns(sa.Text, "grade model_grade", nullable=True),
    sa.UniqueConstraint(
        "project_uid", "annotation_id", "annotation_updated_at", "state", name="uq_study_grades_one_delivery"
    ),
)

# Drawn once for each slice and never changed: what readers are compared by must not move.
assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("slice_id", sa.ForeignKey("slices.id"), primary_key=True, autoincrement=False),
    sa.Column("arm", sa.Text, nullable=False),
    *_columns(sa.Boolean, "prelabelled read_twice"),
    sa.Column("drawn_at", sa.Text, nullable=False),
)

# The order in which slices are to be read, of one version; replaced whole. Places are 0, 1, 2, ...
work_order = sa.Table(
    "work_order",
    metadata,
    sa.Column("slice_id", sa.ForeignKey("slices.id"), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer, nullable=False, unique=True),
    *_columns(sa.Text, "model_version reason"),
    # As the slice's: so that what comes next is found without passing over all that was read.
    sa.Column("reviewed", sa.Boolean, nullable=False),
    sa.Index(None, "reviewed", "place"),
)

# What a correction changes of what a version found, counted once: `chestct.reader_study.changes.Changes`.
# `beside`: that version was shown to the reader, or would have been where the slice was shown unassisted.
correction_changes = sa.Table(
    "correction_changes",
    metadata,
    sa.Column("correction_id", sa.ForeignKey("corrections.id"), primary_key=True, autoincrement=False),
    sa.Column("model_version", sa.Text, primary_key=True),
    sa.Column("beside", sa.Boolean, nullable=False),
    *_columns(
        sa.Integer, "ground_glass_added ground_glass_removed consolidation_added consolidation_removed"
    ),
    *_columns(sa.Integer, "changed lesion_before lesion_after"),
    sa.Column("dice", sa.Double, nullable=False),
    sa.Column("sure", sa.Integer),
)

# How far the corrections of two readers of one slice agree; None where neither marks the class.
reading_pairs = sa.Table(
    "reading_pairs",
    metadata,
    sa.Column("first_id", sa.ForeignKey("corrections.id"), primary_key=True, autoincrement=False),
    sa.Column("second_id", sa.ForeignKey("corrections.id"), primary_key=True, autoincrement=False),
    *_columns(sa.Double, "lesion_dice ground_glass_dice consolidation_dice", nullable=True),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    *_columns(sa.Text, "parent snapshot", nullable=True),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("decision", sa.JSON(none_as_null=True)),
)
# The database itself holds that there is never more than one champion, and one version beside it.
for _state in ("champion", "open studies"):
    sa.Index(
        f"uq_versions_{_state.replace(' ', '_')}",
        versions.c.state,
        unique=True,
        sqlite_where=sa.text(f"state = '{_state}'"),
        postgresql_where=sa.text(f"state = '{_state}'"),
    )

# Every release in its order, by its champion and the version that serves the open studies: what a rollback
# goes back along.
champion_changes = sa.Table(
    "champion_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.ForeignKey("versions.version"), nullable=False),
    sa.Column("open_version", sa.ForeignKey("versions.version")),
    *_columns(sa.Text, "kind changed_at"),
)

# The studies that a version learned from, written once: they say which version made a pre-label.
version_studies = sa.Table(
    "version_studies",
    metadata,
    sa.Column("version", sa.ForeignKey("versions.version"), primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), primary_key=True, autoincrement=False),
)

retrain_requests = sa.Table(
    "retrain_requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *_columns(sa.Text, "requested_by requested_at"),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("job_id", sa.Text, index=True),
    *_columns(sa.Text, "outcome finished_at", nullable=True),
)

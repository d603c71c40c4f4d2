"""Which of the appended rows count now."""

from typing import Any

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.records import CorrectionState, VersionState

# States that close a slice.
REVIEWED = (CorrectionState.SUBMITTED.value, CorrectionState.ACCEPTED.value)


def newest_of_annotations() -> sa.Subquery:
    """One row for every annotation: the last of its newest state."""
    rows = tables.corrections
    return _first_of(sa.select(rows), rows, (rows.c.project_uid, rows.c.annotation_id))


def newest_states(of: sa.ColumnElement[bool] | None = None) -> sa.Subquery:
    """The newest state of every annotation, by Label Studio's time; of equal times the last received.

    One row a slice: an annotation of a study task has as many as its task has slices.

    Args:
        of: a condition on whole annotations (their project, their id), so that few rows are looked at.
    """
    rows = tables.corrections
    annotation = (rows.c.project_uid, rows.c.annotation_id)
    wanted = sa.true() if of is None else of
    # What an older state said of a slice is void, even where the newest one does not speak of it.
    latest = (
        sa.select(*annotation, sa.func.max(rows.c.annotation_updated_at).label("updated_at"))
        .where(wanted)
        .group_by(*annotation)
        .subquery()
    )
    query = sa.select(rows).join(
        latest,
        (rows.c.project_uid == latest.c.project_uid)
        & (rows.c.annotation_id == latest.c.annotation_id)
        & (rows.c.annotation_updated_at == latest.c.updated_at),
    )
    return _first_of(query, rows, (*annotation, rows.c.slice_id))


def current_corrections() -> sa.Subquery:
    """What readers hold true now: one submitted row for each slice and annotator.

    Annotations that were skipped or deleted drop out first, so that a reader who deletes a second
    attempt is back at the first. Slices that were only accepted with their study are no label.
    """
    newest = newest_states()
    submitted = sa.select(newest).where(newest.c.state == CorrectionState.SUBMITTED.value)
    return _first_of(submitted, newest, (newest.c.slice_id, newest.c.annotator))


def chosen_corrections() -> sa.Subquery:
    """The one correction that counts for each slice: the only place that says which.

    Of the current corrections of several readers it is one that was marked as ground truth in Label Studio,
    however old; then the newest by annotation time; then the last received. A retrain learns from it, an
    export holds it (a dataset must be what was trained on), grades reckon with it. A slice is corrected,
    or reviewed, whichever of its corrections is chosen.
    """
    current = current_corrections()
    return _first_of(sa.select(current), current, (current.c.slice_id,), current.c.ground_truth.desc())


def reviewed_slices() -> sa.Select[tuple[int]]:
    """Ids of slices that readers are done with: corrected, or accepted with their study.

    Worked out of all rows; `slices.reviewed` holds the same, ready to be asked (see `reviewed`).
    """
    newest = newest_states()
    return sa.select(newest.c.slice_id).where(newest.c.state.in_(REVIEWED)).distinct()


def newest_grades() -> sa.Subquery:
    """The newest state of every annotation of a study task."""
    rows = tables.study_grades
    return _first_of(sa.select(rows), rows, (rows.c.project_uid, rows.c.annotation_id))


def current_grades() -> sa.Subquery:
    """The grade that each reader gives each study now."""
    newest = newest_grades()
    submitted = newest.c.state == CorrectionState.SUBMITTED.value
    graded = sa.select(newest).where(submitted & newest.c.grade.is_not(None))
    return _first_of(graded, newest, (newest.c.study_id, newest.c.annotator))


def champion_version() -> sa.ScalarSelect[str]:
    """The version that serves now; NULL before the first."""
    versions = tables.versions
    is_champion = versions.c.state == VersionState.CHAMPION.value
    return sa.select(versions.c.version).where(is_champion).scalar_subquery()


def _first_of(
    query: sa.Select[Any],
    rows: sa.FromClause,
    group: tuple[sa.ColumnElement[Any], ...],
    *before: sa.ColumnElement[Any],
) -> sa.Subquery:
    """One row of each group: the first by `before`, then the newest, then the last received."""
    order = (*before, rows.c.annotation_updated_at.desc(), rows.c.id.desc())
    rank = sa.func.row_number().over(partition_by=group, order_by=order).label("rank")
    ranked = query.add_columns(rank).subquery()
    kept = [column for column in ranked.columns if column.name != "rank"]
    return sa.select(*kept).where(ranked.c.rank == 1).subquery()

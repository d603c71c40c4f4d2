"""Which of the appended corrections count now."""

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.records import CorrectionState


def newest_states() -> sa.Subquery:
    """The newest state of every annotation, by Label Studio's time; of equal times the last received."""
    rows = tables.corrections
    return _first_of(sa.select(rows), rows, (rows.c.project_uid, rows.c.annotation_id))


def current_corrections() -> sa.Subquery:
    """What readers hold true now: one submitted row for each slice and annotator.

    Annotations that were skipped or deleted drop out first, so that a reader who deletes a second
    attempt is back at the first.
    """
    newest = newest_states()
    submitted = sa.select(newest).where(newest.c.state == CorrectionState.SUBMITTED.value)
    return _first_of(submitted, newest, (newest.c.slice_id, newest.c.annotator))


def _first_of(
    query: sa.Select[tuple[object, ...]], rows: sa.FromClause, group: tuple[sa.ColumnElement[object], ...]
) -> sa.Subquery:
    newest_first = (rows.c.annotation_updated_at.desc(), rows.c.id.desc())
    rank = sa.func.row_number().over(partition_by=group, order_by=newest_first).label("rank")
    ranked = query.add_columns(rank).subquery()
    kept = [ranked.c[column.name] for column in tables.corrections.columns]
    return sa.select(*kept).where(ranked.c.rank == 1).subquery()

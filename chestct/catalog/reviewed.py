"""Which slices readers are done with, kept with each slice so that nobody works it out again.

`current.reviewed_slices` says what it means; whatever appends to the corrections calls `note_reviewed` in
the same transaction, and a test holds the two together over random histories.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.current import REVIEWED

# A decision that rests on several rows: two annotations of one slice that come at once must not each
# overlook the other, so everybody who appends to the corrections waits for the one before.
ANNOTATIONS_TOPIC = "annotations"


def note_reviewed(connection: sa.Connection, annotations: Iterable[tuple[str, int]]) -> None:
    """Bring `slices.reviewed` up to date after rows of these annotations were appended.

    Touches every slice that an annotation ever spoke of: its newest state voids what older ones said.

    Args:
        connection: of a transaction that writes under ANNOTATIONS_TOPIC.
        annotations: project uid and annotation id of each.
    """
    rows, slices = tables.corrections, tables.slices
    is_reviewed = sa.exists(_reviewing()).correlate(slices)
    for project_uid, annotation_id in annotations:
        spoken_of = sa.select(rows.c.slice_id).where(
            (rows.c.project_uid == project_uid) & (rows.c.annotation_id == annotation_id)
        )
        connection.execute(sa.update(slices).where(slices.c.id.in_(spoken_of)).values(reviewed=is_reviewed))


def _reviewing() -> sa.Select[tuple[int]]:
    """Rows that close the slice of an enclosing query: of their annotation's newest state, by two indexes."""
    rows, newer = tables.corrections, tables.corrections.alias("newer")
    later_for_the_slice = (newer.c.slice_id == rows.c.slice_id) & (newer.c.id > rows.c.id)
    is_newer = (newer.c.annotation_updated_at > rows.c.annotation_updated_at) | (
        (newer.c.annotation_updated_at == rows.c.annotation_updated_at) & later_for_the_slice
    )
    same_annotation = (newer.c.project_uid == rows.c.project_uid) & (
        newer.c.annotation_id == rows.c.annotation_id
    )
    superseded = sa.exists().where(same_annotation & is_newer)
    return sa.select(rows.c.id).where(
        (rows.c.slice_id == tables.slices.c.id) & rows.c.state.in_(REVIEWED) & ~superseded
    )

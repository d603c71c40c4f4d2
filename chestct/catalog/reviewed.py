"""Which slices readers are done with, kept with each slice so that nobody works it out again.

`current.reviewed_slices` says what it means; whatever appends to the corrections calls `note_reviewed` in
the same transaction, and a test holds the two together over random histories.
"""

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.current import REVIEWED

# A decision that rests on several rows: two annotations of one slice that come at once must not each
# overlook the other, so everybody who appends to the corrections waits for the one before.
ANNOTATIONS_TOPIC = "annotations"


def note_reviewed(connection: sa.Connection, project_uid: str, annotation_id: int) -> None:
    """Bring `slices.reviewed` up to date after rows of an annotation were appended.

    Touches every slice that the annotation ever spoke of: its newest state voids what older ones said.

    Args:
        connection: of a transaction that writes under ANNOTATIONS_TOPIC.
    """
    rows, slices = tables.corrections, tables.slices
    spoken_of = sa.select(rows.c.slice_id).where(
        (rows.c.project_uid == project_uid) & (rows.c.annotation_id == annotation_id)
    )
    is_reviewed = closed_by(*REVIEWED)
    connection.execute(sa.update(slices).where(slices.c.id.in_(spoken_of)).values(reviewed=is_reviewed))
    copy_reviewed(connection, tables.work_order.c.slice_id.in_(spoken_of))


def copy_reviewed(connection: sa.Connection, of: sa.ColumnElement[bool]) -> None:
    """Bring `work_order.reviewed` up to date with the slices; in transactions like `note_reviewed`.

    Args:
        of: which rows of the work order.
    """
    order, slices = tables.work_order, tables.slices
    known = sa.select(slices.c.reviewed).where(slices.c.id == order.c.slice_id).scalar_subquery()
    connection.execute(sa.update(order).where(of).values(reviewed=known))


def closed_by(*states: str) -> sa.ColumnElement[bool]:
    """Whether the newest state of some annotation is one of these for the slice of the enclosing query."""
    rows, newer = tables.corrections, tables.corrections.alias("newer")
    later_for_the_slice = (newer.c.slice_id == rows.c.slice_id) & (newer.c.id > rows.c.id)
    is_newer = (newer.c.annotation_updated_at > rows.c.annotation_updated_at) | (
        (newer.c.annotation_updated_at == rows.c.annotation_updated_at) & later_for_the_slice
    )
    same_annotation = (newer.c.project_uid == rows.c.project_uid) & (
        newer.c.annotation_id == rows.c.annotation_id
    )
    superseded = sa.exists().where(same_annotation & is_newer)
    of_slice = (rows.c.slice_id == tables.slices.c.id) & rows.c.state.in_(states)
    return sa.exists(sa.select(rows.c.id).where(of_slice & ~superseded)).correlate(tables.slices)

"""What was drawn for each slice: its arm, whether it shows a pre-label, whether two readers read it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chestct.acquisition.allocation import Allocation, Arm, Shares, draw
from chestct.catalog import tables, timestamps
from chestct.catalog.store import Store


class AllocationStore(Store):
    """Drawing once and for all, and telling what was drawn."""

    def allocate(self, slice_ids: Iterable[int], shares: Shares) -> None:
        """Draw for those of the slices that have no lot yet; what was drawn stays, whatever the shares.

        The lot follows from the slice's key, so it does not matter who draws first, or where.
        """
        wanted = {int(slice_id) for slice_id in slice_ids}
        slices, drawn = tables.slices, tables.assignments
        without = sa.select(slices.c.id, slices.c.key).where(slices.c.id.not_in(sa.select(drawn.c.slice_id)))
        with self._database.reading() as connection:
            keys = {slice_id: key for slice_id, key in connection.execute(without) if slice_id in wanted}
        if not keys:
            return
        drawn_at = timestamps.now()
        rows = [_row(slice_id, draw(key, shares), drawn_at) for slice_id, key in keys.items()]
        with self._database.writing() as connection:
            self._database.add_all(connection, drawn, rows, keep_known=True)

    def allocation(self, slice_id: int) -> Allocation | None:
        """What was drawn for a slice, None before the draw."""
        return self._allocations(tables.assignments.c.slice_id == slice_id).get(slice_id)

    def assignments(self) -> dict[int, Allocation]:
        """What was drawn, by slice id."""
        return self._allocations(sa.true())

    def _allocations(self, condition: sa.ColumnElement[bool]) -> dict[int, Allocation]:
        drawn = tables.assignments
        query = sa.select(drawn.c.slice_id, drawn.c.arm, drawn.c.prelabelled, drawn.c.read_twice)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(condition)).all()
        # There are eight lots: of 100,000 slices those of one lot share it.
        lots = {lot: Allocation(Arm(lot[0]), lot[1], lot[2]) for lot in {tuple(row[1:]) for row in rows}}
        return {row[0]: lots[tuple(row[1:])] for row in rows}


def _row(slice_id: int, drawn: Allocation, drawn_at: str) -> dict[str, Any]:
    return {
        "slice_id": slice_id,
        "arm": drawn.arm.value,
        "prelabelled": drawn.prelabelled,
        "read_twice": drawn.read_twice,
        "drawn_at": drawn_at,
    }

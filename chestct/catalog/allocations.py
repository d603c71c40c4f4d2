"""What was drawn for each slice: its arm, whether it shows a pre-label, whether two readers read it."""

from collections.abc import Iterable

import sqlalchemy as sa

from chestct.acquisition.allocation import Allocation, Arm, Shares, draw
from chestct.catalog import tables, timestamps
from chestct.catalog.store import Store


class AllocationStore(Store):
    """Allocating slices at random once and for all, and telling what was drawn."""

    def allocate(self, slice_ids: Iterable[int], shares: Shares) -> None:
        """Randomise those of the slices that have no allocation yet; what was drawn stays as it is.

        The allocation follows from the slice's key, so it does not matter who draws first, or where.
        """
        wanted = {int(slice_id) for slice_id in slice_ids}
        slices, drawn = tables.slices, tables.assignments
        without = sa.select(slices.c.id, slices.c.key).where(slices.c.id.not_in(sa.select(drawn.c.slice_id)))
        with self._database.reading() as connection:
            keys = {slice_id: key for slice_id, key in connection.execute(without) if slice_id in wanted}
        if not keys:
            return
        drawn_at = timestamps.now()
        allocations = {slice_id: draw(key, shares) for slice_id, key in keys.items()}
        rows = [
            {**vars(allocation), "arm": allocation.arm.value, "slice_id": slice_id, "drawn_at": drawn_at}
            for slice_id, allocation in allocations.items()
        ]
        with self._database.writing() as connection:
            self._database.add_all(connection, drawn, rows, keep_known=True)

    def of_slice(self, slice_id: int) -> Allocation | None:
        """What was drawn for a slice, None before the draw."""
        return self._allocations(tables.assignments.c.slice_id == slice_id).get(slice_id)

    def all(self) -> dict[int, Allocation]:
        """What was drawn, by slice id."""
        return self._allocations(sa.true())

    def _allocations(self, condition: sa.ColumnElement[bool]) -> dict[int, Allocation]:
        drawn = tables.assignments
        query = sa.select(drawn.c.slice_id, drawn.c.arm, drawn.c.prelabelled, drawn.c.read_twice)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(condition)).all()
        # There are eight different ones: of 100,000 slices many share one object.
        kinds = {kind: Allocation(Arm(kind[0]), *kind[1:]) for kind in {tuple(row[1:]) for row in rows}}
        return {row[0]: kinds[tuple(row[1:])] for row in rows}

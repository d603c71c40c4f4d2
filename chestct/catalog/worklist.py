"""The worklist: the order in which slices are to be read, kept whole for one release at a time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.acquisition.worklist import served_score
from chestct.catalog import tables
from chestct.catalog.records import OrderedSlice, SliceRecord
from chestct.catalog.releases import made_by
from chestct.catalog.reviewed import ANNOTATIONS_TOPIC, copy_reviewed
from chestct.catalog.slices import SLICE_ROWS, slice_record
from chestct.catalog.store import Store
from chestct.errors import InputError


class WorklistStore(Store):
    """Keeping a worklist, and what comes next in it."""

    def keep(
        self, model_version: str, slice_ids: Sequence[int] | npt.NDArray[np.int64], reasons: Sequence[str]
    ) -> None:
        """Replace the kept worklist by another, in one transaction: readers see the old one or the new one.

        Args:
            model_version: the release from whose predictions it was made, by its name.
            slice_ids: first to read first, none twice.
            reasons: one sentence for people for each.
        Raises:
            InputError: another number of reasons than of slices, or a slice that comes twice.
        """
        ids = [int(slice_id) for slice_id in slice_ids]
        if len(ids) != len(reasons) or len(set(ids)) != len(ids):
            raise InputError(
                f"order of {model_version}",
                f"has {len(ids)} slices, {len(set(ids))} of them different, and {len(reasons)} reasons; "
                "expected each slice once and a reason for each",
            )
        rows = [
            {
                "slice_id": slice_id,
                "place": place,
                "model_version": model_version,
                "reason": str(reason),
                "reviewed": False,
            }
            for place, (slice_id, reason) in enumerate(zip(ids, reasons, strict=True))
        ]
        order, reviewed = tables.work_order, sa.select(tables.slices.c.id).where(tables.slices.c.reviewed)
        # What was read while the order was made is known under this topic only.
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            connection.execute(sa.delete(order))
            self._database.add_all(connection, order, rows)
            copy_reviewed(connection, order.c.slice_id.in_(reviewed))

    def next(self, count: int) -> list[OrderedSlice]:
        """The first slices of the worklist that are still open; none where none was kept."""
        order = tables.work_order
        first = (
            sa.select(order, _kept_count().label("kept"))
            .where(~order.c.reviewed)
            .order_by(order.c.place)
            .limit(count)
            .subquery()
        )
        query = (
            SLICE_ROWS.add_columns(first.c.place, first.c.reason, first.c.model_version, first.c.kept)
            .join(first, first.c.slice_id == tables.slices.c.id)
            .order_by(None)
            .order_by(first.c.place)
        )
        return [
            OrderedSlice(
                slice=slice_record(row),
                place=row["place"],
                score=served_score(row["place"], row["kept"]),
                model_version=row["model_version"],
                reason=row["reason"],
            )
            for row in self._database.rows(query)
        ]

    def unplaced(self, model_version: str | None, count: int) -> list[tuple[SliceRecord, float | None]]:
        """Open slices that no worklist of a release holds, with its confidence: the least sure first.

        Args:
            model_version: the release's name; None stands for none at all.
        Returns:
            At most `count`; those that it has not looked at come last, with None.
        """
        slices, predictions, order = tables.slices, tables.predictions, tables.work_order
        by_release = sa.false() if model_version is None else made_by(predictions, model_version)
        placed = sa.select(order.c.slice_id).where(order.c.model_version == model_version)
        query = (
            SLICE_ROWS.add_columns(predictions.c.score)
            .outerjoin(predictions, (predictions.c.slice_id == slices.c.id) & by_release)
            .where(~slices.c.reviewed & slices.c.id.not_in(placed))
            .order_by(None)
            .order_by(predictions.c.score.is_(None), predictions.c.score, slices.c.id)
            .limit(count)
        )
        return [(slice_record(row), row["score"]) for row in self._database.rows(query)]

    def score(self, slice_id: int, model_version: str) -> float | None:
        """The score that serves a slice at its place; None where no worklist of this release holds it."""
        order = tables.work_order
        here = (order.c.slice_id == slice_id) & (order.c.model_version == model_version)
        row = self._database.row(sa.select(order.c.place, _kept_count().label("kept")).where(here))
        return None if row is None else served_score(row["place"], row["kept"])


def _kept_count() -> sa.ScalarSelect[int]:
    """How many places the worklist has; its places are 0, 1, 2, ... and none is ever taken out."""
    return sa.select(sa.func.max(tables.work_order.alias("whole").c.place) + 1).scalar_subquery()

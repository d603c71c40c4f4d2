"""Slices: finding them, their pixels and their labels of record."""

from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import pixels, tables
from chestct.catalog.records import SliceRecord
from chestct.catalog.store import Store
from chestct.errors import NotFoundError
from chestct.intensity import Intensity
from chestct.labels import Split

# Everything a SliceRecord holds, by id; other modules add their own conditions.
SLICE_ROWS = (
    sa.select(
        tables.slices,
        tables.studies.c.name.label("study_name"),
        tables.studies.c.patient,
        tables.studies.c.intensity,
        tables.patients.c.split,
    )
    .join(tables.studies, tables.slices.c.study_id == tables.studies.c.id)
    .join(tables.patients, tables.studies.c.patient == tables.patients.c.patient)
    .order_by(tables.slices.c.id)
)


def slice_record(row: sa.RowMapping) -> SliceRecord:
    """A row of SLICE_ROWS as a record."""
    return SliceRecord(
        id=row["id"],
        study_id=row["study_id"],
        study_name=row["study_name"],
        patient=row["patient"],
        split=Split(row["split"]),
        index=row["index"],
        key=row["key"],
        width=row["width"],
        height=row["height"],
        intensity=Intensity(row["intensity"]),
        pixels_path=row["pixels_path"],
        picture_path=row["picture_path"],
        name=row["name"],
        has_reference_labels=row["record_path"] is not None,
    )


class SliceStore(Store):
    """Reading slices."""

    def slices(
        self,
        study_id: int | None = None,
        split: Split | None = None,
        after_id: int = 0,
        limit: int | None = None,
        *,
        with_reference_labels: bool | None = None,
    ) -> list[SliceRecord]:
        """Slices in the order of their ids, which within a study is the order of its slices.

        Args:
            after_id: only slices with a greater id, to page through many.
            with_record: only those with (True) or without (False) labels of record.
        """
        query = SLICE_ROWS.where(tables.slices.c.id > after_id).limit(limit)
        if study_id is not None:
            query = query.where(tables.slices.c.study_id == study_id)
        if split is not None:
            query = query.where(tables.patients.c.split == split.value)
        if with_reference_labels is not None:
            path = tables.slices.c.record_path
            query = query.where(path.is_not(None) if with_reference_labels else path.is_(None))
        return self._slices(query)

    def slice(self, slice_id: int) -> SliceRecord:
        """The slice of this id.

        Raises:
            NotFoundError: there is none.
        """
        found = self._slices(SLICE_ROWS.where(tables.slices.c.id == slice_id))
        if not found:
            raise NotFoundError(f"the catalog has no slice {slice_id}")
        return found[0]

    def slice_by(self, study_name: str, index: int) -> SliceRecord:
        """The slice at a 0-based index of a study.

        Raises:
            NotFoundError: no such study, or no such slice in it.
        """
        here = (tables.studies.c.name == study_name) & (tables.slices.c.index == index)
        found = self._slices(SLICE_ROWS.where(here))
        if not found:
            raise NotFoundError(f"the catalog has no slice {index} of a study {study_name!r}")
        return found[0]

    def slice_by_picture(self, picture_path: str) -> SliceRecord | None:
        """The first slice shown as this picture (a storage key), None where there is none."""
        found = self._slices(SLICE_ROWS.where(tables.slices.c.picture_path == picture_path).limit(1))
        return found[0] if found else None

    def read_pixels(self, slice_record: SliceRecord) -> npt.NDArray[np.generic]:
        """(H, W) int16 Hounsfield units, or uint8 grey levels of a picture."""
        data = self.storage.read_bytes(slice_record.pixels_path)
        if slice_record.intensity is Intensity.HU:
            return pixels.from_npz(data, slice_record.pixels_path)
        return pixels.from_png(data, slice_record.pixels_path)

    def read_picture(self, slice_record: SliceRecord) -> bytes:
        """The 8-bit PNG that Label Studio shows."""
        return self.storage.read_bytes(slice_record.picture_path)

    def record(self, slice_id: int) -> npt.NDArray[np.uint8] | None:
        """(H, W) uint8 candidates of the source's own masks (see `partial_labels`), None without them.

        Raises:
            NotFoundError: there is no such slice.
        """
        query = sa.select(tables.slices.c.record_path).where(tables.slices.c.id == slice_id)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"the catalog has no slice {slice_id}")
        path: str | None = row[0]
        return None if path is None else pixels.from_png(self.storage.read_bytes(path), path)

    def _slices(self, query: sa.Select[Any]) -> list[SliceRecord]:
        with self._database.reading() as connection:
            return [slice_record(row) for row in connection.execute(query).mappings()]

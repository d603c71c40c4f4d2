"""Slices: finding them, their pixels and their reference labels."""

from dataclasses import fields
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
_AS_STORED = {field.name for field in fields(SliceRecord)} - {"split", "intensity", "has_reference_labels"}


def slice_record(row: sa.RowMapping) -> SliceRecord:
    """A row of SLICE_ROWS as a record."""
    return SliceRecord(
        **{name: row[name] for name in _AS_STORED},
        split=Split(row["split"]),
        intensity=Intensity(row["intensity"]),
        has_reference_labels=row["record_path"] is not None,
    )


class SliceStore(Store):
    """Finding slices, their pixels and their reference labels."""

    def all(self, split: Split | None = None) -> list[SliceRecord]:
        """Slices in the order of their ids, which within a study is the order of its slices."""
        is_wanted = sa.true() if split is None else tables.patients.c.split == split.value
        return self.select(SLICE_ROWS.where(is_wanted))

    def of_study(self, study_id: int) -> list[SliceRecord]:
        """A study's slices in their order."""
        return self.select(SLICE_ROWS.where(tables.slices.c.study_id == study_id))

    def open(self) -> list[SliceRecord]:
        """Slices that no reader has corrected, or accepted with their study."""
        return self.select(SLICE_ROWS.where(~tables.slices.c.reviewed))

    def get(self, slice_id: int) -> SliceRecord:
        """The slice of this id.

        Raises:
            NotFoundError: there is none.
        """
        return self._only(tables.slices.c.id == slice_id, f"slice {slice_id}")

    def by_index(self, study_name: str, index: int) -> SliceRecord:
        """The slice at a 0-based index of a study.

        Raises:
            NotFoundError: no such study, or no such slice in it.
        """
        here = (tables.studies.c.name == study_name) & (tables.slices.c.index == index)
        return self._only(here, f"slice {index} of a study {study_name!r}")

    def by_picture(self, picture_path: str) -> SliceRecord | None:
        """The first slice shown as this picture (a storage key), None where there is none."""
        records = self.select(SLICE_ROWS.where(tables.slices.c.picture_path == picture_path).limit(1))
        return records[0] if records else None

    def read_pixels(self, slice_record: SliceRecord) -> npt.NDArray[np.generic]:
        """(H, W) int16 Hounsfield units, or uint8 grey levels of a picture."""
        data = self._storage.read_bytes(slice_record.pixels_path)
        if slice_record.intensity is Intensity.HU:
            return pixels.from_npz(data, slice_record.pixels_path)
        return pixels.from_png(data, slice_record.pixels_path)

    def read_picture(self, slice_record: SliceRecord) -> bytes:
        """The 8-bit PNG that Label Studio shows."""
        return self._storage.read_bytes(slice_record.picture_path)

    def reference_labels(self, slice_id: int) -> npt.NDArray[np.uint8] | None:
        """(H, W) uint8 `partial_labels` of the source's own masks, None without them.

        Raises:
            NotFoundError: there is no such slice.
        """
        row = self._database.row(sa.select(tables.slices.c.record_path).where(tables.slices.c.id == slice_id))
        if row is None:
            raise NotFoundError(f"the catalog has no slice {slice_id}")
        path: str | None = row["record_path"]
        return None if path is None else pixels.from_png(self._storage.read_bytes(path), path)

    def without_fingerprint(self, limit: int | None = None) -> dict[int, str]:
        """Slice id -> storage key of its picture, of slices without a fingerprint, open ones first."""
        slices = tables.slices
        missing = sa.select(slices.c.id, slices.c.picture_path).where(slices.c.fingerprint.is_(None))
        rows = self._database.rows(missing.order_by(slices.c.reviewed, slices.c.id).limit(limit))
        return {row["id"]: row["picture_path"] for row in rows}

    def fingerprints(self, split: Split) -> dict[int, int]:
        """Slice id -> `chestct.acquisition.fingerprint`, in [0, 2 ** 64); 0 where it says nothing."""
        slices, studies, patients = tables.slices, tables.studies, tables.patients
        query = (
            sa.select(slices.c.id, slices.c.fingerprint)
            .join(studies, slices.c.study_id == studies.c.id)
            .join(patients, studies.c.patient == patients.c.patient)
            .where((patients.c.split == split.value) & slices.c.fingerprint.is_not(None))
        )
        return {row["id"]: row["fingerprint"] % 2**64 for row in self._database.rows(query)}

    def keep_fingerprints(self, fingerprints: dict[int, int]) -> None:
        """Keep fingerprints as of `incoming.kept_fingerprint` by slice id; at most some thousand at once."""
        slices = tables.slices
        change = sa.update(slices).where(slices.c.id.in_(list(fingerprints)))
        with self._database.writing() as connection:
            connection.execute(change.values(fingerprint=sa.case(fingerprints, value=slices.c.id)))

    def select(self, query: sa.Select[Any]) -> list[SliceRecord]:
        """What a query made from SLICE_ROWS finds; for stores that know their own conditions."""
        return [slice_record(row) for row in self._database.rows(query)]

    def _only(self, condition: sa.ColumnElement[bool], what: str) -> SliceRecord:
        records = self.select(SLICE_ROWS.where(condition))
        if not records:
            raise NotFoundError(f"the catalog has no {what}")
        return records[0]

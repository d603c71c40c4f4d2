"""Corrections: what readers gave, kept for good."""

from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.current import current_corrections, newest_of_annotations
from chestct.catalog.predictions import PredictionStore
from chestct.catalog.records import CorrectionRecord, CorrectionState, PredictionRecord, SliceRecord
from chestct.catalog.reviewed import ANNOTATIONS_TOPIC, note_reviewed
from chestct.catalog.slices import SLICE_ROWS
from chestct.errors import InputError
from chestct.labels import LESIONS, Label, Split


def changed_lesion_fraction(corrected: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8]) -> float:
    """Pixels whose lesion class differs / all pixels, in [0, 1]; lung and background count as one.

    Args:
        corrected, predicted: (H, W) uint8 label maps.
    """
    lesion_of_label = np.array([label if label in LESIONS else 0 for label in Label], dtype=np.uint8)
    return float(np.mean(lesion_of_label[corrected] != lesion_of_label[predicted]))


class CorrectionStore(PredictionStore):
    """Adding and reading corrections; the database itself refuses to change or drop one."""

    def add_correction(
        self,
        *,
        slice_id: int,
        project_uid: str,
        task_id: int,
        annotation_id: int,
        annotation_updated_at: str,
        state: CorrectionState,
        annotator: str,
        via: str,
        label_map: npt.NDArray[np.uint8] | None = None,
        lead_time_seconds: float | None = None,
        ground_truth: bool = False,
        model_version: str | None = None,
        changed_fraction: float | None = None,
    ) -> tuple[CorrectionRecord, bool]:
        """Append one state of one annotation; the same state delivered again is one row.

        The label map's file is on disk for good before its row is committed: killed at any moment,
        there is never a row without its file.

        Args:
            annotation_updated_at: ISO 8601, Label Studio's own time of this state.
            label_map: (H, W) uint8 exactly as submitted; for SUBMITTED only.
            model_version: the version whose prediction the reader started from.
            changed_fraction: computed from that version's stored prediction where left out.
        Returns:
            The row, and whether it is new.
        Raises:
            InputError: the label map is missing, of another shape than the slice, or given for a
                state that has none.
            NotFoundError: there is no such slice.
        """
        shown = self.slice(slice_id)
        _check_label_map(shown, state, label_map)
        row: dict[str, Any] = {
            "slice_id": slice_id,
            "project_uid": project_uid,
            "task_id": task_id,
            "annotation_id": annotation_id,
            "annotation_updated_at": timestamps.utc_text(annotation_updated_at),
            "state": state.value,
            "annotator": annotator,
            "lead_time_seconds": lead_time_seconds,
            "ground_truth": ground_truth,
            "model_version": model_version,
            "via": via,
        }
        unique = ("project_uid", "annotation_id", "annotation_updated_at", "slice_id", "state")
        same = sa.and_(*(tables.corrections.c[name] == row[name] for name in unique))
        known = self._corrections(sa.select(tables.corrections).where(same))
        if known:
            return known[0], False
        started_from = None if model_version is None else self.prediction(slice_id, model_version)
        if changed_fraction is None:
            changed_fraction = self._changed_fraction(label_map, started_from)
        row["changed_fraction"] = changed_fraction
        row["prediction_id"] = None if started_from is None else started_from.id
        row["label_map_path"] = None if label_map is None else self.storage.write_label_map(label_map)
        row["received_at"] = timestamps.now()
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            created = self._database.add_new(connection, tables.corrections, row)
            if created:
                note_reviewed(connection, project_uid, annotation_id)
        return self._corrections(sa.select(tables.corrections).where(same))[0], created

    def current_corrections(self, split: Split | None = None) -> list[CorrectionRecord]:
        """What readers hold true now: the newest submitted row of each slice and annotator.

        Annotations whose newest state is skipped or deleted do not count.
        """
        current = current_corrections()
        query = sa.select(current).order_by(current.c.id)
        if split is not None:
            query = (
                query.join(tables.slices, tables.slices.c.id == current.c.slice_id)
                .join(tables.studies, tables.studies.c.id == tables.slices.c.study_id)
                .join(tables.patients, tables.patients.c.patient == tables.studies.c.patient)
                .where(tables.patients.c.split == split.value)
            )
        return self._corrections(query)

    def all_corrections(self) -> list[CorrectionRecord]:
        """Every state ever received, in the order of receipt."""
        return self._corrections(sa.select(tables.corrections).order_by(tables.corrections.c.id))

    def annotation_states(self, project_uid: str, task_id: int | None = None) -> dict[int, CorrectionRecord]:
        """Annotation id -> its newest known state, for comparison with what Label Studio has.

        One row stands for all slices of an annotation of a study task: they came together.
        """
        newest = newest_of_annotations()
        query = sa.select(newest).where(newest.c.project_uid == project_uid)
        if task_id is not None:
            query = query.where(newest.c.task_id == task_id)
        return {correction.annotation_id: correction for correction in self._corrections(query)}

    def open_slices(self, limit: int | None = None) -> list[SliceRecord]:
        """Slices that no reader has corrected, or accepted with their study."""
        return self._slices(SLICE_ROWS.where(~tables.slices.c.reviewed).limit(limit))

    def _changed_fraction(
        self, label_map: npt.NDArray[np.uint8] | None, started_from: PredictionRecord | None
    ) -> float | None:
        if label_map is None or started_from is None:
            return None
        return changed_lesion_fraction(label_map, self.storage.read_label_map(started_from.label_map_path))

    def _corrections(self, query: sa.Select[Any]) -> list[CorrectionRecord]:
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [CorrectionRecord(**{**row, "state": CorrectionState(row["state"])}) for row in rows]


def _check_label_map(
    shown: SliceRecord, state: CorrectionState, label_map: npt.NDArray[np.uint8] | None
) -> None:
    source = f"correction of {shown.study_name} slice {shown.index}"
    if (label_map is not None) != (state is CorrectionState.SUBMITTED):
        raise InputError(source, f"is {state} {'with' if label_map is not None else 'without'} a label map")
    if label_map is not None and label_map.shape != (shown.height, shown.width):
        raise InputError(
            source, f"has the shape {label_map.shape}; the slice is {(shown.height, shown.width)}"
        )

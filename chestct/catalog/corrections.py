"""Corrections: what readers gave, kept for good; the database itself refuses to change or drop one."""

from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.current import (
    chosen_corrections,
    current_corrections,
    newest_grades,
    newest_of_annotations,
    newest_states,
)
from chestct.catalog.database import Database
from chestct.catalog.predictions import PredictionStore
from chestct.catalog.records import CorrectionRecord, CorrectionState, SliceRecord
from chestct.catalog.reviewed import ANNOTATIONS_TOPIC, note_reviewed
from chestct.catalog.slices import SliceStore
from chestct.catalog.storage import Storage
from chestct.catalog.store import Store
from chestct.catalog.study_annotations import StudyAnnotation
from chestct.errors import InputError
from chestct.labels import LESIONS, Label, Split

# What makes a delivery the same delivery.
_UNIQUE = ("project_uid", "annotation_id", "annotation_updated_at", "slice_id", "state")
# What a deleted annotation no longer says.
_VOID = (
    "lead_time_seconds", "label_map_path", "prediction_id", "changed_fraction", "model_version", "grade",
    "model_grade",
)  # fmt: skip


def changed_lesion_fraction(corrected: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8]) -> float:
    """Pixels whose lesion class differs / all pixels, in [0, 1]; lung and background count as one.

    Args:
        corrected, predicted: (H, W) uint8 label maps.
    """
    lesion_of_label = np.array([label if label in LESIONS else 0 for label in Label], dtype=np.uint8)
    return float(np.mean(lesion_of_label[corrected] != lesion_of_label[predicted]))


class CorrectionStore(Store):
    """Adding and reading corrections."""

    def __init__(
        self, database: Database, storage: Storage, slices: SliceStore, predictions: PredictionStore
    ) -> None:
        super().__init__(database, storage)
        self._slices, self._predictions = slices, predictions

    def add(
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
    ) -> tuple[CorrectionRecord, bool]:
        """Append one state of one annotation; the same state delivered again is one row.

        The label map's file is durable before its row is committed: there is never a row without its file.

        Args:
            annotation_updated_at: ISO 8601, Label Studio's own time of this state.
            label_map: (H, W) uint8 exactly as submitted; for SUBMITTED only.
            model_version: the version whose prediction the reader started from.
        Returns:
            The row, and whether it is new.
        Raises:
            InputError: the label map is missing, of another shape, or given for a state that has none.
            NotFoundError: there is no such slice.
        """
        slice_record = self._slices.get(slice_id)
        source = f"correction of {slice_record.study_name} slice {slice_record.index}"
        _check_label_map(source, slice_record, state, label_map)
        if state is CorrectionState.SUBMITTED and label_map is None:
            raise InputError(source, f"is {state} without a label map")
        row = {
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
        table = tables.corrections
        same = sa.select(table).where(*(table.c[name] == row[name] for name in _UNIQUE))
        if stored := self._records(same):
            return stored[0], False
        row |= {**self._content(slice_id, label_map, model_version), "received_at": timestamps.now()}
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            is_new = self._database.add_new(connection, table, row)
            if is_new:
                note_reviewed(connection, project_uid, annotation_id)
        return self._records(same)[0], is_new

    def add_study_annotation(self, annotation: StudyAnnotation) -> bool:
        """Append one state of an annotation of a study task: a row for each slice, and one for the grade.

        All rows come in one transaction, after the files that they name: killed at any moment, the
        catalog holds the whole state or nothing of it. The same state again adds nothing.

        Returns:
            Whether it is new.
        Raises:
            InputError: a label map does not fit its slice, a slice is of another study, or a skipped
                annotation comes with label maps.
        """
        of_study = {record.id: record for record in self._slices.of_study(annotation.study_id)}
        rows = [self._slice_row(annotation, of_study, slice_id) for slice_id in annotation.label_maps]
        # The webhook's job and the sync may both bring it at the same moment.
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            is_new = self._database.add_new(connection, tables.study_grades, annotation.grade_row())
            if is_new and rows:
                connection.execute(sa.insert(tables.corrections), rows)
                note_reviewed(connection, annotation.project_uid, annotation.annotation_id)
        return is_new

    def mark_deleted(self, project_uid: str, annotation_id: int, via: str) -> bool:
        """The annotation is gone from Label Studio; its history stays.

        Returns:
            Whether that is news.
        """
        changes = {"state": CorrectionState.DELETED.value, "via": via, "received_at": timestamps.now()}
        added = False
        rows = tables.corrections
        this_one = (rows.c.project_uid == project_uid) & (rows.c.annotation_id == annotation_id)
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            for newest, table in (
                (newest_states(this_one), rows),
                (newest_grades(), tables.study_grades),
            ):
                here = (newest.c.project_uid == project_uid) & (newest.c.annotation_id == annotation_id)
                for row in connection.execute(sa.select(newest).where(here)).mappings().all():
                    if row["state"] == CorrectionState.DELETED.value:
                        continue
                    kept = {name: None if name in _VOID else row[name] for name in row if name != "id"}
                    added |= self._database.add_new(connection, table, {**kept, **changes})
            if added:
                note_reviewed(connection, project_uid, annotation_id)
        return added

    def current(self, split: Split | None = None) -> list[CorrectionRecord]:
        """What readers hold true now: the newest submitted row of each slice and annotator.

        Annotations whose newest state is skipped or deleted do not count.
        """
        return self._of_split(current_corrections(), split)

    def chosen(self, split: Split | None = None) -> list[CorrectionRecord]:
        """The one of them that counts for each slice, see `current.chosen_corrections`."""
        return self._of_split(chosen_corrections(), split)

    def all(self) -> list[CorrectionRecord]:
        """Every state ever received, in the order of receipt."""
        return self._records(sa.select(tables.corrections).order_by(tables.corrections.c.id))

    def annotation_states(self, project_uid: str, task_id: int | None = None) -> dict[int, CorrectionRecord]:
        """Annotation id -> its newest known state, for comparison with what Label Studio has.

        One row stands for all slices of an annotation of a study task: they came together.
        """
        newest = newest_of_annotations()
        query = sa.select(newest).where(newest.c.project_uid == project_uid)
        if task_id is not None:
            query = query.where(newest.c.task_id == task_id)
        return {correction.annotation_id: correction for correction in self._records(query)}

    def _slice_row(
        self, annotation: StudyAnnotation, of_study: dict[int, SliceRecord], slice_id: int
    ) -> dict[str, Any]:
        source, label_map = f"annotation {annotation.annotation_id}", annotation.label_maps[slice_id]
        if slice_id not in of_study:
            raise InputError(source, f"speaks of slice {slice_id}, which is not of its study")
        state = annotation.state
        _check_label_map(source, of_study[slice_id], state, label_map)
        if label_map is None and state is CorrectionState.SUBMITTED:
            state = CorrectionState.ACCEPTED
        return {
            **annotation.common_columns(),
            "slice_id": slice_id,
            "state": state.value,
            # Label Studio times the study as a whole: what a slice of it took, nobody knows.
            "lead_time_seconds": None,
            **self._content(slice_id, label_map, annotation.model_version),
        }

    def _content(
        self, slice_id: int, label_map: npt.NDArray[np.uint8] | None, model_version: str | None
    ) -> dict[str, Any]:
        """The label map's file, the prediction it started from, and how much it changes of that."""
        started_from = None if model_version is None else self._predictions.of_slice(slice_id, model_version)
        changed = None
        if label_map is not None and started_from is not None:
            predicted = self._storage.read_label_map(started_from.label_map_path)
            changed = changed_lesion_fraction(label_map, predicted)
        return {
            "label_map_path": None if label_map is None else self._storage.write_label_map(label_map),
            "prediction_id": None if started_from is None else started_from.id,
            "changed_fraction": changed,
        }

    def _of_split(self, corrections: sa.Subquery, split: Split | None) -> list[CorrectionRecord]:
        query = sa.select(corrections).order_by(corrections.c.id)
        if split is not None:
            query = (
                query.join(tables.slices, tables.slices.c.id == corrections.c.slice_id)
                .join(tables.studies, tables.studies.c.id == tables.slices.c.study_id)
                .join(tables.patients, tables.patients.c.patient == tables.studies.c.patient)
                .where(tables.patients.c.split == split.value)
            )
        return self._records(query)

    def _records(self, query: sa.Select[Any]) -> list[CorrectionRecord]:
        rows = self._database.rows(query)
        return [CorrectionRecord(**{**row, "state": CorrectionState(row["state"])}) for row in rows]


def _check_label_map(
    source: str, slice_record: SliceRecord, state: CorrectionState, label_map: npt.NDArray[np.uint8] | None
) -> None:
    if label_map is not None and state is not CorrectionState.SUBMITTED:
        raise InputError(source, f"is {state} with a label map")
    size = (slice_record.height, slice_record.width)
    if label_map is not None and label_map.shape != size:
        raise InputError(source, f"has a label map of shape {label_map.shape}; the slice is {size}")

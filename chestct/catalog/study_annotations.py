"""Annotations of study tasks: one row for each slice and one for the study's grade, all or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.corrections import CorrectionStore, changed_lesion_fraction
from chestct.catalog.current import current_grades, newest_grades, newest_states
from chestct.catalog.records import CorrectionState, SliceRecord, StudyGradeRecord
from chestct.catalog.reviewed import ANNOTATIONS_TOPIC, note_reviewed
from chestct.errors import InputError
from chestct.labels import SeverityGrade

# What a deleted annotation no longer says.
_VOID = (
    "lead_time_seconds", "label_map_path", "prediction_id", "changed_fraction", "model_version", "grade",
    "model_grade",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class StudyAnnotation:
    """One state of one annotation of a study task.

    Args:
        annotation_updated_at: ISO 8601, Label Studio's own time of this state.
        state: SUBMITTED or SKIPPED.
        lead_time_seconds: what the reader spent on the whole study.
        model_version: the version whose prediction the reader started from.
        model_grade: the grade that this prediction showed.
        grade: the reader's; None where none was chosen.
        label_maps: slice id -> (H, W) uint8 as submitted where the reader corrected the slice, None
            where it came back untouched; all slices of the task, whatever the state.
    """

    study_id: int
    project_uid: str
    task_id: int
    annotation_id: int
    annotation_updated_at: str
    state: CorrectionState
    annotator: str
    via: str
    label_maps: Mapping[int, npt.NDArray[np.uint8] | None]
    lead_time_seconds: float | None = None
    ground_truth: bool = False
    model_version: str | None = None
    model_grade: SeverityGrade | None = None
    grade: SeverityGrade | None = None


class StudyAnnotationStore(CorrectionStore):
    """Adding what readers said of whole studies, and reading their grades."""

    def add_study_annotation(self, given: StudyAnnotation) -> bool:
        """Append one state of an annotation: a row for each slice, and one for the grade.

        All rows come in one transaction, after the files that they name: killed at any moment, the
        catalog holds the whole state or nothing of it. The same state again adds nothing.

        Returns:
            Whether it is new.
        Raises:
            InputError: a label map does not fit its slice, a slice is of another study, or a skipped
                annotation comes with label maps.
        """
        shown = {one.id: one for one in self.slices(study_id=given.study_id)}
        rows = [
            self._slice_row(given, shown, slice_id, given.label_maps[slice_id])
            for slice_id in given.label_maps
        ]
        grade = {
            **self._common(given),
            "study_id": given.study_id,
            "state": given.state.value,
            "lead_time_seconds": given.lead_time_seconds,
            "grade": None if given.grade is None else given.grade.value,
            "model_grade": None if given.model_grade is None else given.model_grade.value,
        }
        # The webhook's job and the sync may both bring it at the same moment.
        with self._database.writing(ANNOTATIONS_TOPIC) as connection:
            created = self._database.add_new(connection, tables.study_grades, grade)
            if created and rows:
                connection.execute(sa.insert(tables.corrections), rows)
                note_reviewed(connection, given.project_uid, given.annotation_id)
        return created

    def mark_annotation_deleted(self, project_uid: str, annotation_id: int, via: str) -> bool:
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

    def current_grades(self) -> list[StudyGradeRecord]:
        """The grade that each reader gives each study now, newest last."""
        grades = current_grades()
        return self._grades(sa.select(grades).order_by(grades.c.annotation_updated_at, grades.c.id))

    def all_grades(self) -> list[StudyGradeRecord]:
        """Every state ever received, in the order of receipt."""
        return self._grades(sa.select(tables.study_grades).order_by(tables.study_grades.c.id))

    def _slice_row(
        self,
        given: StudyAnnotation,
        shown: Mapping[int, SliceRecord],
        slice_id: int,
        label_map: npt.NDArray[np.uint8] | None,
    ) -> dict[str, Any]:
        source = f"annotation {given.annotation_id}"
        if slice_id not in shown:
            raise InputError(source, f"speaks of slice {slice_id}, which is not of its study")
        size = (shown[slice_id].height, shown[slice_id].width)
        if label_map is not None and label_map.shape != size:
            raise InputError(source, f"has a label map of shape {label_map.shape}; the slice is {size}")
        if label_map is not None and given.state is not CorrectionState.SUBMITTED:
            raise InputError(source, f"is {given.state} with a label map")
        started_from = None if given.model_version is None else self.prediction(slice_id, given.model_version)
        state = given.state
        if state is CorrectionState.SUBMITTED and label_map is None:
            state = CorrectionState.ACCEPTED
        changed = None
        if label_map is not None and started_from is not None:
            changed = changed_lesion_fraction(
                label_map, self.storage.read_label_map(started_from.label_map_path)
            )
        return {
            **self._common(given),
            "slice_id": slice_id,
            "state": state.value,
            # Label Studio times the study as a whole: what a slice of it took, nobody knows.
            "lead_time_seconds": None,
            "label_map_path": None if label_map is None else self.storage.write_label_map(label_map),
            "prediction_id": None if started_from is None else started_from.id,
            "changed_fraction": changed,
        }

    def _common(self, given: StudyAnnotation) -> dict[str, Any]:
        return {
            "project_uid": given.project_uid,
            "task_id": given.task_id,
            "annotation_id": given.annotation_id,
            "annotation_updated_at": timestamps.utc_text(given.annotation_updated_at),
            "annotator": given.annotator,
            "ground_truth": given.ground_truth,
            "model_version": given.model_version,
            "received_at": timestamps.now(),
            "via": given.via,
        }

    def _grades(self, query: sa.Select[Any]) -> list[StudyGradeRecord]:
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            StudyGradeRecord(
                **{
                    **row,
                    "state": CorrectionState(row["state"]),
                    "grade": None if row["grade"] is None else SeverityGrade(row["grade"]),
                    "model_grade": None if row["model_grade"] is None else SeverityGrade(row["model_grade"]),
                }
            )
            for row in rows
        ]

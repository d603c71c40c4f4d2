"""Annotations of study tasks, and the grades that readers gave in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import timestamps
from chestct.catalog.current import current_grades
from chestct.catalog.records import CorrectionState, StudyGradeRecord
from chestct.catalog.store import Store
from chestct.labels import SeverityGrade


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

    def common_columns(self) -> dict[str, Any]:
        """What its grade's row and the rows of its slices all say."""
        return {
            "project_uid": self.project_uid,
            "task_id": self.task_id,
            "annotation_id": self.annotation_id,
            "annotation_updated_at": timestamps.utc_text(self.annotation_updated_at),
            "annotator": self.annotator,
            "ground_truth": self.ground_truth,
            "model_version": self.model_version,
            "received_at": timestamps.now(),
            "via": self.via,
        }

    def grade_row(self) -> dict[str, Any]:
        """A row of `study_grades`."""
        return {
            **self.common_columns(),
            "study_id": self.study_id,
            "state": self.state.value,
            "lead_time_seconds": self.lead_time_seconds,
            "grade": None if self.grade is None else self.grade.value,
            "model_grade": None if self.model_grade is None else self.model_grade.value,
        }


class GradeStore(Store):
    """Reading the grades; `CorrectionStore.add_study_annotation` adds them."""

    def current(self) -> list[StudyGradeRecord]:
        """The grade that each reader gives each study now, newest last."""
        grades = current_grades()
        query = sa.select(grades).order_by(grades.c.annotation_updated_at, grades.c.id)
        return [
            StudyGradeRecord(
                **{
                    **row,
                    "state": CorrectionState(row["state"]),
                    "grade": SeverityGrade(row["grade"]),
                    "model_grade": None if row["model_grade"] is None else SeverityGrade(row["model_grade"]),
                }
            )
            for row in self._database.rows(query)
        ]

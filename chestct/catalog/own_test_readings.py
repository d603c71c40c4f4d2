"""Readings of test slices: what readers made of own test patients without being shown anything."""

from dataclasses import dataclass

import sqlalchemy as sa

from chestct.acquisition.allocation import Arm
from chestct.catalog import tables
from chestct.catalog.current import chosen_corrections
from chestct.catalog.records import CorrectionRecord, CorrectionState
from chestct.catalog.store import Store


@dataclass(frozen=True)
class ReadingsState:
    """How far the reading of test slices is.

    Args:
        patients: own test patients.
        slices: test slices of them.
        done: of these, those with a reading that counts.
    """

    patients: int
    slices: int
    done: int

    def as_dict(self) -> dict[str, int]:
        """JSON-ready; the names are those of `lungloop status --json`."""
        return {"done": self.done, "of": self.slices, "patients": self.patients}


class OwnTestReadingStore(Store):
    """Finding the readings that may judge a model."""

    def all(self) -> list[CorrectionRecord]:
        """The correction that counts of each test slice, where its reader was shown no pre-label.

        A reading that began from a prediction does not count, nor one of a study task, which shows one. Where
        another correction is chosen later, that one counts, or none.
        """
        chosen, drawn = chosen_corrections(), tables.assignments
        study_task = (tables.study_tasks.c.project_uid == chosen.c.project_uid) & (
            tables.study_tasks.c.task_id == chosen.c.task_id
        )
        query = (
            sa.select(chosen)
            .join(drawn, drawn.c.slice_id == chosen.c.slice_id)
            .where(
                (drawn.c.arm == Arm.TEST.value)
                & chosen.c.prediction_id.is_(None)
                & chosen.c.model_version.is_(None)
                & ~sa.exists().where(study_task)
            )
            .order_by(chosen.c.slice_id)
        )
        rows = self._database.rows(query)
        return [CorrectionRecord(**{**row, "state": CorrectionState(row["state"])}) for row in rows]

    def state(self) -> ReadingsState:
        """How many there are, and how many are wanted."""
        drawn, slices, studies = tables.assignments, tables.slices, tables.studies
        query = (
            sa.select(sa.func.count(studies.c.patient.distinct()), sa.func.count())
            .select_from(drawn)
            .join(slices, slices.c.id == drawn.c.slice_id)
            .join(studies, studies.c.id == slices.c.study_id)
            .where(drawn.c.arm == Arm.TEST.value)
        )
        with self._database.reading() as connection:
            patients, count = connection.execute(query).one()
        return ReadingsState(patients, count, len(self.all()) if count else 0)

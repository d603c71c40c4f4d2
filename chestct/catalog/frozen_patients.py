"""Holding patients back for testing where the draw at their coming left none, or too few."""

from collections.abc import Collection

import sqlalchemy as sa

from chestct.acquisition.allocation import TEST_SLICE, Arm
from chestct.catalog import tables, timestamps
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.records import RequestState
from chestct.catalog.splits import (
    FEWEST_LABELLED_PATIENTS,
    SPLITS_TOPIC,
    OwnTesting,
    evenly_spaced,
    own_test_patients_wanted,
    patient_bucket,
)
from chestct.catalog.store import Store
from chestct.labels import Split


class PatientStore(Store):
    """The changes of a patient's split that there are, before anything was learnt from it."""

    def freeze_test_patient(self) -> str | None:
        """Hold one labelled patient back for testing where chance left none.

        Takes the labelled patient with the lowest bucket that has no corrections and that no model
        has been trained on (none was registered, and no retrain runs, since the patient came), if
        there are at least three labelled patients.

        Returns:
            The patient that is now a test patient, None where nothing changed.
        """
        with self._database.writing(SPLITS_TOPIC) as connection:
            labelled = _labelled_patients(connection)
            has_test = any(split == Split.TEST for _, split, _ in labelled)
            if has_test or len(labelled) < FEWEST_LABELLED_PATIENTS or _retrain_runs(connection):
                return None
            corrected = _corrected_patients(connection)
            trained_at = _last_training(connection)
            free = [
                patient
                for patient, _, since in labelled
                if patient not in corrected and (trained_at is None or since > trained_at)
            ]
            if not free:
                return None
            chosen = min(free, key=patient_bucket)
            _hold_back(connection, chosen)
            return chosen

    def draw_own_test_patients(self, testing: OwnTesting, fixed: Collection[str] = ()) -> list[str]:
        """Hold patients without reference labels back, and draw the slices of them that are to be read.

        As many as `own_test_patients_wanted` says, those of former draws counted: who was drawn stays. The
        lowest buckets come first, of patients on the training side without corrections and without masks
        that a reader would be shown, who came after the last training. Slices that were drawn for something,
        or that a model has predicted, may be on a reader's screen with a pre-label already, so others are
        taken; who has too few of them is passed over.

        Args:
            fixed: patients whose side their source fixes.
        Returns:
            The patients drawn now.
        """
        if not testing.is_wanted:
            return []
        drawn: list[str] = []
        with self._database.writing(SPLITS_TOPIC) as connection:
            missing = _missing_test_patients(connection, testing.share)
            if missing <= 0 or _retrain_runs(connection):
                return []
            for patient in sorted(_never_used_patients(connection) - set(fixed), key=patient_bucket):
                if len(drawn) == missing:
                    break
                slice_ids = _free_test_slices(connection, patient, testing.slices)
                if slice_ids:
                    _hold_back(connection, patient)
                    self._allocate_for_testing(connection, slice_ids)
                    drawn.append(patient)
        return drawn

    def _allocate_for_testing(self, connection: sa.Connection, slice_ids: list[int]) -> None:
        drawn = {**vars(TEST_SLICE), "arm": TEST_SLICE.arm.value, "drawn_at": timestamps.now()}
        rows = [{**drawn, "slice_id": slice_id} for slice_id in slice_ids]
        self._database.add_all(connection, tables.assignments, rows, keep_known=True)


_PATIENT = (tables.patients.c.patient, tables.patients.c.split, tables.patients.c.created_at)


def _hold_back(connection: sa.Connection, patient: str) -> None:
    here = tables.patients.c.patient == patient
    connection.execute(sa.update(tables.patients).where(here).values(split=Split.TEST.value))


def _missing_test_patients(connection: sa.Connection, share: float) -> int:
    """How many own test patients are wanted beyond those there are; below 0 where there are more."""
    patients = set(connection.execute(sa.select(tables.patients.c.patient)).scalars())
    labelled = {patient: split for patient, split, _ in _labelled_patients(connection)}
    own = _own_test_patients(connection)
    labelled_test = sum(split == Split.TEST and patient not in own for patient, split in labelled.items())
    return own_test_patients_wanted(len(patients - labelled.keys()), labelled_test, share) - len(own)


def _own_test_patients(connection: sa.Connection) -> set[str]:
    return _patients_with(connection, tables.assignments, tables.assignments.c.arm == Arm.TEST.value)


def _never_used_patients(connection: sa.Connection) -> set[str]:
    """Training patients that nothing was said of, shown of or learnt from, no reference labels included."""
    trained_at, of_patients = _last_training(connection), tables.patients.c
    since = sa.true() if trained_at is None else of_patients.created_at > trained_at
    query = sa.select(of_patients.patient).where((of_patients.split == Split.TRAIN.value) & since)
    labelled = {patient for patient, *_ in _labelled_patients(connection)}
    # A mask from elsewhere that a reader may have seen would anchor the reading.
    masked = _patients_with(connection, tables.predictions, tables.predictions.c.model_version == OWN_MASKS)
    used = labelled | masked | _corrected_patients(connection)
    return set(connection.execute(query).scalars()) - used


def _free_test_slices(connection: sa.Connection, patient: str, wanted: int) -> list[int]:
    """Slices to be read of a patient, in its largest study; none where too few are free for that."""
    studies, slices = tables.studies, tables.slices
    largest = (
        sa.select(studies.c.id, studies.c.slice_count)
        .where(studies.c.patient == patient)
        .order_by(studies.c.slice_count.desc(), studies.c.key)
        .limit(1)
    )
    study_id, slice_count = connection.execute(largest).one()
    drawn, predicted = tables.assignments.c.slice_id, tables.predictions.c.slice_id
    untouched = sa.select(slices.c.index, slices.c.id).where(
        (slices.c.study_id == study_id)
        & slices.c.id.not_in(sa.select(drawn))
        & ~sa.exists().where(predicted == slices.c.id)
    )
    free: dict[int, int] = {row["index"]: row["id"] for row in connection.execute(untouched).mappings()}
    chosen = evenly_spaced(list(free), slice_count, wanted)
    # A patient with fewer slices than the others would count for as much and be known less.
    if len(chosen) < len(evenly_spaced(range(slice_count), slice_count, wanted)):
        return []
    return [free[index] for index in chosen]


def _labelled_patients(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Patient, split and since when known, of those with reference labels."""
    query = (
        sa.select(*_PATIENT)
        .join(tables.studies, tables.studies.c.patient == tables.patients.c.patient)
        .join(tables.slices, tables.slices.c.study_id == tables.studies.c.id)
        .where(tables.slices.c.record_path.is_not(None))
        .distinct()
    )
    return [(patient, split, since) for patient, split, since in connection.execute(query)]


def _corrected_patients(connection: sa.Connection) -> set[str]:
    return _patients_with(connection, tables.corrections, sa.true())


def _patients_with(connection: sa.Connection, rows: sa.Table, condition: sa.ColumnElement[bool]) -> set[str]:
    """Patients with a slice that such a row speaks of."""
    query = (
        sa.select(tables.studies.c.patient)
        .join(tables.slices, tables.slices.c.study_id == tables.studies.c.id)
        .join(rows, rows.c.slice_id == tables.slices.c.id)
        .where(condition)
        .distinct()
    )
    return set(connection.execute(query).scalars())


def _last_training(connection: sa.Connection) -> str | None:
    """When the newest model that learnt from this catalog was registered."""
    query = sa.select(sa.func.max(tables.versions.c.created_at))
    return connection.execute(query.where(tables.versions.c.snapshot.is_not(None))).scalar()


def _retrain_runs(connection: sa.Connection) -> bool:
    requests = tables.retrain_requests
    running = sa.select(requests.c.id).where(requests.c.state == RequestState.RUNNING.value)
    return connection.execute(running).first() is not None

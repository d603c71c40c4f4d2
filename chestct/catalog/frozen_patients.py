"""Holding a patient back for testing where the draw by chance left none."""

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.records import RequestState
from chestct.catalog.splits import FEWEST_LABELLED_PATIENTS, SPLITS_TOPIC, patient_bucket
from chestct.catalog.store import Store
from chestct.labels import Split


class PatientStore(Store):
    """The one change of a patient's split that there is, before anything was learnt from it."""

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
            connection.execute(
                sa.update(tables.patients)
                .where(tables.patients.c.patient == chosen)
                .values(split=Split.TEST.value)
            )
            return chosen


def _labelled_patients(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Patient, split and since when known, of those with reference labels."""
    query = (
        sa.select(tables.patients.c.patient, tables.patients.c.split, tables.patients.c.created_at)
        .join(tables.studies, tables.studies.c.patient == tables.patients.c.patient)
        .join(tables.slices, tables.slices.c.study_id == tables.studies.c.id)
        .where(tables.slices.c.record_path.is_not(None))
        .distinct()
    )
    return [(patient, split, since) for patient, split, since in connection.execute(query)]


def _corrected_patients(connection: sa.Connection) -> set[str]:
    query = (
        sa.select(tables.studies.c.patient)
        .join(tables.slices, tables.slices.c.study_id == tables.studies.c.id)
        .join(tables.corrections, tables.corrections.c.slice_id == tables.slices.c.id)
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

"""Studies: finding them and adding them exactly once."""

from dataclasses import fields
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydicom.dataset import Dataset

from chestct import dicom_source
from chestct.catalog import incoming, tables, timestamps
from chestct.catalog.database import Database
from chestct.catalog.records import StudyRecord
from chestct.catalog.slices import SliceStore
from chestct.catalog.splits import SPLITS_TOPIC, first_split
from chestct.catalog.storage import Storage
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade, Split
from chestct.study import Study

STUDY_ROWS = (
    sa.select(tables.studies, tables.patients.c.split)
    .join(tables.patients, tables.studies.c.patient == tables.patients.c.patient)
    .order_by(tables.studies.c.id)
)
_AS_STORED = {field.name for field in fields(StudyRecord)} - {"intensity", "geometry", "grade", "split"}


def study_record(row: sa.RowMapping) -> StudyRecord:
    """A row of STUDY_ROWS as a record."""
    geometry = None
    if row["affine"] is not None:
        slowest, middle, fastest = (int(size) for size in row["stored_shape"])
        geometry = Geometry((slowest, middle, fastest), np.array(row["affine"], dtype=np.float64))
    return StudyRecord(
        **{name: row[name] for name in _AS_STORED},
        intensity=Intensity(row["intensity"]),
        geometry=geometry,
        grade=None if row["grade"] is None else SeverityGrade(row["grade"]),
        split=Split(row["split"]),
    )


class StudyStore(Store):
    """Adding and finding studies."""

    def __init__(self, database: Database, storage: Storage, slices: SliceStore) -> None:
        super().__init__(database, storage)
        self._slices = slices

    def add(self, study: Study, layout: str) -> tuple[StudyRecord, bool]:
        """Add a study with all its slices, unless the catalog holds the same content already.

        The same pixels with the same geometry are the same study, whatever its name, path or patient;
        then only reference labels, a grade and DICOM headers that were missing are added. A name that
        another study has taken gets the first letters of the content's hash appended, so that two sources
        may both have a "study_0001"; the patient stays as given, which can only keep more together on one
        side.

        Files are written first and one slice at a time, then all rows in one transaction: killed
        at any moment, it leaves a whole study or none.

        Returns:
            The study as stored, and whether it is new.
        Raises:
            InputError: the study is damaged, or contradicts what the catalog holds (its reference
                labels, its grade, or a test patient who is a train patient here).
        """
        identity = incoming.identify(study)
        same_content = tables.studies.c.key == identity.key
        for stored in self.select(STUDY_ROWS.where(same_content)):
            self._add_labels(stored, study)
            return self.get(stored.id), False
        rows = [
            incoming.write_slice(self._storage, study, index, slice_key)
            for index, slice_key in enumerate(identity.slice_keys)
        ]
        headers_path = incoming.write_dicom_source(self._storage, study)
        with self._database.writing(SPLITS_TOPIC) as connection:
            created = self._insert_study(connection, study, layout, identity.key, rows, headers_path)
        stored = self._only(same_content, repr(study.name))
        if not created:  # another process was quicker; it may have come without these labels
            self._add_labels(stored, study)
        return self.get(stored.id), created

    def all(self) -> list[StudyRecord]:
        """All studies in the order they were added."""
        return self.select(STUDY_ROWS)

    def by_name(self, name: str) -> StudyRecord:
        """The study of this name.

        Raises:
            NotFoundError: there is none.
        """
        return self._only(tables.studies.c.name == name, repr(name))

    def get(self, study_id: int) -> StudyRecord:
        """The study of this id.

        Raises:
            NotFoundError: there is none.
        """
        return self._only(tables.studies.c.id == study_id, str(study_id))

    def dicom_headers(self, study: StudyRecord) -> list[Dataset]:
        """The headers of a study's DICOM instances, its patient by pseudonym; none for what is no DICOM."""
        path = study.dicom_source_path
        if path is None:
            return []
        headers = dicom_source.from_bytes(self._storage.read_bytes(path), path)
        return dicom_source.pseudonymous(headers, study.patient)

    def select(self, query: sa.Select[Any]) -> list[StudyRecord]:
        """What a query made from STUDY_ROWS finds; for stores that know their own conditions."""
        return [study_record(row) for row in self._database.rows(query)]

    def _only(self, condition: sa.ColumnElement[bool], what: str) -> StudyRecord:
        records = self.select(STUDY_ROWS.where(condition))
        if not records:
            raise NotFoundError(f"the catalog has no study {what}")
        return records[0]

    def _insert_study(
        self,
        connection: sa.Connection,
        study: Study,
        layout: str,
        key: str,
        rows: list[dict[str, Any]],
        dicom_source_path: str | None,
    ) -> bool:
        """All rows of a new study; false where another process has just added the same content."""
        if connection.execute(sa.select(tables.studies.c.id).where(tables.studies.c.key == key)).first():
            return False
        self._fix_split(connection, study)
        geometry = study.geometry
        added = connection.execute(
            sa.insert(tables.studies)
            .values(
                key=key,
                name=_free_name(connection, study.name, key),
                patient=study.patient,
                layout=layout,
                source=str(study.source),
                intensity=study.intensity.value,
                stored_shape=None if geometry is None else [int(size) for size in geometry.stored_shape],
                affine=None if geometry is None else np.asarray(geometry.affine, dtype=np.float64).tolist(),
                grade=None if study.grade is None else study.grade.value,
                slice_count=len(rows),
                created_at=timestamps.now(),
                dicom_source_path=dicom_source_path,
            )
            .returning(tables.studies.c.id)
        )
        study_id = added.scalar_one()
        connection.execute(sa.insert(tables.slices), [{"study_id": study_id, **row} for row in rows])
        return True

    def _fix_split(self, connection: sa.Connection, study: Study) -> None:
        split = first_split(study.patient, study.split, labelled=bool(study.partial_labels))
        values = {"patient": study.patient, "split": split.value, "created_at": timestamps.now()}
        if self._database.add_new(connection, tables.patients, values):
            return
        kept = connection.execute(
            sa.select(tables.patients.c.split).where(tables.patients.c.patient == study.patient)
        ).scalar_one()
        # The other way round (the source says train, the catalog test) only costs training data.
        if study.split is Split.TEST and kept == Split.TRAIN:
            raise InputError(
                study.source,
                f"holds the patient {study.patient!r} back for testing, but the catalog has that patient on "
                "the training side already; import it into a catalog of its own",
            )

    def _add_labels(self, stored: StudyRecord, study: Study) -> None:
        """Reference labels, a grade and DICOM headers for a study that came without.

        What is there never changes. The same voxels sent twice by a scanner keep the first headers.

        Raises:
            InputError: they contradict what is there. The frozen test set must not move underneath
                models that were compared on it.
        """
        if study.grade is not None and stored.grade not in (None, study.grade):
            raise InputError(study.source, f"is {study.grade}, but the catalog holds it as {stored.grade}")
        new_paths: dict[int, str] = {}
        for record in self._slices.of_study(stored.id):
            labels = study.partial_labels.get(record.index)
            if labels is None:
                continue
            if not record.has_reference_labels:
                new_paths[record.id] = incoming.write_reference_labels(self._storage, labels)
            elif not np.array_equal(self._slices.reference_labels(record.id), labels):  # type: ignore[arg-type]
                raise InputError(
                    study.source,
                    f"has other labels for slice {record.index} than the catalog's reference labels, which "
                    "never change; import it into a catalog of its own",
                )
        headers_path = None
        if stored.dicom_source_path is None:
            headers_path = incoming.write_dicom_source(self._storage, study)
        with self._database.writing(SPLITS_TOPIC) as connection:
            _fill(connection, tables.studies.c.dicom_source_path, stored.id, headers_path)
            _fill(connection, tables.studies.c.grade, stored.id, study.grade and study.grade.value)
            for slice_id, path in new_paths.items():
                _fill(connection, tables.slices.c.record_path, slice_id, path)


def _fill(connection: sa.Connection, column: sa.Column[Any], row_id: int, value: str | None) -> None:
    """Set what is missing; what is there stays."""
    if value is not None:
        here = (column.table.c.id == row_id) & column.is_(None)
        connection.execute(sa.update(column.table).where(here).values({column: value}))


def _free_name(connection: sa.Connection, wanted: str, key: str) -> str:
    """The wanted name, or with as much of the content's hash as makes it unique."""
    for name in (wanted, *(f"{wanted}-{key[:length]}" for length in (8, 16, 64))):
        taken = sa.select(tables.studies.c.id).where(tables.studies.c.name == name)
        if connection.execute(taken).first() is None:
            return name
    raise InputError(wanted, "is a study's name already, with every ending that could tell them apart")

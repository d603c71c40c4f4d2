"""The catalog: one object for everything that is known of studies, corrections and models."""

from types import TracebackType
from typing import Self

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.acquisition_pool import PoolStore
from chestct.catalog.allocations import AllocationStore
from chestct.catalog.corrections import CorrectionStore
from chestct.catalog.current import current_grades
from chestct.catalog.database import Database
from chestct.catalog.frozen_patients import PatientStore
from chestct.catalog.migrate import migrate
from chestct.catalog.own_test_readings import OwnTestReadingStore
from chestct.catalog.predictions import PredictionStore
from chestct.catalog.reader_changes import ReaderChangesStore
from chestct.catalog.reader_log import ReaderLogStore
from chestct.catalog.records import CorrectionState
from chestct.catalog.releases import made_by
from chestct.catalog.requests import RequestStore
from chestct.catalog.reviewed import closed_by
from chestct.catalog.severities import SeverityStore
from chestct.catalog.slices import SliceStore
from chestct.catalog.storage import Storage
from chestct.catalog.studies import StudyStore
from chestct.catalog.study_annotations import GradeStore
from chestct.catalog.tasks import TaskStore
from chestct.catalog.versions import VersionStore
from chestct.catalog.worklist import WorklistStore


class Catalog:
    """Rows in a database, pixels in files named by their content; one store for each noun.

    Safe to use from many threads at once, and from many processes if each opens its own: never
    carry an open one across a fork. Every method raises ServiceUnavailableError where the database
    or the storage does not answer.

    Args:
        database: migrated, see `open`.
        storage: files that its rows name.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self.storage = database, storage
        both = (database, storage)
        # What there is to read.
        self.patients = PatientStore(*both)
        self.slices = SliceStore(*both)
        self.studies = StudyStore(*both, self.slices)
        self.tasks = TaskStore(database, self.slices, self.studies)
        # What models found.
        self.versions = VersionStore(*both)
        self.predictions = PredictionStore(*both, self.slices)
        self.severities = SeverityStore(*both)
        # What readers gave.
        self.corrections = CorrectionStore(*both, self.slices, self.predictions)
        self.grades = GradeStore(*both)
        self.own_test_readings = OwnTestReadingStore(*both)
        # What is read next, and by whom.
        self.pool = PoolStore(*both)
        self.worklist = WorklistStore(*both)
        self.allocations = AllocationStore(*both)
        # What comes of it.
        self.requests = RequestStore(*both)
        self.reader_changes = ReaderChangesStore(*both)
        self.reader_log = ReaderLogStore(*both)

    @classmethod
    def open(cls, database_url: str, storage_url: str, *, create: bool = True) -> Self:
        """Open a catalog and bring it to the newest schema.

        Args:
            database_url: sqlite:////path/to/file or postgresql://user:password@host/database.
            storage_url: a folder, or any URL of fsspec.
            create: whether to begin a catalog where there is none.
        Raises:
            ServiceUnavailableError: the database cannot be reached, stays locked, is of a newer
                LungLoop, or holds no catalog and `create` is false.
            SettingsError: a URL cannot be used.
        """
        storage = Storage(storage_url)
        database = Database(database_url)
        try:
            migrate(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database, storage)

    def close(self) -> None:
        """Give the connections back; idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def counts(self) -> dict[str, int]:
        """How far the work is.

        Returns:
            `studies`, `slices`, `predicted` (slices that the version which serves them has looked at),
            `corrected` (slices with a current correction), `accepted` (not corrected, but of a study that
            was submitted as a whole), `graded` (studies that a reader has graded) and `open` (the other
            slices).
        """
        grades = current_grades()
        reviewed = sa.select(sa.func.count()).where(tables.slices.c.reviewed)
        corrected = reviewed.where(closed_by(CorrectionState.SUBMITTED.value))
        release = self.versions.release()
        by_release = sa.false() if release is None else made_by(tables.predictions, release.name)
        predicted = sa.select(sa.func.count()).select_from(tables.predictions).where(by_release)
        query = sa.select(
            sa.select(sa.func.count()).select_from(tables.studies).scalar_subquery().label("studies"),
            sa.select(sa.func.count()).select_from(tables.slices).scalar_subquery().label("slices"),
            predicted.scalar_subquery().label("predicted"),
            corrected.scalar_subquery().label("corrected"),
            reviewed.scalar_subquery().label("reviewed"),
            sa.select(sa.func.count(grades.c.study_id.distinct())).scalar_subquery().label("graded"),
        )
        (row,) = self._database.rows(query)
        counted = {str(name): int(value) for name, value in row.items()}
        reviewed_count = counted.pop("reviewed")
        return {
            **counted,
            "accepted": reviewed_count - counted["corrected"],
            "open": counted["slices"] - reviewed_count,
        }

"""Which Label Studio task shows which slice, or which whole study."""

from collections.abc import Iterable

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.records import SliceRecord, StudyRecord
from chestct.catalog.slices import SLICE_ROWS
from chestct.catalog.studies import STUDY_ROWS, StudyStore, study_record


class TaskStore(StudyStore):
    """Links from tasks to slices and studies; a project is named by its uid, since bare ids are reused."""

    def link_task(self, slice_id: int, project_uid: str, task_id: int) -> None:
        """Remember that a task shows a slice; the newest link of a task counts."""
        here = _one_task(project_uid, task_id)
        values = {"project_uid": project_uid, "task_id": task_id, "slice_id": slice_id}
        self.slice(slice_id)  # names what is missing, where a foreign key would only refuse
        with self._database.writing() as connection:
            if not self._database.add_new(connection, tables.tasks, values):
                connection.execute(sa.update(tables.tasks).where(here).values(slice_id=slice_id))

    def unlink_tasks(self, project_uid: str, task_ids: Iterable[int]) -> None:
        """Forget tasks that Label Studio no longer has, so that what they showed gets new ones."""
        with self._database.writing() as connection:
            for task_id in task_ids:
                for table in (tables.tasks, tables.study_tasks):
                    connection.execute(sa.delete(table).where(_one_task(project_uid, task_id, table)))

    def slice_of_task(self, project_uid: str, task_id: int) -> SliceRecord | None:
        """The slice that a task shows, None where the catalog did not make the task."""
        query = SLICE_ROWS.join(tables.tasks, tables.tasks.c.slice_id == tables.slices.c.id)
        found = self._slices(query.where(_one_task(project_uid, task_id)))
        return found[0] if found else None

    def tasks_of_project(self, project_uid: str) -> dict[int, int]:
        """Slice id -> task id, the newest task where a slice has several."""
        query = (
            sa.select(tables.tasks.c.slice_id, sa.func.max(tables.tasks.c.task_id))
            .where(tables.tasks.c.project_uid == project_uid)
            .group_by(tables.tasks.c.slice_id)
        )
        with self._database.reading() as connection:
            return dict(connection.execute(query).all())

    def slices_without_task(self, project_uid: str) -> list[SliceRecord]:
        """Slices that the project does not show yet."""
        shown = sa.select(tables.tasks.c.slice_id).where(tables.tasks.c.project_uid == project_uid)
        return self._slices(SLICE_ROWS.where(tables.slices.c.id.not_in(shown)))

    def link_study_task(self, study_id: int, project_uid: str, task_id: int) -> None:
        """Remember that a task shows a study; the newest link of a task counts."""
        here = _one_task(project_uid, task_id, tables.study_tasks)
        values = {"project_uid": project_uid, "task_id": task_id, "study_id": study_id}
        with self._database.writing() as connection:
            if not self._database.add_new(connection, tables.study_tasks, values):
                connection.execute(sa.update(tables.study_tasks).where(here).values(study_id=study_id))

    def study_of_task(self, project_uid: str, task_id: int) -> StudyRecord | None:
        """The study that a task shows, None where it shows none that is known."""
        query = STUDY_ROWS.join(tables.study_tasks, tables.study_tasks.c.study_id == tables.studies.c.id)
        with self._database.reading() as connection:
            here = _one_task(project_uid, task_id, tables.study_tasks)
            row = connection.execute(query.where(here)).mappings().first()
        return None if row is None else study_record(row)

    def study_tasks_of_project(self, project_uid: str) -> dict[int, int]:
        """Study id -> task id, the newest task where a study has several."""
        query = (
            sa.select(tables.study_tasks.c.study_id, sa.func.max(tables.study_tasks.c.task_id))
            .where(tables.study_tasks.c.project_uid == project_uid)
            .group_by(tables.study_tasks.c.study_id)
        )
        with self._database.reading() as connection:
            return dict(connection.execute(query).all())

    def studies_without_task(self, project_uid: str) -> list[StudyRecord]:
        """Studies that the project does not show as a whole yet."""
        shown = sa.select(tables.study_tasks.c.study_id).where(
            tables.study_tasks.c.project_uid == project_uid
        )
        query = STUDY_ROWS.where(tables.studies.c.id.not_in(shown))
        with self._database.reading() as connection:
            return [study_record(row) for row in connection.execute(query).mappings()]


def _one_task(project_uid: str, task_id: int, table: sa.Table = tables.tasks) -> sa.ColumnElement[bool]:
    return (table.c.project_uid == project_uid) & (table.c.task_id == task_id)

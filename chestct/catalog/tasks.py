"""Which Label Studio task shows which slice, or which whole study."""

from collections.abc import Iterable

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.database import Database
from chestct.catalog.records import SliceRecord, StudyRecord
from chestct.catalog.slices import SLICE_ROWS, SliceStore
from chestct.catalog.studies import STUDY_ROWS, StudyStore


class TaskStore:
    """Links from tasks to slices and studies; a project is named by its uid, since bare ids are reused."""

    def __init__(self, database: Database, slices: SliceStore, studies: StudyStore) -> None:
        self._database, self._slices, self._studies = database, slices, studies

    def link(self, slice_id: int, project_uid: str, task_id: int) -> None:
        """Remember that a task shows a slice; the newest link of a task counts."""
        self._slices.get(slice_id)  # names what is missing, where a foreign key would only refuse
        self._link(tables.tasks, project_uid, task_id, {"slice_id": slice_id})

    def link_study(self, study_id: int, project_uid: str, task_id: int) -> None:
        """Remember that a task shows a study; the newest link of a task counts."""
        self._link(tables.study_tasks, project_uid, task_id, {"study_id": study_id})

    def unlink(self, project_uid: str, task_ids: Iterable[int]) -> None:
        """Forget tasks that Label Studio no longer has, so that what they showed gets new ones."""
        with self._database.writing() as connection:
            for task_id in task_ids:
                for table in (tables.tasks, tables.study_tasks):
                    connection.execute(sa.delete(table).where(_is_task(table, project_uid, task_id)))

    def slice_of(self, project_uid: str, task_id: int) -> SliceRecord | None:
        """The slice that a task shows, None where the catalog did not make the task."""
        query = SLICE_ROWS.join(tables.tasks, tables.tasks.c.slice_id == tables.slices.c.id)
        records = self._slices.select(query.where(_is_task(tables.tasks, project_uid, task_id)))
        return records[0] if records else None

    def by_slice(self, project_uid: str) -> dict[int, int]:
        """Slice id -> task id, the newest task where a slice has several."""
        return self._newest(tables.tasks, tables.tasks.c.slice_id, project_uid)

    def by_study(self, project_uid: str) -> dict[int, int]:
        """Study id -> task id, the newest task where a study has several."""
        return self._newest(tables.study_tasks, tables.study_tasks.c.study_id, project_uid)

    def slices_without(self, project_uid: str) -> list[SliceRecord]:
        """Slices that the project does not show yet."""
        with_task = sa.select(tables.tasks.c.slice_id).where(tables.tasks.c.project_uid == project_uid)
        return self._slices.select(SLICE_ROWS.where(tables.slices.c.id.not_in(with_task)))

    def studies_without(self, project_uid: str) -> list[StudyRecord]:
        """Studies that the project does not show as a whole yet."""
        links = tables.study_tasks
        with_task = sa.select(links.c.study_id).where(links.c.project_uid == project_uid)
        return self._studies.select(STUDY_ROWS.where(tables.studies.c.id.not_in(with_task)))

    def _link(self, table: sa.Table, project_uid: str, task_id: int, target: dict[str, int]) -> None:
        values = {"project_uid": project_uid, "task_id": task_id, **target}
        with self._database.writing() as connection:
            if not self._database.add_new(connection, table, values):
                here = _is_task(table, project_uid, task_id)
                connection.execute(sa.update(table).where(here).values(target))

    def _newest(self, table: sa.Table, target: sa.Column[int], project_uid: str) -> dict[int, int]:
        query = sa.select(target, sa.func.max(table.c.task_id)).where(table.c.project_uid == project_uid)
        with self._database.reading() as connection:
            return dict(connection.execute(query.group_by(target)).all())


def _is_task(table: sa.Table, project_uid: str, task_id: int) -> sa.ColumnElement[bool]:
    return (table.c.project_uid == project_uid) & (table.c.task_id == task_id)

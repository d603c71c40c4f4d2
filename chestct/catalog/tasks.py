"""Which Label Studio task shows which slice."""

from collections.abc import Iterable

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.records import SliceRecord
from chestct.catalog.slices import SLICE_ROWS, SliceStore


class TaskStore(SliceStore):
    """Links between slices and tasks; a project is named by its uid, since bare ids are reused."""

    def link_task(self, slice_id: int, project_uid: str, task_id: int) -> None:
        """Remember that a task shows a slice; the newest link of a task counts."""
        here = _one_task(project_uid, task_id)
        values = {"project_uid": project_uid, "task_id": task_id, "slice_id": slice_id}
        self.slice(slice_id)  # names what is missing, where a foreign key would only refuse
        with self._database.writing() as connection:
            if not self._database.add_new(connection, tables.tasks, values):
                connection.execute(sa.update(tables.tasks).where(here).values(slice_id=slice_id))

    def unlink_tasks(self, project_uid: str, task_ids: Iterable[int]) -> None:
        """Forget tasks that Label Studio no longer has, so that their slices get new ones."""
        with self._database.writing() as connection:
            for task_id in task_ids:
                connection.execute(sa.delete(tables.tasks).where(_one_task(project_uid, task_id)))

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


def _one_task(project_uid: str, task_id: int) -> sa.ColumnElement[bool]:
    return (tables.tasks.c.project_uid == project_uid) & (tables.tasks.c.task_id == task_id)

"""Slices, or whole studies, as tasks of a Label Studio project."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord, StudyRecord
from chestct.errors import SettingsError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.heat_map import heat_map_address
from ml_backend.label_studio.label_config import UNCERTAINTY_KEY, parse_label_config
from ml_backend.label_studio.rows import Project
from ml_backend.label_studio.task_pictures import TaskPictures


@dataclass(frozen=True)
class TaskReport:
    """What became of the tasks.

    Args:
        created: tasks made.
        adopted: tasks that were there already and only had to be linked.
        forgotten: links to tasks that Label Studio no longer has.
    """

    created: int
    adopted: int
    forgotten: int


def create_missing_tasks(
    catalog: Catalog, client: LabelStudio, project_id: int, files_root: Path
) -> TaskReport:
    """One task for every slice or study that the project does not show; again makes none.

    Which of the two is what the project's configuration shows: `value` a slice, `valueList` a study.

    Args:
        catalog: studies and slices, and the links to their tasks.
        client: where tasks are made.
        project_id: the readers' project.
        files_root: Label Studio's local files document root; the storage lies below it.
    Raises:
        ServiceUnavailableError: Label Studio does not answer; what was made is adopted next time.
        LabelConfigError: the project has no picture to fill.
        SettingsError: the storage lies outside `files_root`.
    """
    project = client.project(project_id)
    config = parse_label_config(project.label_config)
    there = dict(client.task_data(project.id))
    if config.shows_studies:
        return _create_study_tasks(catalog, client, project, there, config.image_key, files_root)
    image_key = config.image_key
    gone = [task for task in catalog.tasks.by_slice(project.uid).values() if task not in there]
    catalog.tasks.unlink(project.uid, gone)

    # A crash between making tasks and linking them must not make them twice.
    linked = set(catalog.tasks.by_slice(project.uid).values())
    pictures = TaskPictures(catalog)
    adopted = 0
    for task_id in sorted(there.keys() - linked):
        meant = pictures.slice_of(there[task_id], image_key)
        if meant is not None:
            catalog.tasks.link(meant.id, project.uid, task_id)
            adopted += 1

    missing = catalog.tasks.slices_without(project.uid)
    data = [_task_data(catalog, one, image_key, files_root) for one in missing]
    task_ids = client.create_tasks(project.id, data) if data else []
    for one, task_id in zip(missing, task_ids, strict=True):
        catalog.tasks.link(one.id, project.uid, task_id)
    return TaskReport(len(task_ids), adopted, len(gone))


def _create_study_tasks(
    catalog: Catalog,
    client: LabelStudio,
    project: Project,
    there: Mapping[int, Mapping[str, Any]],
    image_key: str,
    files_root: Path,
) -> TaskReport:
    gone = [task for task in catalog.tasks.by_study(project.uid).values() if task not in there]
    catalog.tasks.unlink(project.uid, gone)

    linked = set(catalog.tasks.by_study(project.uid).values())
    whole = {study.id: study.slice_count for study in catalog.studies.all()}
    pictures = TaskPictures(catalog)
    adopted = 0
    for task_id in sorted(there.keys() - linked):
        slices = pictures.slices_of(there[task_id], image_key)
        # A part of a study that somebody loaded by hand is no task for the whole of it.
        if slices is not None and len(slices) == whole[slices[0].study_id]:
            catalog.tasks.link_study(slices[0].study_id, project.uid, task_id)
            adopted += 1

    missing = catalog.tasks.studies_without(project.uid)
    data = [_study_task_data(catalog, study, image_key, files_root) for study in missing]
    task_ids = client.create_tasks(project.id, data) if data else []
    for study, task_id in zip(missing, task_ids, strict=True):
        catalog.tasks.link_study(study.id, project.uid, task_id)
    return TaskReport(len(task_ids), adopted, len(gone))


def _study_task_data(
    catalog: Catalog, study: StudyRecord, image_key: str, files_root: Path
) -> dict[str, Any]:
    slices = catalog.slices.of_study(study.id)
    return {
        image_key: [_address(catalog, one, files_root) for one in slices],
        "study": study.name,
        "slice": [one.index for one in slices],
    }


def _task_data(
    catalog: Catalog, slice_record: SliceRecord, image_key: str, files_root: Path
) -> dict[str, Any]:
    picture = _address(catalog, slice_record, files_root)
    return {
        image_key: picture,
        "study": slice_record.study_name,
        "slice": slice_record.index,
        # Always, so that a configuration that shows it can be chosen later.
        UNCERTAINTY_KEY: [heat_map_address(catalog, slice_record, picture)],
    }


def _address(catalog: Catalog, slice_record: SliceRecord, files_root: Path) -> str:
    """Where Label Studio serves the picture of a slice."""
    picture = catalog.storage.local_path(slice_record.picture_path).resolve()
    try:
        relative = picture.relative_to(files_root.resolve())
    except ValueError as error:
        raise SettingsError(
            f"the storage lies outside {files_root}, which Label Studio serves; correct LUNGLOOP_STORAGE_URL "
            "or LUNGLOOP_LABEL_STUDIO_FILES_ROOT"
        ) from error
    return f"/data/local-files/?d={quote(relative.as_posix())}"

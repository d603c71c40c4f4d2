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
from ml_backend.label_studio.label_config import UNCERTAINTY_KEY, LabelConfig, parse_label_config
from ml_backend.label_studio.task_pictures import TaskPictures


@dataclass(frozen=True)
class TaskReport:
    """What became of the tasks.

    Args:
        adopted: tasks that were there already and only had to be linked.
        forgotten: links to tasks that Label Studio no longer has.
    """

    created: int
    adopted: int
    forgotten: int


def create_missing_tasks(
    catalog: Catalog, client: LabelStudio, project_id: int, files_root: Path
) -> TaskReport:
    """One task for every slice or study that the project does not show; idempotent.

    Which of the two is what the project's configuration shows: `value` a slice, `valueList` a study.

    Args:
        files_root: Label Studio's local files document root; the storage lies below it.
    Raises:
        ServiceUnavailableError: Label Studio does not answer; what was made is adopted next time.
        LabelConfigError: the project has no picture to fill.
        SettingsError: the storage lies outside `files_root`.
    """
    project = client.project(project_id)
    config, uid = parse_label_config(project.label_config), project.uid
    of_studies = config.shows_studies
    there = dict(client.task_data(project.id))
    linked = (catalog.tasks.by_study(uid) if of_studies else catalog.tasks.by_slice(uid)).values()
    gone = [task_id for task_id in linked if task_id not in there]
    catalog.tasks.unlink(uid, gone)

    link = catalog.tasks.link_study if of_studies else catalog.tasks.link
    # A crash between making tasks and linking them must not make them again.
    linked = catalog.tasks.by_study(uid) if of_studies else catalog.tasks.by_slice(uid)
    adopted = 0
    for task_id in sorted(there.keys() - linked.values()):
        subject_id = _subject_id(catalog, there[task_id], config)
        if subject_id is not None:
            link(subject_id, uid, task_id)
            adopted += 1

    missing = catalog.tasks.studies_without(uid) if of_studies else catalog.tasks.slices_without(uid)
    data = [_task_data(catalog, subject, config.image_key, files_root) for subject in missing]
    task_ids = client.create_tasks(project.id, data) if data else []
    for subject, task_id in zip(missing, task_ids, strict=True):
        link(subject.id, uid, task_id)
    return TaskReport(len(task_ids), adopted, len(gone))


def _subject_id(catalog: Catalog, data: Mapping[str, Any], config: LabelConfig) -> int | None:
    """Id of the slice or study that a task means; None where it means none."""
    pictures = TaskPictures(catalog)
    if not config.shows_studies:
        slice_record = pictures.slice_of(data, config.image_key)
        return None if slice_record is None else slice_record.id
    slices = pictures.slices_of(data, config.image_key)
    # A part of a study that somebody loaded by hand is no task for the whole of it.
    is_whole = slices and len(slices) == catalog.studies.by_name(slices[0].study_name).slice_count
    return slices[0].study_id if slices and is_whole else None


def _task_data(
    catalog: Catalog, subject: SliceRecord | StudyRecord, image_key: str, files_root: Path
) -> dict[str, Any]:
    if isinstance(subject, StudyRecord):
        slices = catalog.slices.of_study(subject.id)
        pictures = [_address(catalog, slice_record, files_root) for slice_record in slices]
        return {image_key: pictures, "study": subject.name, "slice": [item.index for item in slices]}
    picture = _address(catalog, subject, files_root)
    return {
        image_key: picture,
        "study": subject.study_name,
        "slice": subject.index,
        # Always, so that a configuration that shows it can be chosen later.
        UNCERTAINTY_KEY: [heat_map_address(catalog, subject, picture)],
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

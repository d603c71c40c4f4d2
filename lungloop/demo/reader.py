"""A synthetic reader: asks Label Studio for the next task as its labelling stream does, and answers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, NotFoundError
from chestct.labels import LESIONS
from chestct.progress import OnProgress, Progress, unheard
from lungloop.demo.answers import changed_fraction, choices_of_study, regions_of_slice, seconds_for
from lungloop.demo.truth import LabelMap, Truth
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.results import read_label_map
from ml_backend.label_studio.rows import Project
from ml_backend.label_studio.task_pictures import TaskPictures

Json = dict[str, Any]


@dataclass(frozen=True)
class SliceReading:
    """One slice that the synthetic reader has corrected.

    Args:
        slice_id: of the catalog.
        study, slice: name and index, for people.
        model_version: whose pre-label was shown; None where nothing was shown.
        overlap: pixels of lesion that shown and truth have in common, only shown, only true.
        changed_fraction: share of the slice's pixels whose lesion class was changed, in [0, 1].
        seconds: the time that was submitted.
    """

    task_id: int
    slice_id: int
    study: str
    slice: int
    model_version: str | None
    overlap: tuple[int, int, int]
    changed_fraction: float
    seconds: float

    @property
    def lesion_dice(self) -> float | None:
        """Of the pre-label, in [0, 1]; None where neither it nor the truth shows a lesion."""
        return dice(self.overlap)


def dice(overlap: tuple[int, int, int]) -> float | None:
    """2 TP / (2 TP + FP + FN) of (TP, FP, FN); None where there is nothing."""
    both, only_shown, only_true = overlap
    pixels = 2 * both + only_shown + only_true
    return 2 * both / pixels if pixels else None


class SyntheticReader:
    """Reads what Label Studio serves next, one task after the other.

    Args:
        catalog: knows which slice a task shows.
        client: Label Studio, with the token of the reader.
        project_id: the readers' project.
        truth: what is drawn.
    """

    def __init__(self, catalog: Catalog, client: LabelStudio, project_id: int, truth: Truth) -> None:
        self._catalog, self._client, self._project_id = catalog, client, project_id
        self._truth = truth

    def read(self, slices: int, on_progress: OnProgress = unheard) -> list[SliceReading]:
        """Reads so many slices, or all that are left; a study task counts with all of its slices.

        Raises:
            NotFoundError: Label Studio serves a slice whose truth is not known.
        """
        readings: list[SliceReading] = []
        while len(readings) < slices:
            new = self.read_next()
            if not new:
                break
            readings += new
            on_progress(Progress(min(len(readings), slices), slices, "slices"))
        return readings

    def read_next(self) -> list[SliceReading]:
        """Answers the next task; its slices, none where nothing is left to read.

        Raises:
            NotFoundError: the truth of a slice is not known. The task stays open.
        """
        project = self._client.project(self._project_id)
        config = parse_label_config(project.label_config)
        task = self._next_task()
        if task is None:
            return []
        slices = self._slices_of(task, project, config)
        prediction = _shown_prediction(task, project.model_version)
        shown: list[Json] = [] if prediction is None else prediction["result"]
        result: list[Json] = []
        readings = []
        for item, slice_record in enumerate(slices):
            regions = _regions_on(shown, item, config)
            size = (slice_record.height, slice_record.width)
            shown_map = read_label_map(regions, config, *size)
            truth = self._known_truth(slice_record, shown_map)
            result += regions_of_slice(regions, shown_map, truth, config, item)
            version = prediction["model_version"] if prediction is not None and shown else None
            readings.append(_reading(task["id"], slice_record, version, shown_map, truth))
        if config.shows_studies:
            result += choices_of_study(shown, self._catalog.studies.get(slices[0].study_id).grade, config)
        self._submit(task, result, prediction, sum(reading.seconds for reading in readings))
        return readings

    def _next_task(self) -> Json | None:
        try:
            # What the "Label All Tasks" button of Label Studio 1.23 asks for.
            return self._client.http.json("GET", f"/api/projects/{self._project_id}/next")
        except NotFoundError:
            return None

    def _slices_of(self, task: Json, project: Project, config: LabelConfig) -> Sequence[SliceRecord]:
        pictures = TaskPictures(self._catalog)
        if config.shows_studies:
            slices = pictures.slices_of(task["data"], config.image_key)
        else:
            linked = self._catalog.tasks.slice_of(project.uid, task["id"])
            of_task = linked or pictures.slice_of(task["data"], config.image_key)
            slices = None if of_task is None else [of_task]
        if slices is None:
            raise InputError(f"task {task['id']}", "shows a picture that is not in the catalog")
        return slices

    def _known_truth(self, slice_record: SliceRecord, shown_map: LabelMap) -> LabelMap:
        truth = self._truth.of_slice(slice_record, shown_map)
        if truth is None:
            raise NotFoundError(
                f"Label Studio serves {slice_record.study_name} slice {slice_record.index} next, whose truth "
                "is not known; read or skip it in Label Studio, then go on"
            )
        return truth

    def _submit(self, task: Json, result: list[Json], prediction: Json | None, seconds: float) -> None:
        body = {
            "result": result,
            "lead_time": round(seconds, 1),
            "parent_prediction": None if prediction is None else prediction["id"],
        }
        self._client.http.json("POST", f"/api/tasks/{task['id']}/annotations/", json=body)


def _shown_prediction(task: Json, model_version: str) -> Json | None:
    """What the labelling stream shows: a prediction of the project's version, the newest of several."""
    of_version = [row for row in task.get("predictions") or [] if row["model_version"] == model_version]
    return max(of_version, key=lambda row: row["id"], default=None)


def _regions_on(shown: Sequence[Json], item: int, config: LabelConfig) -> list[Json]:
    regions = [region for region in shown if region.get("type") == "brushlabels"]
    if not config.shows_studies:
        return regions
    return [region for region in regions if region.get("item_index", 0) == item]


def _reading(
    task_id: int, slice_record: SliceRecord, version: str | None, shown_map: LabelMap, truth: LabelMap
) -> SliceReading:
    before, after = np.isin(shown_map, LESIONS), np.isin(truth, LESIONS)
    changed = changed_fraction(shown_map, truth)
    return SliceReading(
        task_id=task_id,
        slice_id=slice_record.id,
        study=slice_record.study_name,
        slice=slice_record.index,
        model_version=version,
        overlap=(int((before & after).sum()), int((before & ~after).sum()), int((~before & after).sum())),
        changed_fraction=changed,
        seconds=seconds_for(changed),
    )

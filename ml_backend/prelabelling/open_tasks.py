"""The tasks of a Label Studio project that show what the catalog knows, and the pre-labels they get."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release, SliceRecord
from chestct.derived.grade_resolution import Calibrations
from chestct.errors import ServiceUnavailableError
from chestct.progress import OnProgress, Progress, unheard
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.rows import TaskState
from ml_backend.prelabelling.compose import compose_prelabel
from ml_backend.prelabelling.predictor import Predictor
from ml_backend.prelabelling.worklist import Worklist

_LOG = logging.getLogger(__name__)

Json = dict[str, Any]

_SLICES_A_REQUEST = 25
# A study's prediction weighs megabytes.
_STUDIES_A_REQUEST = 1


class OpenTasks:
    """The linked tasks of one project; one slice each, or one study each.

    Args:
        failed: slice ("study_0255 slice 12"), or study where tasks show studies, or task -> what could not
            be done for it; filled by what works on the tasks.
    Raises:
        ServiceUnavailableError: Label Studio does not answer, here and in every method.
        NotFoundError: the project is gone.
        LabelConfigError: it has no picture to pre-label.
    """

    def __init__(
        self, catalog: Catalog, client: LabelStudio, project_id: int, failed: dict[str, str]
    ) -> None:
        self.catalog = catalog
        self.client = client
        self.failed = failed
        self.project = client.project(project_id)
        self.config = parse_label_config(self.project.label_config)
        uid = self.project.uid
        self._task_of = (
            catalog.tasks.by_study(uid) if self.config.shows_studies else catalog.tasks.by_slice(uid)
        )

    def showing(self, slices: Iterable[SliceRecord]) -> dict[int, list[SliceRecord]]:
        """Task -> those of the slices that it shows, both in the order of the slices."""
        tasks: dict[int, list[SliceRecord]] = {}
        for slice_record in slices:
            shown_id = slice_record.study_id if self.config.shows_studies else slice_record.id
            if shown_id in self._task_of:
                tasks.setdefault(self._task_of[shown_id], []).append(slice_record)
        return tasks

    def ranked(self, worklist: Worklist, open_slices: Iterable[SliceRecord]) -> dict[int, float]:
        """Task -> the score of the first of its open slices, first to serve first."""
        slices, scores = {item.id: item for item in open_slices}, worklist.scores
        ordered = self.showing(slices[slice_id] for slice_id in worklist.slice_ids if slice_id in slices)
        return {task_id: scores[shown[0].id] for task_id, shown in ordered.items()}

    def states(self, task_ids: Sequence[int] | None = None) -> dict[int, TaskState]:
        """How far the tasks are in Label Studio; None asks for all of them."""
        with_data = self.config.shows_uncertainty and task_ids is None
        return self.client.task_states(self.project.id, task_ids, with_data=with_data)

    def store(
        self,
        tasks: Mapping[int, Sequence[SliceRecord]],
        release: Release,
        calibrations: Calibrations,
        scores: Mapping[int, float] | None = None,
        on_progress: OnProgress = unheard,
    ) -> set[int]:
        """Stores the release's pre-labels of those tasks whose slices are all predicted.

        Args:
            tasks: task -> any of the slices that it shows.
            calibrations: of the release's versions.
            scores: slice id -> the score that serves it at its rank; None asks the catalog.
        Returns:
            Those tasks that gained one.
        """
        size = _STUDIES_A_REQUEST if self.config.shows_studies else _SLICES_A_REQUEST
        allocations = {} if self.config.shows_studies else self.catalog.allocations.all()
        predictor, task_ids, stored = Predictor(self.catalog), list(tasks), set[int]()
        for start in range(0, len(tasks), size):
            on_progress(Progress(start, len(tasks)))
            rows: list[Json] = []
            for task_id in task_ids[start : start + size]:
                slices = tasks[task_id]
                if self.config.shows_studies:
                    slices = self.catalog.slices.of_study(slices[0].study_id)
                version = release.version_of(slices[0].study_id)
                predictions = predictor.stored(slices, version)
                if predictions is not None:
                    row = compose_prelabel(
                        self.catalog,
                        self.config,
                        release.name,
                        predictions,
                        calibrations.get(version),
                        scores,
                        allocations,
                    )
                    rows.append({"task": task_id, **row})
            refused = self.client.add_predictions(self.project.id, rows)
            stored |= {row["task"] for row in rows} - refused.keys()
            for task_id, reason in refused.items():
                first = tasks[task_id][0]
                self.failed[first.study_name if self.config.shows_studies else slice_name(first)] = reason
        return stored


def store_early(
    catalog: Catalog,
    client: LabelStudio,
    project_id: int,
    release: Release,
    calibrations: Calibrations,
    slices: Sequence[SliceRecord],
) -> set[int] | None:
    """Stores tasks of slices that were predicted this moment, before the worklist is there.

    Returns:
        Which; None where Label Studio does not answer. Nothing is lost by that or by a refusal: all that
        is missing is stored at the end.
    """
    try:
        tasks = OpenTasks(catalog, client, project_id, failed={})
        slices_of = tasks.showing(slices)
        return tasks.store(slices_of, release, calibrations)
    except ServiceUnavailableError as error:
        _LOG.warning("no pre-labels are stored early: %s", error)
        return None


def slice_name(slice_record: SliceRecord) -> str:
    """A slice in a sentence."""
    return f"{slice_record.study_name} slice {slice_record.index}"

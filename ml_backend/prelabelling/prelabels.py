"""What a project's open tasks are pre-labelled with: one slice each, or one study each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from chestct.acquisition.allocation import Allocation
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord, StudyRecord
from chestct.derived.severity import ensure_severity
from chestct.severity.interval import InvolvementCalibration
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.results import prediction_result, unassisted_result
from ml_backend.label_studio.rows import Project
from ml_backend.label_studio.study_results import study_result, study_score
from ml_backend.prelabelling.predictor import Predictor

Json = dict[str, Any]


class Prelabels(Protocol):
    """The tasks of one project and what the catalog knows for them."""

    @property
    def tasks_a_request(self) -> int:
        """How many predictions travel together."""
        ...

    @property
    def shows_slices(self) -> bool:
        """Whether a task shows one slice, so that what was drawn for the slice holds for the task."""
        ...

    def tasks_of(self, slices: Iterable[SliceRecord]) -> list[int]:
        """The tasks that show any of the slices, each once."""
        ...

    def slices_of(self, task_id: int) -> Sequence[int]:
        """Ids of the slices that a task shows."""
        ...

    def name(self, task_id: int) -> str:
        """What a task shows, for people."""
        ...

    def result(
        self,
        task_id: int,
        model_version: str,
        calibration: InvolvementCalibration | None,
        place_score: float | None,
    ) -> Json | None:
        """The prediction to store; None while the version has not looked at all that the task shows.

        Args:
            model_version: whose prediction.
            calibration: of its card.
            place_score: serves the task at its place; None while the order is not settled: the model's
                confidence stands in.
        """
        ...


def prelabels(catalog: Catalog, project: Project, config: LabelConfig) -> Prelabels:
    """Those that fit what the project's configuration shows."""
    kind = _StudyPrelabels if config.shows_studies else _SlicePrelabels
    return kind(catalog, project, config)


class _SlicePrelabels:
    tasks_a_request = 25
    shows_slices = True

    def __init__(self, catalog: Catalog, project: Project, config: LabelConfig) -> None:
        self._catalog = catalog
        self._config = config
        self._predictor = Predictor(catalog)
        self._task_of = catalog.tasks.by_slice(project.uid)
        self._slice_of = {task_id: slice_id for slice_id, task_id in self._task_of.items()}
        self._allocations = catalog.allocations.all()

    def tasks_of(self, slices: Iterable[SliceRecord]) -> list[int]:
        return [self._task_of[one.id] for one in slices if one.id in self._task_of]

    def slices_of(self, task_id: int) -> Sequence[int]:
        return (self._slice_of[task_id],)

    def name(self, task_id: int) -> str:
        return slice_name(self._catalog.slices.get(self._slice_of[task_id]))

    def result(
        self,
        task_id: int,
        model_version: str,
        calibration: InvolvementCalibration | None,
        place_score: float | None,
    ) -> Json | None:
        one = self._catalog.slices.get(self._slice_of[task_id])
        known = self._predictor.known(one, model_version)
        if known is None:
            return None
        score = known.score if place_score is None else place_score
        if is_unassisted(self._catalog, one.id, model_version, self._allocations.get(one.id)):
            return unassisted_result(score, model_version)
        known = self._predictor.shown(one, known)
        return prediction_result(known.label_map, score, model_version, self._config)


class _StudyPrelabels:
    # A study's prediction weighs megabytes.
    tasks_a_request = 1
    shows_slices = False

    def __init__(self, catalog: Catalog, project: Project, config: LabelConfig) -> None:
        self._catalog = catalog
        self._config = config
        self._task_of = catalog.tasks.by_study(project.uid)
        studies: Mapping[int, StudyRecord] = {study.id: study for study in catalog.studies.all()}
        self._study_of = {task_id: studies[study_id] for study_id, task_id in self._task_of.items()}

    def tasks_of(self, slices: Iterable[SliceRecord]) -> list[int]:
        studies = dict.fromkeys(one.study_id for one in slices)
        return [self._task_of[study_id] for study_id in studies if study_id in self._task_of]

    def slices_of(self, task_id: int) -> Sequence[int]:
        return [one.id for one in self._catalog.slices.of_study(self._study_of[task_id].id)]

    def name(self, task_id: int) -> str:
        return self._study_of[task_id].name

    def result(
        self,
        task_id: int,
        model_version: str,
        calibration: InvolvementCalibration | None,
        place_score: float | None,
    ) -> Json | None:
        study = self._study_of[task_id]
        known = self._catalog.predictions.of_study(study.id, model_version)
        # A slice without a prediction would look like one without disease.
        if len(known) < study.slice_count:
            return None
        shown = [self._catalog.predictions.prelabel(one.slice_id, model_version) or one for one in known]
        label_maps = [self._catalog.storage.read_label_map(one.label_map_path) for one in shown]
        severity = ensure_severity(self._catalog, study.id, model_version, calibration)
        grade = None if severity is None else severity.grade
        score = study_score([one.score for one in known]) if place_score is None else place_score
        return study_result(label_maps, score, grade, model_version, self._config)


def is_unassisted(catalog: Catalog, slice_id: int, model_version: str, allocation: Allocation | None) -> bool:
    """Whether a slice task shows no pre-label, so that what a pre-label saves and how it pulls is known.

    A mask that somebody brought is shown all the same: it is no model's, and hiding people's own work
    would measure nothing. Study tasks are never blank: an empty slice among others reads as "no disease".

    Args:
        assignment: what was drawn for the slice; None before the draw.
    """
    if allocation is None or allocation.prelabelled:
        return False
    return catalog.predictions.prelabel(slice_id, model_version) is None


def slice_name(slice_record: SliceRecord) -> str:
    """A slice in a sentence."""
    return f"{slice_record.study_name} slice {slice_record.index}"

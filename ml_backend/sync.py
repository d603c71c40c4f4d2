"""Corrections from Label Studio into the catalog. Its annotations are the truth, webhooks only hints."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from chestct.catalog.catalog import Catalog
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.records import CorrectionRecord, CorrectionState, SliceRecord
from chestct.catalog.study_annotations import StudyAnnotation
from chestct.catalog.timestamps import utc_text
from chestct.errors import InputError, LabelConfigError, NotFoundError
from chestct.progress import OnProgress, Progress, unheard
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.results import is_failed, read_label_map
from ml_backend.label_studio.rows import Annotation, AnnotationState, Project
from ml_backend.label_studio.study_results import StudyReading, read_study
from ml_backend.label_studio.task_pictures import TaskPictures
from ml_backend.prelabelling.prelabels import is_unassisted

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SetAside:
    """An annotation that could not be read; every later sync tries it again.

    Args:
        reason: one sentence.
    """

    annotation_id: int
    task_id: int
    reason: str


@dataclass(frozen=True)
class SyncReport:
    """What one sync found, counted in annotations; one of a study task speaks of many slices.

    Args:
        created, updated: submitted annotations that are new, and new states of known ones.
        skipped: annotations newly skipped by their reader.
        deleted: annotations that are gone.
        unchanged: those that the catalog had already.
        set_aside: those that could not be read.
    """

    created: int = 0
    updated: int = 0
    skipped: int = 0
    deleted: int = 0
    unchanged: int = 0
    set_aside: tuple[SetAside, ...] = ()

    @property
    def changed(self) -> int:
        """How many annotations brought news."""
        return self.created + self.updated + self.skipped + self.deleted


def reconcile(
    catalog: Catalog,
    client: LabelStudio,
    project_id: int,
    task_id: int | None = None,
    *,
    via: str = "sync",
    on_progress: OnProgress = unheard,
) -> SyncReport:
    """Brings the catalog to what Label Studio holds; again changes nothing.

    Args:
        catalog: gains a row for every state of an annotation that it did not have.
        client: where annotations are read.
        project_id: the readers' project.
        task_id: looks at one task only.
        via: kept with each correction ("webhook", "sync").
        on_progress: told each annotation.
    Raises:
        ServiceUnavailableError: Label Studio or the catalog stopped answering; what was read is kept.
        NotFoundError: the project is gone.
        LabelConfigError: nothing of the project can be read.
    """
    project = client.project(project_id)
    run = _Sync(catalog, client, project, parse_label_config(project.label_config), via)
    known = catalog.corrections.annotation_states(project.uid, task_id)
    there = {state.id: state for state in client.annotation_states(project.id, task_id)}
    new = [state for state in there.values() if _is_new(state, known.get(state.id))]
    # Only what a direct question finds gone counts as deleted: the list is read page by page while
    # readers work, so an annotation may slip between two pages.
    missing = [row for row in known.values() if row.annotation_id not in there]
    suspects = [row for row in missing if row.state is not CorrectionState.DELETED]
    for done, state in enumerate(new):
        run.take(state, known.get(state.id))
        on_progress(Progress(done + 1, len(new) + len(suspects), "reading corrections"))
    for row in suspects:
        if client.annotation(row.annotation_id) is None:
            run.mark_deleted(row)
    report = SyncReport(**run.counted, unchanged=len(there) - len(new), set_aside=tuple(run.set_aside))
    if report.changed or report.set_aside:
        _LOG.info("sync: %s", report)
    return report


def _is_new(state: AnnotationState, known: CorrectionRecord | None) -> bool:
    if known is None:
        return True
    was_skipped = known.state is CorrectionState.SKIPPED
    try:
        updated_at = utc_text(state.updated_at)
    except InputError:
        return True  # taking it says what is wrong with it
    return (updated_at, state.was_cancelled) != (known.annotation_updated_at, was_skipped)


class _Sync:
    """One run over one project."""

    def __init__(
        self, catalog: Catalog, client: LabelStudio, project: Project, config: LabelConfig, via: str
    ) -> None:
        self._catalog = catalog
        self._client = client
        self._project = project
        self._config = config
        self._via = via
        self._version_of: dict[int, str | None] = {}
        self.counted = {"created": 0, "updated": 0, "skipped": 0, "deleted": 0}
        self.set_aside: list[SetAside] = []

    def take(self, state: AnnotationState, known: CorrectionRecord | None) -> None:
        """One annotation that is new or changed; what is wrong with it stops no other."""
        try:
            annotation = self._client.annotation(state.id)
            if annotation is None:
                if known is not None and known.state is not CorrectionState.DELETED:
                    self.mark_deleted(known)
                return
            shown = self._shown(annotation.task_id)
            if isinstance(shown, SliceRecord):
                created = self._add(annotation, shown)
            else:
                created = self._add_study(annotation, shown)
        except (InputError, LabelConfigError, NotFoundError) as error:
            _LOG.warning("annotation %s of task %s is set aside: %s", state.id, state.task_id, error)
            self.set_aside.append(SetAside(state.id, state.task_id, str(error)))
            return
        if created:
            kind = "skipped" if annotation.was_cancelled else "created" if known is None else "updated"
            self.counted[kind] += 1

    def mark_deleted(self, row: CorrectionRecord) -> None:
        """The annotation is gone; its history stays."""
        self.counted["deleted"] += self._catalog.corrections.mark_deleted(
            row.project_uid, row.annotation_id, self._via
        )

    def _add(self, annotation: Annotation, shown: SliceRecord) -> bool:
        label_map = None
        if not annotation.was_cancelled:
            label_map = read_label_map(annotation.result, self._config, shown.height, shown.width)
        _, created = self._catalog.corrections.add(
            slice_id=shown.id,
            project_uid=self._project.uid,
            task_id=annotation.task_id,
            annotation_id=annotation.id,
            annotation_updated_at=annotation.updated_at,
            state=CorrectionState.SKIPPED if annotation.was_cancelled else CorrectionState.SUBMITTED,
            annotator=annotation.annotator,
            lead_time_seconds=annotation.lead_time_seconds,
            ground_truth=annotation.ground_truth,
            label_map=label_map,
            model_version=self._started_from(annotation.parent_prediction, shown),
            via=self._via,
        )
        return created

    def _add_study(self, annotation: Annotation, slices: Sequence[SliceRecord]) -> bool:
        """Every slice of a study task in one step; which of them are corrections, see docs/adr/0016."""
        shown = None
        if annotation.parent_prediction is not None:
            shown = self._client.prediction(annotation.parent_prediction)
            if shown is not None and is_failed(shown.model_version or ""):
                shown = None
        if annotation.was_cancelled:
            reading = StudyReading((None,) * len(slices), None, None)
        else:
            sizes = [(one.height, one.width) for one in slices]
            result = None if shown is None else shown.result
            reading = read_study(annotation.result, self._config, sizes, result)
        return self._catalog.corrections.add_study_annotation(
            StudyAnnotation(
                study_id=slices[0].study_id,
                project_uid=self._project.uid,
                task_id=annotation.task_id,
                annotation_id=annotation.id,
                annotation_updated_at=annotation.updated_at,
                state=CorrectionState.SKIPPED if annotation.was_cancelled else CorrectionState.SUBMITTED,
                annotator=annotation.annotator,
                via=self._via,
                label_maps=dict(zip((one.id for one in slices), reading.label_maps, strict=True)),
                lead_time_seconds=annotation.lead_time_seconds,
                ground_truth=annotation.ground_truth,
                model_version=None if shown is None else shown.model_version,
                model_grade=reading.model_grade,
                grade=reading.grade,
            )
        )

    def _shown(self, task_id: int) -> SliceRecord | Sequence[SliceRecord]:
        """The slice of a slice task, or the slices of a study task in the order of its pictures."""
        linked = self._catalog.tasks.slice_of(self._project.uid, task_id)
        if linked is not None:
            return linked
        data = self._client.one_task_data(self._project.id, task_id)
        pictures = TaskPictures(self._catalog)
        if self._config.shows_studies:
            slices = pictures.slices_of(data, self._config.image_key)
            if slices is None:
                raise InputError(
                    f"task {task_id}",
                    "shows pictures that are not slices of one study of the catalog; "
                    "`lungloop import` that study first",
                )
            return slices
        # A task that somebody loaded into Label Studio by hand, or whose link a crash kept from us.
        meant = pictures.slice_of(data, self._config.image_key)
        if meant is None:
            raise InputError(
                f"task {task_id}", "shows a picture that is not in the catalog; `lungloop import` it first"
            )
        self._catalog.tasks.link(meant.id, self._project.uid, task_id)
        return meant

    def _started_from(self, prediction_id: int | None, shown: SliceRecord) -> str | None:
        if prediction_id is None:
            return None
        if prediction_id not in self._version_of:
            stored = self._client.prediction(prediction_id)
            version = None if stored is None else stored.model_version
            if stored is None or version is None or is_failed(version):
                # A failed prediction showed nothing: the reader drew from scratch.
                version = None
            elif not stored.result and self._showed_nothing(shown, version):
                version = None
            self._version_of[prediction_id] = version
        version = self._version_of[prediction_id]
        if version is not None and self._catalog.predictions.prelabel(shown.id, version) is not None:
            return OWN_MASKS
        return version

    def _showed_nothing(self, shown: SliceRecord, version: str) -> bool:
        """Whether an empty prediction was kept from the reader on purpose, rather than "no lesion" said."""
        return is_unassisted(self._catalog, shown.id, version, self._catalog.allocations.of_slice(shown.id))

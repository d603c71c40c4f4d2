"""Corrections from Label Studio into the catalog. Its annotations are the truth, webhooks only hints."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from ml_backend.label_studio.rows import Annotation, AnnotationState, Project, StoredPrediction
from ml_backend.label_studio.study_results import StudyReading, read_study
from ml_backend.label_studio.task_pictures import TaskPictures
from ml_backend.prelabelling.compose import is_unassisted

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
        created, updated: submitted annotations that are new, and new states of those kept.
        skipped: annotations newly skipped by their reader.
        deleted: annotations that are gone.
        unchanged: those that the catalog already has.
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
    """Brings the catalog to what Label Studio holds; idempotent.

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
    kept = catalog.corrections.annotation_states(project.uid, task_id)
    there = {state.id: state for state in client.annotation_states(project.id, task_id)}
    new = [state for state in there.values() if _is_new(state, kept.get(state.id))]
    # Only what a direct question finds gone counts as deleted: the list is read page by page while
    # readers work, so an annotation may slip between two pages.
    missing = [row for row in kept.values() if row.annotation_id not in there]
    suspects = [row for row in missing if row.state is not CorrectionState.DELETED]
    for done, state in enumerate(new):
        run.take(state, kept.get(state.id))
        on_progress(Progress(done + 1, len(new) + len(suspects), "reading corrections"))
    for row in suspects:
        if client.annotation(row.annotation_id) is None:
            run.mark_deleted(row)
    report = SyncReport(**run.counted, unchanged=len(there) - len(new), set_aside=tuple(run.set_aside))
    if report.changed or report.set_aside:
        _LOG.info("sync: %s", report)
    return report


def _is_new(state: AnnotationState, kept: CorrectionRecord | None) -> bool:
    if kept is None:
        return True
    was_skipped = kept.state is CorrectionState.SKIPPED
    try:
        updated_at = utc_text(state.updated_at)
    except InputError:
        return True  # taking it says what is wrong with it
    return (updated_at, state.was_cancelled) != (kept.annotation_updated_at, was_skipped)


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
        self.counted = {"created": 0, "updated": 0, "skipped": 0, "deleted": 0}
        self.set_aside: list[SetAside] = []

    def take(self, state: AnnotationState, kept: CorrectionRecord | None) -> None:
        """One annotation that is new or changed; what is wrong with it stops no other."""
        try:
            annotation = self._client.annotation(state.id)
            if annotation is None:
                if kept is not None and kept.state is not CorrectionState.DELETED:
                    self.mark_deleted(kept)
                return
            pictures = self._slices_of(annotation.task_id)
            prediction = self._started_from(annotation)
            if isinstance(pictures, SliceRecord):
                created = self._add(annotation, pictures, prediction)
            else:
                created = self._add_study(annotation, pictures, prediction)
        except (InputError, LabelConfigError, NotFoundError) as error:
            _LOG.warning("annotation %s of task %s is set aside: %s", state.id, state.task_id, error)
            self.set_aside.append(SetAside(state.id, state.task_id, str(error)))
            return
        if created:
            kind = "skipped" if annotation.was_cancelled else "created" if kept is None else "updated"
            self.counted[kind] += 1

    def mark_deleted(self, row: CorrectionRecord) -> None:
        """The annotation is gone; its history stays."""
        self.counted["deleted"] += self._catalog.corrections.mark_deleted(
            row.project_uid, row.annotation_id, self._via
        )

    def _add(
        self, annotation: Annotation, slice_record: SliceRecord, prediction: StoredPrediction | None
    ) -> bool:
        label_map = None
        if not annotation.was_cancelled:
            height, width = slice_record.height, slice_record.width
            label_map = read_label_map(annotation.result, self._config, height, width)
        _, created = self._catalog.corrections.add(
            slice_id=slice_record.id,
            label_map=label_map,
            model_version=self._shown_version(slice_record, prediction),
            **self._of(annotation),
        )
        return created

    def _add_study(
        self, annotation: Annotation, slices: Sequence[SliceRecord], prediction: StoredPrediction | None
    ) -> bool:
        """Every slice of a study task in one step; which of them are corrections, see docs/adr/0016."""
        if annotation.was_cancelled:
            reading = StudyReading((None,) * len(slices), None, None)
        else:
            sizes = [(slice_record.height, slice_record.width) for slice_record in slices]
            before = None if prediction is None else prediction.result
            reading = read_study(annotation.result, self._config, sizes, before)
        ids = [slice_record.id for slice_record in slices]
        return self._catalog.corrections.add_study_annotation(
            StudyAnnotation(
                study_id=slices[0].study_id,
                label_maps=dict(zip(ids, reading.label_maps, strict=True)),
                model_version=self._made_by(slices[0].study_id, prediction),
                model_grade=reading.model_grade,
                grade=reading.grade,
                **self._of(annotation),
            )
        )

    def _of(self, annotation: Annotation) -> dict[str, Any]:
        """What the catalog keeps of every annotation, whatever its task shows."""
        skipped = annotation.was_cancelled
        return {
            "project_uid": self._project.uid,
            "task_id": annotation.task_id,
            "annotation_id": annotation.id,
            "annotation_updated_at": annotation.updated_at,
            "state": CorrectionState.SKIPPED if skipped else CorrectionState.SUBMITTED,
            "annotator": annotation.annotator,
            "lead_time_seconds": annotation.lead_time_seconds,
            "ground_truth": annotation.ground_truth,
            "via": self._via,
        }

    def _slices_of(self, task_id: int) -> SliceRecord | Sequence[SliceRecord]:
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
        slice_record = pictures.slice_of(data, self._config.image_key)
        if slice_record is None:
            raise InputError(
                f"task {task_id}", "shows a picture that is not in the catalog; `lungloop import` it first"
            )
        self._catalog.tasks.link(slice_record.id, self._project.uid, task_id)
        return slice_record

    def _started_from(self, annotation: Annotation) -> StoredPrediction | None:
        """The prediction that the reader was shown; a failed one showed nothing."""
        if annotation.parent_prediction is None:
            return None
        prediction = self._client.prediction(annotation.parent_prediction)
        return None if prediction is None or is_failed(prediction.model_version or "") else prediction

    def _made_by(self, study_id: int, prediction: StoredPrediction | None) -> str | None:
        """The version that made a study's pre-label: Label Studio names the release that showed it."""
        if prediction is None or prediction.model_version is None:
            return None
        return self._catalog.versions.version_of(prediction.model_version, study_id)

    def _shown_version(self, slice_record: SliceRecord, prediction: StoredPrediction | None) -> str | None:
        """Whose pre-label the reader of a slice task corrected; None where it drew from scratch."""
        slice_id, version = slice_record.id, self._made_by(slice_record.study_id, prediction)
        if prediction is None or version is None:
            return None
        # Empty on purpose, rather than "no lesion" said.
        if not prediction.result and is_unassisted(
            self._catalog, slice_id, version, self._catalog.allocations.of_slice(slice_id)
        ):
            return None
        return version if self._catalog.predictions.prelabel(slice_id, version) is None else OWN_MASKS

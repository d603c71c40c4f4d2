"""The pre-label of a task, composed here for both ways it travels: `/predict` and pre-annotation."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.acquisition.allocation import Allocation, Arm
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.derived.severity import ensure_severity
from chestct.labels import SeverityGrade
from chestct.severity.interval import InvolvementCalibration
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.results import prediction_result
from ml_backend.prelabelling.predictor import PicturePrediction

Json = dict[str, Any]

# A mean over all slices would sink in the apex and the base, where every model is sure; the least sure
# slice alone would rest the order of whole studies on one odd picture. Our choice.
_LEAST_SURE_SLICES = 5


def compose_prelabel(
    catalog: Catalog,
    config: LabelConfig,
    release_name: str,
    predictions: Sequence[PicturePrediction],
    calibration: InvolvementCalibration | None,
    scores: Mapping[int, float] | None = None,
    allocations: Mapping[int, Allocation] | None = None,
) -> Json:
    """What Label Studio stores and shows as the pre-label of one task.

    Args:
        release_name: what it is stored under, whichever of the release's versions made it.
        predictions: one version's, of every picture of the task in its order; one for a slice task.
        calibration: of that version's card.
        scores: slice id -> the score that serves it at its rank in the worklist; None asks the catalog. The
            model's confidence serves a task without any.
        allocations: slice id -> what was drawn for it; None asks the catalog.
    Returns:
        `{"result": [...], "score": ..., "model_version": ...}`.
    """
    version = predictions[0].model_version
    slices = [prediction.slice_record for prediction in predictions if prediction.slice_record is not None]
    grade, label_maps = None, [_shown_label_map(catalog, prediction) for prediction in predictions]
    if config.shows_studies:
        grade = _grade(catalog, slices, version, calibration)
    elif slices:
        slice_id = slices[0].id
        allocation = (
            catalog.allocations.of_slice(slice_id) if allocations is None else allocations.get(slice_id)
        )
        if is_unassisted(catalog, slice_id, version, allocation):
            label_maps = []
    if scores is None:
        kept = {item.id: catalog.worklist.score(item.id, release_name) for item in slices}
        scores = {slice_id: score for slice_id, score in kept.items() if score is not None}
    score = least_score((slice_record.id for slice_record in slices), scores)
    if score is None:
        score = study_score([prediction.score for prediction in predictions])
    return prediction_result(label_maps, score, release_name, config, grade)


def least_score(slice_ids: Iterable[int], scores: Mapping[int, float]) -> float | None:
    """The score of a task: that of the first of its slices; None where the worklist holds none of them."""
    return min((scores[slice_id] for slice_id in slice_ids if slice_id in scores), default=None)


def study_score(scores: Sequence[float]) -> float:
    """Confidence in a study: the mean of its five least sure slices, in [0, 1].

    The task with the lowest is served first. A study is opened as a whole, and what a reader can
    change about it lies in its least sure slices.

    Args:
        scores: of every slice, in [0, 1]; at least one.
    """
    # Exact, then rounded once: never above the highest of them.
    return mean(sorted(scores)[:_LEAST_SURE_SLICES])


def is_unassisted(catalog: Catalog, slice_id: int, model_version: str, allocation: Allocation | None) -> bool:
    """Whether a slice task shows no pre-label, which measures the time it saves and the anchoring it causes.

    An external mask is shown all the same: it is no model's, and hiding people's own work would measure
    nothing; only a test slice never shows anything, for what judges models must not be anchored. Study tasks
    are never unassisted: an empty slice among others reads as "no disease".

    Args:
        allocation: what was drawn for the slice; None before the draw.
    """
    if allocation is None or allocation.prelabelled:
        return False
    return allocation.arm is Arm.TEST or catalog.predictions.prelabel(slice_id, model_version) is None


def _shown_label_map(catalog: Catalog, prediction: PicturePrediction) -> npt.NDArray[np.uint8]:
    """The external mask of the slice, else what the model predicted.

    The version and its score stay, so that Label Studio shows it at its rank.
    """
    if prediction.slice_record is None:
        return prediction.label_map
    external = catalog.predictions.prelabel(prediction.slice_record.id, prediction.model_version)
    return (
        prediction.label_map if external is None else catalog.storage.read_label_map(external.label_map_path)
    )


def _grade(
    catalog: Catalog,
    slices: Sequence[SliceRecord],
    model_version: str,
    calibration: InvolvementCalibration | None,
) -> SeverityGrade | None:
    """A grade is of whole studies: None for pictures, and for a part of a study loaded by hand."""
    if not slices or len(slices) != catalog.studies.by_name(slices[0].study_name).slice_count:
        return None
    severity = ensure_severity(catalog, slices[0].study_id, model_version, calibration)
    return None if severity is None else severity.grade

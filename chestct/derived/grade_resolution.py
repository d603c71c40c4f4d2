"""Studies whose grade is undecided, as the catalog knows them: rows in bulk, so that all are asked at once.

The catalog keeps a version's lesion sums of each slice, and lesion and lung of the whole study. What the
model expects beyond its masks is therefore spread over the slices as their deviations are, and the lung
evenly; both leave the study's interval as its severity report gives it. A correction is compared with the
prediction pixel for pixel; its difference moves the deciding percent by as much as it is of both lungs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.acquisition.grade_resolution import UndecidedStudy, grade_chances
from chestct.catalog.catalog import Catalog
from chestct.catalog.storage import Storage
from chestct.geometry import Geometry
from chestct.labels import LESIONS
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.rule import SeverityRule

# Version -> the calibration on its card; one that is missing has none.
Calibrations = Mapping[str, InvolvementCalibration | None]
NOT_CALIBRATED: Calibrations = {}


@dataclass(frozen=True, eq=False)
class OpenStudy:
    """A study with slices that no reader is done with, and all of whose slices are predicted.

    Args:
        slice_ids, indices: (S,) of its slices, in their order.
        is_open: (S,) whether no reader is done with the slice.
        uncertainty: what model and readers have said so far.
    """

    study_id: int
    name: str
    slice_ids: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    is_open: npt.NDArray[np.bool_]
    uncertainty: UndecidedStudy


def open_studies(
    catalog: Catalog,
    release_name: str,
    calibrations: Calibrations = NOT_CALIBRATED,
    study_name: str | None = None,
) -> list[OpenStudy]:
    """Studies with open slices and a grade by the version that serves them, in the order they were added.

    Args:
        release_name: or the name of one version.
        calibrations: of its versions; the normal approximation stands for one that has none.
        study_name: only this study.
    """
    evidence = catalog.severities.evidence(release_name, study_name)
    corrections = {row.slice_id: row for row in evidence.corrections}
    rule = SeverityRule()
    studies = []
    for study, rows in _paired(evidence.studies, evidence.slices):
        slice_ids = np.array([row.id for row in rows], dtype=np.int64)
        is_open = np.array([not row.reviewed for row in rows])
        sums = np.array([(row.lesion_expected, row.lesion_deviation) for row in rows], dtype=np.float64)
        if not is_open.any() or np.isnan(sums).any() or len(rows) != study.slice_count:
            continue
        version = study.model_version
        errors = [_error(catalog.storage, corrections.get(row.id), version) for row in rows]
        uncertainty = _uncertainty(study, sums, np.array(errors), rule, calibrations.get(version))
        indices = np.array([row.index for row in rows], dtype=np.int64)
        studies.append(OpenStudy(study.study_id, study.name, slice_ids, indices, is_open, uncertainty))
    return studies


def grade_chances_of_slices(
    catalog: Catalog, release_name: str, calibrations: Calibrations = NOT_CALIBRATED
) -> dict[int, float]:
    """Slice id -> chance in [0, 1] that correcting it moves its study to another grade.

    Open slices only, of studies that have a grade by the version that serves them; for the others nobody
    knows.
    """
    chances: dict[int, float] = {}
    for study in open_studies(catalog, release_name, calibrations):
        of_study = grade_chances(study.uncertainty)
        at = study.is_open
        chances.update(zip(study.slice_ids[at].tolist(), of_study[at].tolist(), strict=True))
    return chances


def _error(storage: Storage, correction: Any, model_version: str) -> float:
    """Lesion pixels that a reader added to the prediction; NaN where no reader corrected the slice."""
    if correction is None:
        return np.nan
    # Most corrections of a good model change nothing, and the row says so.
    if correction.changed_fraction == 0.0 and correction.model_version == model_version:
        return 0.0
    return float(
        _lesion_pixels(storage, correction.label_map_path)
        - _lesion_pixels(storage, correction.predicted_path)
    )


# Label maps are named by their content, so what was counted once stays true.
@lru_cache(maxsize=100_000)
def _lesion_pixels(storage: Storage, path: str) -> int:
    return int(np.isin(storage.read_label_map(path), LESIONS).sum())


def _paired(studies: Sequence[Any], slices: Sequence[Any]) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Each study with the run of its slices; both are in the order of the studies' ids."""
    of_study = np.array([row.study_id for row in slices], dtype=np.int64)
    ids = np.array([row.study_id for row in studies], dtype=np.int64)
    starts, ends = np.searchsorted(of_study, ids), np.searchsorted(of_study, ids, side="right")
    for study, start, end in zip(studies, starts, ends, strict=True):
        yield study, slices[start:end]


def _uncertainty(
    study: Any,
    sums: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
    rule: SeverityRule,
    calibration: InvolvementCalibration | None,
) -> UndecidedStudy:
    """A study from its rows.

    Args:
        sums: (S, 2) lesion expected, and its deviation.
        errors: (S,) lesion pixels that readers added, NaN where open.
    """
    axes = tuple(tuple(float(value) for value in row[:3]) for row in study.affine[:3])
    apart_mm, voxel_ml = _millimetres(tuple(int(size) for size in study.stored_shape), axes)
    volume_ml = study.severity["volume_ml"]
    lung = volume_ml["lung"] / voxel_ml
    lesion = (volume_ml["ground_glass"] + volume_ml["consolidation"]) / voxel_ml
    expected, deviation = sums.T
    weights = deviation if deviation.any() else np.ones(len(deviation))
    predicted = expected - (expected.sum() - lesion) * weights / weights.sum()
    percent = study.percent + 100.0 * float(np.nansum(errors)) / lung
    return UndecidedStudy(
        percent=min(100.0, max(0.0, percent)),
        predicted=predicted,
        expected=expected,
        deviation=deviation,
        lung=np.full(len(sums), lung / len(sums)),
        corrected=predicted + errors,
        slices_apart_mm=apart_mm,
        rule=rule,
        calibration=calibration,
    )


# Studies of one scanner differ in their origin alone, and telling axes apart costs more than all else here.
@lru_cache(maxsize=4096)
def _millimetres(stored_shape: tuple[int, ...], axes: tuple[tuple[float, ...], ...]) -> tuple[float, float]:
    """Distance between slices in mm, and the volume of a voxel in ml."""
    affine = np.eye(4)
    affine[:3, :3] = axes
    slowest, middle, fastest = stored_shape
    geometry = Geometry((slowest, middle, fastest), affine)
    return geometry.spacing_mm[0], geometry.voxel_volume_ml

"""The severity of a study: the share of its lungs that is diseased, its grade, and how sure that is.

A grade belongs to a study; a slice has shares only. Ground-glass and consolidation count alike: the
pattern words of the grades describe, the share decides.
Source: MosMedData README; Morozov et al. 2020, arXiv 2005.06465.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import Label, SeverityGrade
from chestct.prediction import SlicePrediction
from chestct.severity.cautions import warnings_of
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.involvement import Involvement
from chestct.severity.lungs import Side
from chestct.severity.rule import SeverityRule
from chestct.severity.uncertainty import involvement_uncertainty_percent

__all__ = [
    "InvolvementCalibration",
    "Severity",
    "SeverityRule",
    "severity_of",
    "severity_of_predictions",
    "uncertainty_percent_of",
]

# Pictures carry no millimetres; a chest CT shows about this much from side to side.
_PICTURE_WIDTH_MM = 350.0
_SLICES_APART_IN_NO_STACK_MM = 8.0
# Distances between slices that differ by more than this share are uneven.
_UNEVEN = 0.05


@dataclass(frozen=True)
class Severity:
    """What the masks of a study amount to.

    Args:
        grade: None for a slice, for pictures, and without lung.
        possible_grades: every grade that the interval touches, mildest first; the grade alone where
            there is no interval; empty without a grade.
        percent: diseased percent in [0, 100] of `left`, `right`, the `worst` lung that may decide, and
            the `whole`; None where that lung is absent.
        interval_percent: around the deciding percent, in [0, 100]; None where not calibrated.
        volume_ml: `lung` (lesions included), `ground_glass`, `consolidation`; None without millimetres.
        rule: thresholds, and which percent decides.
        model_version: whose masks; None for masks that were given.
        warnings: sentences for the reader, empty where nothing is amiss.
    """

    grade: SeverityGrade | None
    possible_grades: tuple[SeverityGrade, ...]
    percent: dict[str, float | None]
    interval_percent: tuple[float, float] | None
    volume_ml: dict[str, float | None]
    rule: SeverityRule
    model_version: str | None
    warnings: tuple[str, ...]

    @property
    def deciding_percent(self) -> float | None:
        """The percent that the grade rests on, in [0, 100]; None without lung."""
        return self.percent["worst" if self.rule.deciding == "worst_lung" else "whole"]

    @property
    def needs_a_reader(self) -> bool:
        """Whether more than one grade is possible, so that a radiologist must look."""
        return len(self.possible_grades) > 1

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with the keys that scripts rely on."""
        return {
            "grade": self.grade,
            "possible_grades": list(self.possible_grades),
            "percent": dict(self.percent),
            "interval_percent": None if self.interval_percent is None else list(self.interval_percent),
            "volume_ml": dict(self.volume_ml),
            "rule": self.rule.as_dict(),
            "model_version": self.model_version,
            "warnings": list(self.warnings),
        }


def severity_of(
    label_maps: npt.NDArray[np.uint8],
    geometry: Geometry | None,
    intensity: Intensity,
    *,
    rule: SeverityRule = SeverityRule(),  # noqa: B008 (frozen)
    calibration: InvolvementCalibration | None = None,
    uncertainty: float | None = None,
    model_version: str | None = None,
    slice_positions_mm: Sequence[float] | None = None,
) -> Severity:
    """The severity that follows from the masks of one study.

    Args:
        label_maps: (S, H, W) uint8, values of Label, radiological view.
        geometry: the study's; None for pictures, which have no millimetres and get no grade.
        intensity: what the study's numbers mean; 8-bit pictures are warned of.
        rule: thresholds, and which percent decides.
        calibration: of the model's card (`InvolvementCalibration.of_card`); None for no interval.
        uncertainty: the model's doubt of the involvement in percentage points, see
            `chestct.severity.uncertainty`.
        model_version: whose masks; None for masks that were given.
        slice_positions_mm: (S,) along the slice axis where slices are not evenly apart; by default the
            affine's spacing holds for all.
    Raises:
        InputError: not (S, H, W), values other than Label's, or another shape than the geometry's.
    """
    _refuse_what_is_no_label_map(label_maps, geometry)
    thickness_mm, weights, uneven = _thickness(len(label_maps), geometry, slice_positions_mm)
    spacing_mm = _spacing(label_maps.shape, geometry)
    found = Involvement.of(label_maps, spacing_mm, weights)
    worst = _worst(found, rule)
    percent = {
        "left": found.percent(Side.LEFT),
        "right": found.percent(Side.RIGHT),
        "worst": worst,
        "whole": found.percent(*Side),
    }
    deciding = percent["worst" if rule.deciding == "worst_lung" else "whole"]
    warnings = warnings_of(found, geometry, intensity, rule, thickness_mm, uneven)
    if deciding is None or geometry is None or len(label_maps) == 1:
        grade, possible, interval = None, (), None
    else:
        grade = rule.grade_of(deciding)
        interval, interval_cautions = _interval(deciding, calibration, uncertainty, model_version)
        possible = (grade,) if interval is None else rule.grades_touched(*interval)
        warnings += interval_cautions
        if len(possible) > 1:
            warnings += (f"{possible[0]} to {possible[-1]} are possible: a radiologist must look",)
    return Severity(
        grade=grade,
        possible_grades=possible,
        percent=percent,
        interval_percent=interval,
        volume_ml=_volumes(found, geometry, thickness_mm),
        rule=rule,
        model_version=model_version,
        warnings=warnings,
    )


def severity_of_predictions(
    predictions: Sequence[SlicePrediction],
    geometry: Geometry | None,
    intensity: Intensity,
    *,
    rule: SeverityRule = SeverityRule(),  # noqa: B008 (frozen)
    calibration: InvolvementCalibration | None = None,
    model_version: str,
    slice_positions_mm: Sequence[float] | None = None,
) -> Severity:
    """The severity that a model finds in one study, with the doubt that its predictions carry.

    Args:
        predictions: of every slice of the study in its order, all of one size.
    Raises:
        InputError: the slices differ in size, or as `severity_of`.
    """
    return severity_of(
        _stacked(predictions),
        geometry,
        intensity,
        rule=rule,
        calibration=calibration,
        uncertainty=uncertainty_percent_of(predictions, geometry),
        model_version=model_version,
        slice_positions_mm=slice_positions_mm,
    )


def uncertainty_percent_of(predictions: Sequence[SlicePrediction], geometry: Geometry | None) -> float | None:
    """The model's doubt of a study's involvement in percentage points; None where its predictions carry none.

    Raises:
        InputError: the slices differ in size.
    """
    expected = [one.lesion_expected for one in predictions if one.lesion_expected is not None]
    deviation = [one.lesion_deviation for one in predictions if one.lesion_deviation is not None]
    label_maps = _stacked(predictions)
    if not len(expected) == len(deviation) == len(predictions):
        return None
    apart_mm = _spacing(label_maps.shape, geometry)[0]
    return involvement_uncertainty_percent(label_maps, expected, deviation, apart_mm)


def _stacked(predictions: Sequence[SlicePrediction]) -> npt.NDArray[np.uint8]:
    shapes = {prediction.label_map.shape for prediction in predictions}
    if len(shapes) != 1:
        raise InputError("predictions", f"are of the sizes {sorted(shapes)}; expected slices of one size")
    return np.stack([prediction.label_map for prediction in predictions])


def _refuse_what_is_no_label_map(label_maps: npt.NDArray[np.uint8], geometry: Geometry | None) -> None:
    if label_maps.ndim != 3 or not label_maps.size or label_maps.dtype != np.uint8:
        raise InputError(
            "label map", f"is {label_maps.dtype} of {label_maps.shape}; expected uint8 of (slices, H, W)"
        )
    if label_maps.max() > max(Label):
        raise InputError(
            "label map",
            f"holds the value {label_maps.max()}; expected 0 background, 1 ground-glass, 2 consolidation, "
            "3 lung",
        )
    if geometry is not None and label_maps.shape != geometry.view_shape:
        raise InputError(
            "label map", f"is of {label_maps.shape}, its study of {geometry.view_shape}; they must agree"
        )


def _spacing(shape: tuple[int, ...], geometry: Geometry | None) -> tuple[float, float, float]:
    if geometry is not None:
        return geometry.spacing_mm
    pixel = _PICTURE_WIDTH_MM / shape[2]
    return _SLICES_APART_IN_NO_STACK_MM, pixel, pixel


def _thickness(
    slices: int, geometry: Geometry | None, positions_mm: Sequence[float] | None
) -> tuple[float, npt.NDArray[np.float64], bool]:
    """Mean distance between slices in mm, each slice's in units of the mean, whether they differ."""
    even = np.ones(slices)
    apart = geometry.spacing_mm[0] if geometry is not None else 0.0
    if positions_mm is None or slices < 2:
        return apart, even, False
    if len(positions_mm) != slices:
        raise InputError("slice positions", f"are {len(positions_mm)} of {slices} slices; expected one each")
    between = np.abs(np.diff(np.asarray(positions_mm, dtype=np.float64)))
    if between.max() - between.min() <= _UNEVEN * between.mean():
        return float(between.mean()), even, False
    # A slice stands for half the way to each neighbour, the outer ones for as much on both sides.
    each = np.concatenate([between[:1], (between[:-1] + between[1:]) / 2, between[-1:]])
    return float(each.mean()), each / each.mean(), True


def _worst(found: Involvement, rule: SeverityRule) -> float | None:
    """The larger percent of the lungs that may decide."""
    deciding = [side for side in Side if found.share(side) >= rule.smallest_lung_share]
    percents = [percent for side in deciding if (percent := found.percent(side)) is not None]
    return max(percents, default=None)


def _volumes(found: Involvement, geometry: Geometry | None, thickness_mm: float) -> dict[str, float | None]:
    groups = {
        "lung": tuple(Label),
        "ground_glass": (Label.GROUND_GLASS,),
        "consolidation": (Label.CONSOLIDATION,),
    }
    if geometry is None:
        return dict.fromkeys(groups)
    ml = geometry.voxel_volume_ml * thickness_mm / geometry.spacing_mm[0]
    return {name: found.voxels(labels=labels) * ml for name, labels in groups.items()}


def _interval(
    percent: float,
    calibration: InvolvementCalibration | None,
    uncertainty: float | None,
    model_version: str | None,
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """The interval, and a warning where a model's masks get none; given masks are the truth."""
    if calibration is not None and uncertainty is not None:
        return calibration.interval(percent, uncertainty), ()
    if model_version is None:
        return None, ()
    missing = "the predictions carry no doubt" if calibration is not None else "interval not calibrated"
    return None, (f"{missing}: other grades may be possible",)

"""The severity of a study: the share of its lungs that is diseased, its grade, and how sure that is.

A grade belongs to a study; a slice has shares only. Ground-glass and consolidation count alike: the
pattern words of the grades describe, the share decides.
Source: MosMedData README; Morozov et al. 2020, arXiv 2005.06465.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.prediction import SlicePrediction
from chestct.severity.cautions import Caution, CautionKind, cautions_of, sentence
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.involvement import Involvement, spacing_of
from chestct.severity.lungs import Side
from chestct.severity.rule import SeverityRule
from chestct.severity.uncertainty import involvement_uncertainty_percent

# Distances between slices that differ by more than this share are uneven.
_UNEVEN = 0.05
# Rule's `deciding` -> the percent that it means.
_DECIDING_KEY = {"worst_lung": "worst", "whole": "whole"}


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
        cautions: for the reader, empty where nothing is amiss.
    """

    grade: SeverityGrade | None
    possible_grades: tuple[SeverityGrade, ...]
    percent: dict[str, float | None]
    interval_percent: tuple[float, float] | None
    volume_ml: dict[str, float | None]
    rule: SeverityRule
    model_version: str | None
    cautions: tuple[Caution, ...]

    @property
    def deciding_percent(self) -> float | None:
        """The percent that the grade rests on, in [0, 100]; None without lung."""
        return self.percent[_DECIDING_KEY[self.rule.deciding]]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The cautions as English sentences."""
        return tuple(map(sentence, self.cautions))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with the keys that scripts rely on."""
        return {
            "grade": self.grade,
            "possible_grades": list(self.possible_grades),
            "percent": dict(self.percent),
            "interval_percent": None if self.interval_percent is None else list(self.interval_percent),
            "volume_ml": dict(self.volume_ml),
            "rule": asdict(self.rule),
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
        geometry: None for pictures, which have no millimetres and get no grade.
        intensity: what the study's numbers mean; 8-bit pictures are warned of.
        calibration: of the model's card (`InvolvementCalibration.of_card`); None for no interval.
        uncertainty: the model's, in percentage points (`chestct.severity.uncertainty`).
        model_version: whose masks; None for masks that were given.
        slice_positions_mm: (S,) along the slice axis where slices are not evenly apart.
    Raises:
        InputError: not (S, H, W), values other than Label's, or another shape than the geometry's.
    """
    _refuse_what_is_no_label_map(label_maps, geometry)
    thickness_mm, weights, uneven = _thickness(len(label_maps), geometry, slice_positions_mm)
    involvement = Involvement.of(label_maps, spacing_of(label_maps.shape, geometry), weights)
    percent = {
        "left": involvement.percent(Side.LEFT),
        "right": involvement.percent(Side.RIGHT),
        "worst": _worst(involvement, rule),
        "whole": involvement.percent(*Side),
    }
    deciding = percent[_DECIDING_KEY[rule.deciding]]
    cautions = [*cautions_of(involvement, geometry, intensity, rule, thickness_mm, uneven)]
    grade, possible, interval = None, (), None
    if deciding is not None and geometry is not None and len(label_maps) > 1:
        grade = rule.grade_of(deciding)
        if calibration is not None and uncertainty is not None:
            interval = calibration.interval(deciding, uncertainty)
        possible = (grade,) if interval is None else rule.grades_touched(*interval)
        cautions += _cautions_of_grade(possible, interval, calibration, model_version)
    return Severity(
        grade=grade,
        possible_grades=possible,
        percent=percent,
        interval_percent=interval,
        volume_ml=_volumes(involvement, geometry, thickness_mm),
        rule=rule,
        model_version=model_version,
        cautions=tuple(cautions),
    )


def severity_of_predictions(
    predictions: Sequence[SlicePrediction],
    geometry: Geometry | None,
    intensity: Intensity,
    *,
    rule: SeverityRule = SeverityRule(),  # noqa: B008 (frozen)
    calibration: InvolvementCalibration | None = None,
    model_version: str,
) -> Severity:
    """The severity that a model finds in one study, with the uncertainty that its predictions carry.

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
    )


def uncertainty_percent_of(predictions: Sequence[SlicePrediction], geometry: Geometry | None) -> float | None:
    """The model's uncertainty of an involvement in percentage points; None where predictions carry none.

    Raises:
        InputError: the slices differ in size.
    """
    label_maps = _stacked(predictions)
    expected = [each.lesion_expected for each in predictions if each.lesion_expected is not None]
    deviation = [each.lesion_deviation for each in predictions if each.lesion_deviation is not None]
    if not len(expected) == len(deviation) == len(predictions):
        return None
    apart_mm = spacing_of(label_maps.shape, geometry)[0]
    return involvement_uncertainty_percent(label_maps, expected, deviation, apart_mm)


def _stacked(predictions: Sequence[SlicePrediction]) -> npt.NDArray[np.uint8]:
    shapes = {prediction.label_map.shape for prediction in predictions}
    if len(shapes) != 1:
        raise InputError("predictions", f"are of the sizes {sorted(shapes)}; expected slices of one size")
    return np.stack([prediction.label_map for prediction in predictions])


def _refuse_what_is_no_label_map(label_maps: npt.NDArray[np.uint8], geometry: Geometry | None) -> None:
    if label_maps.ndim != 3 or not label_maps.size or label_maps.dtype != np.uint8:
        reason = f"is {label_maps.dtype} of {label_maps.shape}; expected uint8 of (slices, H, W)"
    elif label_maps.max() > max(Label):
        expected = "0 background, 1 ground-glass, 2 consolidation, 3 lung"
        reason = f"holds the value {label_maps.max()}; expected {expected}"
    elif geometry is not None and label_maps.shape != geometry.view_shape:
        reason = f"is of {label_maps.shape}, its study of {geometry.view_shape}; they must agree"
    else:
        return
    raise InputError("label map", reason)


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


def _worst(involvement: Involvement, rule: SeverityRule) -> float | None:
    """The larger percent of the lungs that may decide."""
    deciding = [side for side in Side if involvement.share(side) >= rule.smallest_lung_share]
    percents = [percent for side in deciding if (percent := involvement.percent(side)) is not None]
    return max(percents, default=None)


def _volumes(
    involvement: Involvement, geometry: Geometry | None, thickness_mm: float
) -> dict[str, float | None]:
    lesions = {label.name.lower(): (label,) for label in LESIONS}
    groups: dict[str, tuple[Label, ...]] = {"lung": tuple(Label), **lesions}
    if geometry is None:
        return dict.fromkeys(groups)
    ml = geometry.voxel_volume_ml * thickness_mm / geometry.spacing_mm[0]
    return {name: involvement.voxels(labels=labels) * ml for name, labels in groups.items()}


def _cautions_of_grade(
    possible: tuple[SeverityGrade, ...],
    interval: tuple[float, float] | None,
    calibration: InvolvementCalibration | None,
    model_version: str | None,
) -> Iterator[Caution]:
    # Masks that were given are the truth: they need no interval.
    if interval is None and model_version is not None:
        yield Caution(CautionKind.NOT_CALIBRATED if calibration is None else CautionKind.NO_UNCERTAINTY)
    if len(possible) > 1:
        yield Caution(CautionKind.SEVERAL_GRADES, {"mildest": possible[0], "worst": possible[-1]})

"""Whether grades are right and intervals keep their rate, on phantoms whose involvement is known.

Compared: (1) the grade of each phantom's own masks with the grade that its known involvement has by the
table of MosMedData, written out here a second time, over 0-100 %, in one lung and in both, and close to 25,
50 and 75 %; (2) the rate at which a calibrated interval holds the truth with the stated 90 %, and with that
of the uncalibrated interval (measured +- 1.645 doubts). No network takes part: simulated predictors move
the edge of every lesion by a random distance, so that their error is known. The honest one gives the
probabilities that belong to its error; the overconfident one is five times as sure as it should be; the
blind one has the same doubt for every study. Calibration and question are split at random, 200 times.
"""

import sys

import numpy as np
import numpy.typing as npt
from _results import Measurement, write
from scipy import ndimage, special

from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.phantoms import Phantom, phantom_study
from chestct.prediction import SlicePrediction, most_probable
from chestct.severity.grading import (
    SeverityRule,
    severity_of,
    severity_of_predictions,
    uncertainty_percent_of,
)
from chestct.severity.uncertainty import lesion_sums
from training.severity_calibration import HeldOutStudy, involvement_calibration

_SHAPE = (12, 64, 64)
# Finer, since edges move by millimetres here.
_SHAPE_OF_EDGES = (12, 128, 128)
_SHARES = (0.0, 0.005, 0.03, 0.12, 0.23, 0.27, 0.38, 0.48, 0.52, 0.63, 0.73, 0.77, 0.9, 1.0)
_PHANTOMS, _DRAWS, _SPLITS, _LEVEL = 24, 5, 200, 0.9
# Lesion edges are off by this much from study to study, in mm.
_EDGE_ERROR_MM = (1.0, 8.0)
# How many times too sure of itself a predictor is; None is as sure of every study.
_PREDICTORS = {"honest": 1.0, "overconfident": 5.0, "blind": None}


def main() -> None:
    measurements = [_grades()]
    rng = np.random.default_rng(7)
    known = [
        phantom_study(100 + seed, shape=_SHAPE_OF_EDGES, involvement=(right, left))
        for seed, (right, left) in enumerate(rng.uniform(0.02, 0.9, (_PHANTOMS, 2)))
    ]
    edges = [_outside_mm(phantom, rng) for phantom in known]
    for name, too_sure in _PREDICTORS.items():
        measurements += _coverage(name, too_sure, list(zip(known, edges, strict=True)))
    write("severity_coverage", measurements)


def _grades() -> Measurement:
    right, asked = 0, 0
    sys.stdout.write("  right %   left %  grade\n")
    for number, share in enumerate(_SHARES):
        for other in (0.0, share):
            phantom = phantom_study(number, shape=_SHAPE, involvement=(share, other))
            found = severity_of(phantom.label_map, phantom.geometry, Intensity.HU)
            worst = 100.0 * max(phantom.involvement)
            right += found.grade == _grade_by_the_table(worst)
            asked += 1
            percents = "".join(f"{100 * involved:9.2f}" for involved in phantom.involvement)
            sys.stdout.write(f"{percents}  {found.grade}\n")
    return Measurement(
        "phantoms of known involvement that get their grade, given their masks",
        right / asked,
        f"share of {asked}",
        "the table of MosMedData, written out in the benchmark",
        "all",
        right == asked,
    )


def _grade_by_the_table(percent: float) -> str:
    if percent <= 1:
        return "CT-0"
    if percent < 25:
        return "CT-1"
    if percent < 50:
        return "CT-2"
    return "CT-3" if percent <= 75 else "CT-4"


def _coverage(
    name: str, too_sure: float | None, known: list[tuple[Phantom, npt.NDArray[np.float64]]]
) -> list[Measurement]:
    """Rate at which intervals hold the truth, and at which the true grade is among the possible ones."""
    rng = np.random.default_rng(7)
    rows = [
        _simulated(rng, phantom, outside_mm, too_sure) for phantom, outside_mm in known for _ in range(_DRAWS)
    ]
    rule = SeverityRule()
    held, grades = [], []
    for _ in range(_SPLITS):
        order = rng.permutation(len(rows))
        calibration = involvement_calibration([rows[at] for at in order[: len(rows) // 2]], _LEVEL)
        for row in (rows[at] for at in order[len(rows) // 2 :]):
            low, high = calibration.interval(row.percent, row.uncertainty_percent)
            held.append(low <= row.truth <= high)
            grades.append(rule.grade_of(float(row.truth)) in rule.grades_touched(low, high))
    raw = np.mean([abs(row.truth - row.percent) <= 1.645 * row.uncertainty_percent for row in rows])
    baseline = f"stated {_LEVEL:.0%}; measured +- 1.645 doubts, uncalibrated: {raw:.1%} ({len(rows)} studies)"
    goal = "at least 0.89 and at most 0.93"
    return [
        Measurement(
            f"rate at which the calibrated interval of the {name} predictor holds the truth",
            float(np.mean(held)),
            "of studies",
            baseline,
            goal,
            bool(0.89 <= np.mean(held) <= 0.93),
        ),
        Measurement(
            f"rate at which the true grade is a possible grade of the {name} predictor",
            float(np.mean(grades)),
            "of studies",
            f"stated {_LEVEL:.0%}",
            "at least 0.89",
            bool(np.mean(grades) >= 0.89),
        ),
    ]


def _simulated(
    rng: np.random.Generator,
    phantom: Phantom,
    outside_mm: npt.NDArray[np.float64],
    too_sure: float | None,
) -> HeldOutStudy:
    """A study as a predictor sees it that puts every lesion's edge a random distance off."""
    spread_mm = rng.uniform(*_EDGE_ERROR_MM)
    lung = phantom.label_map != Label.BACKGROUND
    outside_mm = outside_mm - rng.normal(0.0, spread_mm)
    # The chance that the true edge lies beyond a voxel, seen from the predictor's own edge.
    believed_mm = float(np.mean(_EDGE_ERROR_MM)) if too_sure is None else spread_mm / too_sure
    lesion = special.ndtr(-outside_mm / believed_mm) * lung
    predictions = []
    for share, inside in zip(lesion, lung, strict=True):
        probabilities = np.zeros((len(Label), *share.shape), dtype=np.float32)
        probabilities[Label.GROUND_GLASS] = share
        probabilities[Label.LUNG] = inside - share
        probabilities[Label.BACKGROUND] = ~inside
        expected, deviation = lesion_sums(probabilities)
        predictions.append(
            SlicePrediction(
                most_probable(probabilities), 0.5, 0.1, lesion_expected=expected, lesion_deviation=deviation
            )
        )
    found = severity_of_predictions(predictions, phantom.geometry, Intensity.HU, model_version="simulated")
    uncertainty = uncertainty_percent_of(predictions, phantom.geometry)
    assert found.deciding_percent is not None and uncertainty is not None
    truth = 100.0 * max(phantom.involvement)
    return HeldOutStudy("simulated", found.deciding_percent, uncertainty, truth)


def _outside_mm(phantom: Phantom, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Distance to the edge of the nearest lesion, negative inside; spread over the width of a pixel."""
    lesion = np.isin(phantom.label_map, LESIONS)
    spacing_mm = phantom.geometry.spacing_mm
    outside = np.asarray(ndimage.distance_transform_edt(~lesion, sampling=spacing_mm))
    inside = np.asarray(ndimage.distance_transform_edt(lesion, sampling=spacing_mm))
    half_pixel = spacing_mm[1] / 2
    signed = np.where(lesion, half_pixel - inside, outside - half_pixel)
    return signed + rng.uniform(-half_pixel, half_pixel, signed.shape)


if __name__ == "__main__":
    main()

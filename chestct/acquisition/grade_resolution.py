"""Which slices of a study to correct so that its CT grade is resolved.

What the masks get wrong in each slice (true minus predicted lesion pixels) is taken to be Gaussian around
0, with the covariance that `chestct.severity.uncertainty` adds up: the deviations of the slices, wrong
together over 20 mm, and what the model expects beyond its masks, which is there in all slices or in none. So
the uncertainty of an uncorrected study, and its interval, are those of its severity report. A corrected slice
is known, and tells of its neighbours by conditioning (exact for Gaussians).

Approximations: the worse lung decides, but lesion sums are of both lungs, so a slice that gains lesion is
taken to move either lung's percent by as many points. Lungs are taken to be right. Once slices are corrected
the conformal quantile is kept and applied to what uncertainty is left, which no held-out study has checked.
Without a calibration the interval is the centre +- 1.645 deviations: 90 % if the model's uncertainty were
right, which `benchmarks/severity_coverage.py` shows it need not be. See docs/adr/0018-settling-a-grade.md.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from chestct.acquisition.lesion_errors import LesionErrors
from chestct.errors import InputError
from chestct.labels import SeverityGrade
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.rule import SeverityRule

Floats = npt.NDArray[np.float64]

_LEVEL = 0.9
# Stands in for a calibration: the model's own uncertainty believed, see above.
NORMAL_APPROXIMATION = InvolvementCalibration(
    quantile=NormalDist().inv_cdf((1.0 + _LEVEL) / 2.0), level=_LEVEL, studies=0, eps=0.0
)


@dataclass(frozen=True, eq=False)
class UndecidedStudy:
    """One study, with what a model and its readers have said of each slice so far.

    Args:
        percent: deciding percent of the masks as they stand, corrections in the predictions' place.
        predicted: (S,) lesion pixels of the model's masks.
        expected, deviation: (S,) pixels, of `chestct.severity.uncertainty.lesion_sums`.
        lung: (S,) lung pixels, lesions included.
        corrected: (S,) lesion pixels that a reader drew, NaN where the slice is open.
        slices_apart_mm: distance between slices.
        calibration: of the model's card; None for the normal approximation.
    Raises:
        InputError: the slices of the columns differ in number, or a number is missing.
    """

    percent: float
    predicted: Floats
    expected: Floats
    deviation: Floats
    lung: Floats
    corrected: Floats
    slices_apart_mm: float
    rule: SeverityRule = SeverityRule()  # noqa: RUF009 (frozen)
    calibration: InvolvementCalibration | None = None

    def __post_init__(self) -> None:
        columns = (self.predicted, self.expected, self.deviation, self.lung)
        sizes = {np.shape(column) for column in (*columns, self.corrected)}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise InputError("study", f"has columns of {sorted(sizes)}; expected one number for each slice")
        if not (math.isfinite(self.percent) and all(np.isfinite(column).all() for column in columns)):
            raise InputError("study", "lacks a number; expected percent, lesion sums and lung of every slice")

    @property
    def is_open(self) -> npt.NDArray[np.bool_]:
        """(S,) slices that no reader has corrected."""
        return np.isnan(self.corrected)


@dataclass(frozen=True)
class SlicesToCorrect:
    """What it takes to resolve the grade of a study.

    Args:
        possible_grades: that the interval touches now, mildest first; empty without lung.
        interval_percent: in [0, 100]; None without lung.
        slices: positions in the study, first to correct first; empty where `reason` says why.
        reason: one short clause for people, empty where slices are named.
    """

    possible_grades: tuple[SeverityGrade, ...]
    interval_percent: tuple[float, float] | None
    slices: tuple[int, ...]
    reason: str


def interval_percent(study: UndecidedStudy) -> tuple[float, float]:
    """Lower and upper end in [0, 100] of the deciding percent, what corrections tell included.

    Raises:
        InputError: the study has no lung.
    """
    if not study.lung.any():
        raise InputError("study", "has no lung, so a share of it has no meaning")
    return _Estimate(study).interval()


def grade_chances(study: UndecidedStudy) -> Floats:
    """Chance that correcting a slice, alone, moves the study to another grade.

    Moved is the best estimate of the deciding percent: by the slice itself, and by what it says of the
    slices around it.

    Returns:
        (S,) in [0, 1]; 0 for corrected slices, for those that the model is sure of, and without lung.
    """
    if not study.lung.any():
        return np.zeros(study.lung.shape)
    estimate = _Estimate(study)
    low, high = estimate.bounds()
    above, below = high - estimate.centre, estimate.centre - low
    return np.array([_beyond(above, moved) + _beyond(below, moved) for moved in estimate.moved_percent()])


def slices_to_correct(study: UndecidedStudy, most: int | None = None) -> SlicesToCorrect:
    """The slices after whose correction the interval touches one grade, if they turn out as expected.

    Greedy: each next slice is the one that narrows the interval most. A correction that turns out
    otherwise moves the centre, so ask again after each.

    Args:
        most: give up beyond so many slices; by default never, since all slices resolve every study.
    """
    if not study.lung.any():
        return SlicesToCorrect((), None, (), "no lung was found")
    estimate = _Estimate(study)
    interval = estimate.interval()
    possible = study.rule.grades_touched(*interval)
    if len(possible) == 1:
        return SlicesToCorrect(possible, interval, (), f"{possible[0]} is certain already")
    chosen: list[int] = []
    while len(study.rule.grades_touched(*estimate.interval())) > 1:
        if most is not None and len(chosen) == most:
            return SlicesToCorrect(
                possible, interval, (), f"more than {most} slices would have to be corrected"
            )
        chosen.append(estimate.narrowing_most())
        estimate.correct(chosen[-1])
    return SlicesToCorrect(possible, interval, tuple(chosen), "")


class _Estimate:
    """A study's percent and its uncertainty, sharpened by one corrected slice after another."""

    def __init__(self, study: UndecidedStudy) -> None:
        self._study = study
        self._interval_of = study.calibration or NORMAL_APPROXIMATION
        self._points_a_pixel = 100.0 / float(study.lung.sum())
        self._open = study.is_open.copy()
        self._errors = LesionErrors(study.deviation, study.expected - study.predicted, study.slices_apart_mm)
        for at in np.flatnonzero(~self._open):
            self._errors.learn(int(at), float(study.corrected[at] - study.predicted[at]))
        expected = self._points_a_pixel * float(self._errors.mean[self._open].sum())
        self.centre = min(100.0, max(0.0, study.percent + expected))

    def correct(self, at: int) -> None:
        """The slice turns out as expected: the centre stays, the uncertainty shrinks."""
        self._open[at] = False
        self._errors.learn(at)

    def interval(self) -> tuple[float, float]:
        """Around the centre, in [0, 100]."""
        half = 0.0  # exactly, where every slice is corrected: rounding must not touch a border
        if self._open.any():
            half = float(self._half_width(np.array(self._errors.total_variance), np.array(self._open_lung())))
        return max(0.0, self.centre - half), min(100.0, self.centre + half)

    def narrowing_most(self) -> int:
        """The open slice whose correction leaves the narrowest interval."""
        variance = np.maximum(self._errors.total_variance - self._errors.moved_by_each() ** 2, 0.0)
        widths = self._half_width(variance, self._open_lung() - self._study.lung)
        return int(np.argmin(np.where(self._open, widths, np.inf)))

    def moved_percent(self) -> Floats:
        """(S,) deviation of how far correcting each slice moves the centre, in percentage points."""
        # A model that is too sure of itself has a larger quantile than the normal one.
        honest = self._interval_of.quantile / NormalDist().inv_cdf((1.0 + self._interval_of.level) / 2.0)
        moved = np.where(self._open, np.abs(self._errors.moved_by_each()), 0.0)
        return honest * self._points_a_pixel * moved

    def bounds(self) -> tuple[float, float]:
        """Percents between which the centre keeps its grade; the outermost grades have no outer end."""
        grade = self._study.rule.grade_of(self.centre)
        low, high = self._study.rule.bounds_of(grade)
        low = -math.inf if grade is SeverityGrade.CT_0 else low
        return low, math.inf if grade is SeverityGrade.CT_4 else high

    def _open_lung(self) -> float:
        return float(self._study.lung[self._open].sum())

    def _half_width(self, variance: Floats, open_lung: Floats) -> Floats:
        """Percentage points; what the calibration adds to every uncertainty goes with the corrected lung."""
        uncertainty = self._points_a_pixel * np.sqrt(variance)
        share = self._points_a_pixel / 100.0 * np.maximum(open_lung, 0.0)
        return self._interval_of.quantile * (uncertainty + self._interval_of.eps * share)


def _beyond(distance: float, deviation: float) -> float:
    """Chance that a Gaussian around 0 passes a distance of 0 or more."""
    return 0.5 * math.erfc(distance / (deviation * math.sqrt(2.0))) if deviation > 0.0 else 0.0

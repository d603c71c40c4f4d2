"""How many slices must be corrected until the CT grade of a study is settled, by the order of correction?

Phantoms within 4 points of a border between grades; a predictor looks at each; its slices are corrected one
by one (the truth replaces the prediction) in the order of: decision (the chance that correcting the slice
moves the grade, asked again after every correction), entropy (calibrated entropy summed over the slice, the
highest first), foreground-random (slices that may hold lesion first, by chance) and random. Counted is until
(a) the interval touches one grade and it is the true one; (b) the masks as they stand give the true grade
and keep it for the rest of that order. A study that needs no correction counts 0. Then all studies of a
mixed pool (near borders and far from them) in one list: slices until 9 of 10 studies are settled and right.

Predictors. Simulated: every lesion's edge is off by a study's own distance and by one that changes from
place to place, more in some slices than in others; its probabilities are those of this error, its interval
is calibrated on other phantoms. The shipped weights, whose interval is not calibrated (1.645
doubts); it was fitted on such phantoms, so its errors are small. Intervals of the differences: bootstrap
by study, 10,000 draws; a study's error draws are averaged first.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _results import Measurement, write
from _weights import newest_base
from scipy import ndimage, special

from chestct.acquisition.grade_resolution import UndecidedStudy, grade_chances, interval_percent
from chestct.inference.uncertainty import normalised_entropy
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.phantoms import Phantom, phantom_study
from chestct.prediction import most_probable
from chestct.severity.grading import SeverityRule
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.involvement import Involvement
from chestct.severity.lungs import Side
from chestct.severity.uncertainty import involvement_uncertainty_percent, lesion_sums
from training.severity_calibration import HeldOutStudy, involvement_calibration

Floats = npt.NDArray[np.float64]
Order = Callable[["Case", np.random.Generator], Iterator[int]]

_SHAPE = (36, 64, 64)
_STUDIES, _DRAWS, _HELD_OUT, _FAR, _NETWORK_STUDIES = 36, 3, 24, 24, 12
_NEAR_IN_POOL, _POOL_DRAWS = 12, 3
_BORDERS_PERCENT, _NEAR_PERCENT = (25.0, 50.0, 75.0), 4.0
# Errors of the simulated predictor: of a whole study, of a place, and over how far places are wrong together.
_STUDY_MM, _PLACE_MM, _PLACE_REACH_MM = 2.0, (1.0, 8.0), 15.0
_RULE = SeverityRule()
_BOOTSTRAP = 10_000


@dataclass(frozen=True, eq=False)
class Case:
    """A study as a predictor sees it, beside the truth.

    Args:
        name: of the phantom; draws of one phantom share it.
        predicted, true: counts of the masks, (S, sides, labels), of `chestct.severity.involvement`.
        entropy: (S,) summed over the pixels of each slice.
        may_be_lesion: (S,) whether the model expects any lesion in it.
        doubt: before any correction; doubt_percent: of the deciding percent, in points.
    """

    name: str
    predicted: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    entropy: Floats
    may_be_lesion: npt.NDArray[np.bool_]
    uncertainty: UndecidedStudy
    uncertainty_percent: float

    @property
    def grade(self) -> SeverityGrade:
        return _RULE.grade_of(_worse_percent(self.true))

    def after(self, corrected: Sequence[int]) -> UndecidedStudy:
        """What is known once those slices are corrected."""
        mixed, known = self.predicted.copy(), np.full(len(self.true), np.nan)
        at = list(corrected)
        mixed[at] = self.true[at]
        known[at] = _lesion(self.true)[at]
        return replace(self.uncertainty, percent=_worse_percent(mixed), known=known)

    def right(self, after: UndecidedStudy) -> bool:
        return _RULE.grade_of(after.percent) == self.grade


def by_decision(case: Case, rng: np.random.Generator) -> Iterator[int]:
    done: list[int] = []
    while len(done) < len(case.true):
        after = case.after(done)
        done.append(int(np.argmax(np.where(after.is_open, grade_chances(after), -1.0))))
        yield done[-1]


def by_entropy(case: Case, rng: np.random.Generator) -> Iterator[int]:
    yield from (int(at) for at in np.argsort(-case.entropy, kind="stable"))


def by_chance_in_foreground(case: Case, rng: np.random.Generator) -> Iterator[int]:
    drawn = rng.permutation(len(case.true))
    yield from (int(at) for at in (*drawn[case.may_be_lesion[drawn]], *drawn[~case.may_be_lesion[drawn]]))


def by_chance(case: Case, rng: np.random.Generator) -> Iterator[int]:
    yield from (int(at) for at in rng.permutation(len(case.true)))


_ORDERS: dict[str, Order] = {
    "decision": by_decision,
    "entropy": by_entropy,
    "foreground-random": by_chance_in_foreground,
    "random": by_chance,
}
_BASELINES = tuple(name for name in _ORDERS if name != "decision")


def main() -> None:
    rng = np.random.default_rng(5)
    near = [_near_a_border(number, rng) for number in range(_STUDIES)]
    calibration = _calibration(rng)
    cases = [_simulated(phantom, calibration, rng) for phantom in near for _ in range(_DRAWS)]
    measurements = _of_single_studies("simulated", cases)
    far = [
        phantom_study(900 + number, shape=_SHAPE, involvement=tuple(rng.uniform(0.02, 0.9, 2)))
        for number in range(_FAR)
    ]
    pool = (*near[:_NEAR_IN_POOL], *far)
    measurements += _of_a_pool(
        [[_simulated(phantom, calibration, rng) for phantom in pool] for _ in range(_POOL_DRAWS)]
    )
    weights_dir = Path(__file__).parents[1] / "weights"
    segmenter = UNetSegmenter.load(weights_dir, newest_base(weights_dir))
    measurements += _of_single_studies(
        segmenter.version, [_seen(one, segmenter) for one in near[:_NETWORK_STUDIES]]
    )
    write("settle_grade", measurements)


def _near_a_border(number: int, rng: np.random.Generator) -> Phantom:
    worse = _BORDERS_PERCENT[number % 3] + rng.uniform(-_NEAR_PERCENT, _NEAR_PERCENT)
    other = worse * rng.uniform(0.35, 0.9)
    shares = (worse, other) if rng.random() < 0.5 else (other, worse)
    return phantom_study(500 + number, shape=_SHAPE, involvement=(shares[0] / 100, shares[1] / 100))


def _calibration(rng: np.random.Generator) -> InvolvementCalibration:
    """Of the simulated predictor, on phantoms that are asked nothing else."""
    rows = []
    for number in range(_HELD_OUT):
        phantom = phantom_study(700 + number, shape=_SHAPE, involvement=tuple(rng.uniform(0.02, 0.9, 2)))
        cases = [_simulated(phantom, None, rng) for _ in range(_DRAWS)]
        rows += [
            HeldOutStudy(
                case.name, case.uncertainty.percent, case.uncertainty_percent, _worse_percent(case.true)
            )
            for case in cases
        ]
    return involvement_calibration(rows)


def _simulated(
    phantom: Phantom, calibration: InvolvementCalibration | None, rng: np.random.Generator
) -> Case:
    """A predictor that sees every edge off by a distance of the study and one of the place."""
    lung = phantom.label_map != Label.BACKGROUND
    spacing_mm = phantom.geometry.spacing_mm
    # Some levels of the chest are harder than others, smoothly.
    hard = ndimage.gaussian_filter1d(rng.standard_normal(len(lung)), 2.0)
    place_mm = np.interp(hard, (hard.min(), hard.max()), _PLACE_MM)[:, None, None]
    places = ndimage.gaussian_filter(
        rng.standard_normal(lung.shape), [_PLACE_REACH_MM / one for one in spacing_mm]
    )
    wrong_mm = rng.normal(0.0, _STUDY_MM) + places / places.std() * place_mm
    seen_mm = _outside_mm(phantom, rng) + wrong_mm
    lesion = special.ndtr(-seen_mm / np.hypot(_STUDY_MM, place_mm)) * lung
    probabilities = np.zeros((len(lung), len(Label), *lung.shape[1:]), dtype=np.float32)
    probabilities[:, Label.GROUND_GLASS] = lesion
    probabilities[:, Label.LUNG] = lung - lesion
    probabilities[:, Label.BACKGROUND] = ~lung
    return _case(
        phantom,
        np.stack([most_probable(one) for one in probabilities]),
        np.array([lesion_sums(one) for one in probabilities]),
        np.array([normalised_entropy(one).sum() for one in probabilities], dtype=np.float64),
        calibration,
    )


def _outside_mm(phantom: Phantom, rng: np.random.Generator) -> Floats:
    """Distance to the edge of the nearest lesion, negative inside; spread over the width of a pixel."""
    lesion, spacing_mm = np.isin(phantom.label_map, LESIONS), phantom.geometry.spacing_mm
    outside = np.asarray(ndimage.distance_transform_edt(~lesion, sampling=spacing_mm))
    inside = np.asarray(ndimage.distance_transform_edt(lesion, sampling=spacing_mm))
    half_pixel = spacing_mm[1] / 2
    signed = np.where(lesion, half_pixel - inside, outside - half_pixel)
    return signed + rng.uniform(-half_pixel, half_pixel, signed.shape)


def _seen(phantom: Phantom, segmenter: UNetSegmenter) -> Case:
    """What the shipped weights make of a phantom."""
    study = phantom.study
    found = segmenter.segment_study(study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm)
    return _case(
        phantom,
        np.stack([one.label_map for one in found]),
        np.array([(one.lesion_expected, one.lesion_deviation) for one in found], dtype=np.float64),
        np.array([one.entropy_mean * one.label_map.size for one in found]),
        segmenter.involvement_calibration,
    )


def _case(
    phantom: Phantom,
    label_maps: npt.NDArray[np.uint8],
    sums: Floats,
    entropy: Floats,
    calibration: InvolvementCalibration | None,
) -> Case:
    apart_mm = phantom.geometry.spacing_mm[0]
    predicted, true = _counts(label_maps, phantom), _counts(phantom.label_map, phantom)
    undecided = UndecidedStudy(
        percent=_worse_percent(predicted),
        predicted=_lesion(predicted),
        expected=sums[:, 0],
        deviation=sums[:, 1],
        lung=predicted.sum(axis=(1, 2)) - predicted[:, :, Label.BACKGROUND].sum(axis=1).astype(np.float64),
        known=np.full(len(label_maps), np.nan),
        slices_apart_mm=apart_mm,
        calibration=calibration,
    )
    uncertainty_percent = involvement_uncertainty_percent(
        label_maps, list(sums[:, 0]), list(sums[:, 1]), apart_mm
    )
    return Case(
        phantom.study.name, predicted, true, entropy, sums[:, 0] > 0.0, undecided, uncertainty_percent
    )


def _counts(label_maps: npt.NDArray[np.uint8], phantom: Phantom) -> npt.NDArray[np.int64]:
    """Pixels of each slice by side and label; a mix of masks is a mix of these rows."""
    return Involvement.of(label_maps, phantom.geometry.spacing_mm, np.ones(len(label_maps))).counts


def _lesion(counts: npt.NDArray[np.int64]) -> Floats:
    return counts[:, :, list(LESIONS)].sum(axis=(1, 2)).astype(np.float64)


def _worse_percent(counts: npt.NDArray[np.int64]) -> float:
    found = Involvement(counts, np.ones(len(counts)))
    return max(found.percent(side) or 0.0 for side in Side)


@dataclass(frozen=True)
class Count:
    """Corrections until (a) the interval names the true grade alone, (b) the masks give it for good.

    Args:
        first_named_right: whether the first grade that stood alone in the interval was the true one.
    """

    settled: int
    right: int
    first_named_right: bool


def _count(case: Case, order: Sequence[int]) -> Count:
    states = [case.after(order[:corrected]) for corrected in range(len(order) + 1)]
    named = [_RULE.grades_touched(*interval_percent(state)) for state in states]
    wrong = [at for at, state in enumerate(states) if not case.right(state)]
    alone = next(grades for grades in named if len(grades) == 1)
    return Count(named.index((case.grade,)), wrong[-1] + 1 if wrong else 0, alone == (case.grade,))


def _of_single_studies(predictor: str, cases: Sequence[Case]) -> list[Measurement]:
    rng = np.random.default_rng(11)
    counts = {
        name: [_count(case, list(order(case, rng))) for case in cases] for name, order in _ORDERS.items()
    }
    names = [case.name for case in cases]
    measurements = []
    for told, kind in (
        ("settled", "the interval names the true grade alone"),
        ("right", "the masks give it"),
    ):
        by_study = {
            name: _mean_by_study(names, [getattr(one, told) for one in found])
            for name, found in counts.items()
        }
        for name, found in by_study.items():
            sys.stdout.write(f"{predictor}, until {kind}, {name}: {found.mean():.2f} slices\n")
        measurements += [_difference(predictor, kind, by_study, other) for other in _BASELINES]
    named_right = float(np.mean([one.first_named_right for one in counts["decision"]]))
    measurements.append(
        Measurement(
            f"{predictor}: rate at which the first grade that stands alone in the interval is the true one "
            "(decision)",
            named_right,
            f"of {len(cases)} studies",
            "stated 90 % for uncorrected studies" if predictor == "simulated" else "no calibration",
            "at least 0.9",
            named_right >= 0.9,
        )
    )
    return measurements


def _mean_by_study(names: Sequence[str], values: Sequence[float]) -> Floats:
    each = np.array(values, dtype=np.float64)
    return np.array([each[np.array(names) == name].mean() for name in dict.fromkeys(names)])


def _difference(predictor: str, kind: str, by_study: dict[str, Floats], other: str) -> Measurement:
    mine, theirs = by_study["decision"], by_study[other]
    rng = np.random.default_rng(13)
    drawn = (mine - theirs)[rng.integers(len(mine), size=(_BOOTSTRAP, len(mine)))].mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Measurement(
        f"{predictor}: slices to correct until {kind}, decision minus {other}",
        float((mine - theirs).mean()),
        f"slices of {_SHAPE[0]}, 95 % [{low:.2f}, {high:.2f}], {len(mine)} studies",
        f"{other} {theirs.mean():.2f}; decision {mine.mean():.2f}",
        "interval below 0",
        bool(high < 0.0),
    )


def _of_a_pool(draws: Sequence[Sequence[Case]]) -> list[Measurement]:
    """One list over many studies, each draw of errors in turn."""
    rng = np.random.default_rng(17)
    needed = {name: np.array([_pooled(cases, name, rng) for cases in draws]) for name in _ORDERS}
    total = len(draws[0]) * _SHAPE[0]
    measurements = []
    for column, kind in enumerate(("the interval names the true grade alone", "the masks give it")):
        mine = needed["decision"][:, column]
        for other in _BASELINES:
            theirs = needed[other][:, column]
            apart = mine - theirs
            measurements.append(
                Measurement(
                    f"pool of {len(draws[0])} simulated studies: slices until, in 9 of 10, {kind}, decision "
                    f"minus {other}",
                    float(apart.mean()),
                    f"slices of {total}, [{apart.min()}, {apart.max()}] over {len(draws)} draws",
                    f"{other} {theirs.mean():.0f}; decision {mine.mean():.0f}",
                    "fewer in every draw",
                    bool(apart.max() < 0),
                )
            )
    return measurements


def _pooled(cases: Sequence[Case], name: str, rng: np.random.Generator) -> tuple[int, int]:
    """Corrections over the whole pool until 9 of 10 studies are (a) settled, (b) right for good."""
    at_step: list[list[int]] = [[] for _ in cases]
    orders: list[list[int]] = [[] for _ in cases]
    for step, (study, at) in enumerate(_pool_order(cases, name, rng), start=1):
        orders[study].append(at)
        at_step[study].append(step)
    counts = [_count(case, order) for case, order in zip(cases, orders, strict=True)]
    rank = int(np.ceil(0.9 * len(cases))) - 1

    def reached(told: Sequence[int]) -> int:
        steps = [0 if not k else at_step[study][k - 1] for study, k in enumerate(told)]
        return sorted(steps)[rank]

    return reached([one.settled for one in counts]), reached([one.right for one in counts])


def _pool_order(cases: Sequence[Case], name: str, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    slices = [(study, at) for study, case in enumerate(cases) for at in range(len(case.true))]
    if name == "entropy":
        yield from sorted(slices, key=lambda one: -cases[one[0]].entropy[one[1]])
    elif name == "decision":
        yield from _pool_by_decision(cases)
    else:
        drawn = [slices[at] for at in rng.permutation(len(slices))]
        if name == "foreground-random":
            drawn.sort(key=lambda one: not cases[one[0]].may_be_lesion[one[1]])
        yield from drawn


def _pool_by_decision(cases: Sequence[Case]) -> Iterator[tuple[int, int]]:
    done: list[list[int]] = [[] for _ in cases]

    def chances(study: int) -> Floats:
        after = cases[study].after(done[study])
        return np.where(after.is_open, grade_chances(after), -1.0)

    known = [chances(study) for study in range(len(cases))]
    for _ in range(sum(len(case.true) for case in cases)):
        study = int(np.argmax([one.max() for one in known]))
        at = int(np.argmax(known[study]))
        done[study].append(at)
        yield study, at
        known[study] = chances(study)


if __name__ == "__main__":
    main()

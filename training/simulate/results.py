"""A simulation's figures: curves, areas under them, and each strategy against the baseline."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import TrainingDataError
from training.simulate.plan import BASELINE, Cell, read_plan
from training.simulate.records import Records, RoundRecord
from training.simulate.statistics import area, holm, patient_weights, sign_flip_p, two_way_interval

Values = npt.NDArray[np.float64]
# What is compared, and what it is called.
OUTCOMES = {
    "area_over_slices": "mean lesion Dice over labelled slices",
    "area_over_pixels": "mean lesion Dice over corrected pixels",
    "last_round": "lesion Dice after the last round",
}
_LEVEL = 0.05
# Patients of one seed share its networks: of one or two seeds, luck of the fits cannot be told from a gain.
_FEWEST_SEEDS = 3
_PAIRS = "seeds x test patients; each source of test patients weighs the same, then each patient"


@dataclass(frozen=True, eq=False)
class Curve:
    """One cell.

    Args:
        slices: (R,) labelled by then.
        pixels: (R,) corrected by then, those of the first set not counted.
        dice: (R, patients) lesion Dice.
    """

    slices: list[float]
    pixels: list[float]
    dice: Values


def gathered(folder: Path) -> dict[str, Any]:
    """All that a simulation's folder says so far, JSON-ready.

    Returns:
        `plan`; `complete`; `seeds` that every strategy has finished (others are left out); `test` (patients
        and sources); `strategies`: name -> `curves` of each seed, `mean` curve, and its figures;
        `comparisons`: outcome -> strategy -> `difference` from the `baseline`, its 95 % `interval`, `p` and
        `p_adjusted`; `findings`: what that comes to, in sentences.
    Raises:
        TrainingDataError: no seed is finished for every strategy.
        InputError: the plan or a round is missing or damaged.
    """
    plan, records = read_plan(folder), Records(folder)
    rounds = {cell: records.rounds(cell, plan) for cell in plan.cells()}
    whole = plan.rounds + 1
    seeds = [
        seed
        for seed in range(plan.seeds)
        if all(len(rounds[Cell(name, seed)]) == whole for name in plan.strategies)
    ]
    if not seeds:
        raise TrainingDataError(f"{folder} has no seed that every strategy has finished; let it go on")
    scores = rounds[Cell(BASELINE, seeds[0])][0].scores
    sources = [score.source for score in scores.values()]
    weights = patient_weights(sources)
    curves = {
        name: [_curve(rounds[Cell(name, seed)], list(scores)) for seed in seeds] for name in plan.strategies
    }
    comparisons = _comparisons(curves, sources, weights)
    return {
        # Where the data lies is nobody's business who reads the report.
        "plan": asdict(plan) | {"data": [Path(folder).name for folder in plan.data]},
        "complete": len(seeds) == plan.seeds,
        "fits": {"done": records.finished(plan), "all": plan.fits},
        "seeds": seeds,
        "test": {"patients": dict(zip(scores, sources, strict=True))},
        "pairs": _PAIRS,
        "baseline": BASELINE,
        "outcomes": OUTCOMES,
        "strategies": {
            name: _figures(own, weights, [rounds[Cell(name, seed)] for seed in seeds])
            for name, own in curves.items()
        },
        "comparisons": comparisons,
        "findings": [_finding(outcome, compared) for outcome, compared in comparisons.items() if compared],
    }


def _curve(rounds: Sequence[RoundRecord], patients: Sequence[str]) -> Curve:
    added = [len(record.added) for record in rounds]
    pixels = [0, *(sum(record.added_pixels) for record in rounds[1:])]
    return Curve(
        slices=np.cumsum(added).astype(float).tolist(),
        pixels=np.cumsum(pixels).astype(float).tolist(),
        dice=np.array([[record.scores[patient].lesion_dice for patient in patients] for record in rounds]),
    )


def _comparisons(
    curves: Mapping[str, Sequence[Curve]], sources: Sequence[str], weights: Values
) -> dict[str, dict[str, dict[str, Any]]]:
    compared: dict[str, dict[str, dict[str, Any]]] = {}
    for outcome in OUTCOMES:
        values = _outcome_values(curves, outcome)
        differences = {name: own - values[BASELINE] for name, own in values.items() if name != BASELINE}
        p_values = [sign_flip_p(difference, weights) for difference in differences.values()]
        compared[outcome] = {
            name: {
                "difference": _mean(difference @ weights),
                "baseline": _mean(values[BASELINE] @ weights),
                "interval": _rounded(two_way_interval(difference, sources)),
                "p": round(p, 5),
                "p_adjusted": round(adjusted, 5),
                "by_seed": _rounded(difference @ weights),
                "by_source": {
                    source: _mean(difference[:, np.array(sources) == source])
                    for source in sorted(set(sources))
                },
            }
            for (name, difference), p, adjusted in zip(
                differences.items(), p_values, holm(p_values), strict=True
            )
        }
    return compared


def _outcome_values(curves: Mapping[str, Sequence[Curve]], outcome: str) -> dict[str, Values]:
    """Strategy -> (seeds, patients) values of one of OUTCOMES.

    Areas over pixels run, at each seed, as far as the strategy that corrected the fewest pixels came.
    """
    if outcome == "last_round":
        return {name: np.array([curve.dice[-1] for curve in own]) for name, own in curves.items()}

    def along(curve: Curve) -> list[float]:
        return curve.slices if outcome == "area_over_slices" else curve.pixels

    def areas(curve: Curve, end: float) -> list[float]:
        return [area(along(curve), heights.tolist(), along(curve)[0], end) for heights in curve.dice.T]

    ends = [min(along(curve)[-1] for curve in of_seed) for of_seed in zip(*curves.values(), strict=True)]
    return {name: np.array(list(map(areas, own, ends))) for name, own in curves.items()}


def _figures(
    curves: Sequence[Curve], weights: Values, rounds: Sequence[Sequence[RoundRecord]]
) -> dict[str, Any]:
    means = np.array([curve.dice @ weights for curve in curves])
    last = [score for own in rounds for score in own[-1].scores.values()]
    by_source: dict[str, list[float]] = defaultdict(list)
    for score in last:
        by_source[score.source].append(score.lesion_dice)
    areas = [
        area(curve.slices, mean, curve.slices[0], curve.slices[-1])
        for curve, mean in zip(curves, means.tolist(), strict=True)
    ]
    return {
        "curves": [
            {"slices": curve.slices, "pixels": curve.pixels, "lesion_dice": _rounded(mean)}
            for curve, mean in zip(curves, means, strict=True)
        ],
        "mean": _rounded(means.mean(axis=0)),
        "lowest": _rounded(means.min(axis=0)),
        "highest": _rounded(means.max(axis=0)),
        "area_over_slices": _mean(areas),
        "last_round": {
            "lesion_dice": _mean(means[:, -1]),
            "by_source": {source: _mean(values) for source, values in sorted(by_source.items())},
            "ground_glass_dice": _mean_known(score.ground_glass_dice for score in last),
            "consolidation_dice": _mean_known(score.consolidation_dice for score in last),
        },
        "corrected_pixels": round(float(np.mean([curve.pixels[-1] for curve in curves])), 1),
        "seconds": round(sum(record.seconds for own in rounds for record in own[1:]), 1),
    }


def _mean(values: Sequence[float] | Values) -> float:
    return round(float(np.mean(values)), 4)


def _mean_known(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return _mean(numbers) if numbers else None


def is_shown(compared: Mapping[str, Any], *, better: bool) -> bool:
    """Whether a gain (or a loss) is shown: three seeds, an adjusted p under 0.05, an interval without 0."""
    low, high = compared["interval"]
    enough = len(compared["by_seed"]) >= _FEWEST_SEEDS
    return bool(enough and compared["p_adjusted"] < _LEVEL and (low > 0 if better else high < 0))


def _finding(outcome: str, compared: Mapping[str, Mapping[str, Any]]) -> str:
    """Which strategies the evidence puts above or below the baseline, in one sentence."""
    seeds = min((len(strategy["by_seed"]) for strategy in compared.values()), default=0)
    if seeds < _FEWEST_SEEDS:
        return f"By {OUTCOMES[outcome]}: {seeds} seeds are too few to say; let {_FEWEST_SEEDS} finish."
    above = [name for name, strategy in compared.items() if is_shown(strategy, better=True)]
    below = [name for name, strategy in compared.items() if is_shown(strategy, better=False)]
    findings = [f"{', '.join(above)} above {BASELINE}" if above else f"nothing beats {BASELINE}"]
    if below:
        findings.append(f"{', '.join(below)} below it")
    return f"By {OUTCOMES[outcome]}: {'; '.join(findings)}."


def _rounded(values: Sequence[float] | Values) -> list[float]:
    return [round(float(value), 4) for value in values]

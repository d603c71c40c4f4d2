"""Is the rest of the corrected studies better served? Shown by corrected slices kept from the fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import TrainingDataError
from training.retraining.gate_evidence import SlicePair
from training.retraining.gate_rules import (
    CHANCE_OF_HARM,
    KINDS,
    LARGEST_CLASS_LOSS,
    Field,
    Finding,
    finite,
)
from training.retraining.gate_statistics import (
    MARGIN,
    WORSE_PROMOTED,
    MeanChange,
    change_of_slices,
    needed_difference,
    neighbour_correlation,
)

# Fewer have no spread to speak of.
FEWEST_SLICES = 5
# More corrections than so many times those at hand are not promised to decide anything.
_MANY_TIMES = 8


@dataclass(frozen=True, eq=False)
class SliceChanges:
    """A figure of champion and challenger over slices, with weights.

    Args:
        studies: (slices) names.
        before, after: (slices,) champion and challenger.
        weights: (slices,) in (0, 1].
        change: the weighted mean difference.
    """

    studies: list[str]
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    change: MeanChange


def open_studies_finding(slices: Sequence[SlicePair]) -> tuple[Finding, list[str]]:
    """Whether the gain on held-back slices is shown, and the harm that refuses it, a sentence each."""
    _refuse_twice(slices)
    seen = [pair for pair in slices if _lesion_pixels(pair)]
    # Where the reader drew no lesion a version that finds less is "better", whatever it has unlearned: a
    # reader who marks nothing would prove a gain. Such slices can refuse, and prove nothing.
    proving = [pair for pair in seen if pair.champion.has_lesion]
    figures: dict[str, Any] = {
        "evidence": "crossed corrections",
        "studies": len({pair.study for pair in proving}),
        "slices": len(proving),
        "slices_without_lesion": len(slices) - len(proving),
    }
    if len(proving) < FEWEST_SLICES:
        missing = FEWEST_SLICES - len(proving)
        nothing = dict.fromkeys(("champion", "challenger", "difference", "interval", "bound", "needed"))
        sentence = (
            f"{len(proving)} held-back corrected slices with a lesion are too few, {FEWEST_SLICES} at least: "
            f"correct {missing} more"
        )
        return Finding(False, sentence, {**figures, **nothing, "more_slices": missing}), _harm(seen)
    measured = changes_of(proving, lambda score: score.lesion_dice)
    change, weights = measured.change, measured.weights / measured.weights.sum()
    needed = needed_difference(change)
    before, after = float(weights @ measured.before), float(weights @ measured.after)
    more = _more_slices(change, len(proving))
    figures |= {
        "champion": round(before, 6),
        "challenger": round(after, 6),
        "difference": round(change.difference, 6),
        "interval": change.interval(),
        "bound": finite(change.lower(WORSE_PROMOTED)),
        "needed": finite(needed),
        "more_slices": more,
    }
    low, high = change.interval() or (float("-inf"), float("inf"))
    sentence = (
        f"on {len(proving)} held-back corrected slices of {figures['studies']} studies lesion Dice goes from "
        f"{before:.3f} to {after:.3f}, {change.difference:+.3f} (95 % interval {low:+.3f} to {high:+.3f}); "
        f"{needed:+.3f} was needed"
    )
    if more:
        sentence += f"; with about {more} more corrected slices such a gain would be shown"
    return Finding(change.difference >= needed, sentence, figures), _harm(seen)


def is_worse(figures: dict[str, Any]) -> bool:
    """Whether the held-back slices show a loss: the whole interval lies below 0."""
    interval = figures.get("interval")
    return interval is not None and interval[1] < 0.0


def changes_of(slices: Sequence[SlicePair], field: Field) -> SliceChanges:
    """A figure over the slices for which both sides have it."""
    rows = [
        (pair, before, after)
        for pair in slices
        if (before := field(pair.champion)) is not None and (after := field(pair.challenger)) is not None
    ]
    weights = lesion_weights(np.array([max(1, _lesion_pixels(pair)) for pair, _, _ in rows], np.float64))
    before = np.array([row[1] for row in rows], dtype=np.float64)
    after = np.array([row[2] for row in rows], dtype=np.float64)
    studies = [pair.study for pair, _, _ in rows]
    indices = np.array([pair.index for pair, _, _ in rows], dtype=np.int64)
    change = change_of_slices(after - before, weights, neighbour_correlation(studies, indices))
    return SliceChanges(studies, before, after, weights, change)


def lesion_weights(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A slice counts as its lesion does, up to the median one.

    Dice of a few pixels is mostly luck, and a few large lesions should not decide alone.

    Args:
        pixels: (slices,) of lesion, above 0.
    Returns:
        (slices,) in (0, 1].
    """
    return np.minimum(1.0, pixels / np.median(pixels)) if len(pixels) else pixels


def _harm(slices: Sequence[SlicePair]) -> list[str]:
    sentences = []
    for name, field in (*KINDS.items(), ("lung", lambda score: score.lung_dice)):
        change = changes_of(slices, field).change
        if change.difference < -LARGEST_CLASS_LOSS and change.upper(CHANCE_OF_HARM) < 0.0:
            sentences.append(f"on the held-back slices {name} loses {change.difference:+.3f} Dice")
    studies = sorted({pair.study for pair in slices})
    for study in studies:
        own = [pair for pair in slices if pair.study == study]
        change = changes_of(own, lambda score: score.lesion_dice).change
        if len(own) >= FEWEST_SLICES and change.upper(WORSE_PROMOTED / len(studies)) < -MARGIN:
            sentences.append(f"{study} would be served worse: {change.difference:+.3f} lesion Dice")
    return sentences


def _more_slices(change: MeanChange, slices: int) -> int:
    """About how many more slices would show the gain that was seen; 0 where it is shown or never would be."""
    for more in range(0, _MANY_TIMES * slices + 1, 5):
        times = 1.0 + more / slices
        error = change.standard_error / times**0.5
        if change.difference >= needed_difference(MeanChange(0.0, error, change.freedom * times)):
            return more
    return 0


def _lesion_pixels(pair: SlicePair) -> int:
    """Of the reader or of either model, whichever sees most."""
    return max(
        pair.champion.true_lesion_pixels,
        pair.champion.predicted_lesion_pixels,
        pair.challenger.predicted_lesion_pixels,
    )


def _refuse_twice(slices: Sequence[SlicePair]) -> None:
    places = [(pair.study, pair.index) for pair in slices]
    if len(set(places)) < len(places):
        study, index = next(place for place in places if places.count(place) > 1)
        raise TrainingDataError(f"{study} slice {index} was scored twice; each held-back slice counts once")

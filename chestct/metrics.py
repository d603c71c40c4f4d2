"""Overlap from counts of pixels, and intervals by patient. Counts first, any ratio after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.candidates import UNKNOWN, membership
from chestct.labels import Label


@dataclass(frozen=True)
class Counts:
    """Pixels of one class (or group of classes), prediction against truth; add them to pool."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
        )

    def dice(self) -> float | None:
        """2 TP / (2 TP + FP + FN) in [0, 1]; None where neither side shows the class."""
        pixels = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / pixels if pixels else None

    def iou(self) -> float | None:
        """TP / (TP + FP + FN) in [0, 1]; None where neither side shows the class."""
        pixels = self.true_positive + self.false_positive + self.false_negative
        return self.true_positive / pixels if pixels else None


def counts_of(
    label_map: npt.NDArray[np.uint8], candidates: npt.NDArray[np.uint8], group: tuple[Label, ...]
) -> Counts | None:
    """Counts of a group of classes over the pixels that somebody looked at.

    Args:
        label_map: (H, W) uint8, the prediction.
        candidates: (H, W) uint8, what is known, see `chestct.candidates`.
        group: the classes that count as one.
    Returns:
        None where the truth leaves the group open for a pixel that was looked at: a class that a
        source does not label has no score there.
    """
    inside, decided = membership(candidates, group)
    looked_at = candidates != UNKNOWN
    if not decided[looked_at].all() or not looked_at.any():
        return None
    predicted = np.isin(label_map, group)[looked_at]
    truth = inside[looked_at]
    return Counts(
        true_positive=int((predicted & truth).sum()),
        false_positive=int((predicted & ~truth).sum()),
        false_negative=int((~predicted & truth).sum()),
    )


def bootstrap_interval(
    values: Sequence[float], *, seed: int, level: float = 0.95, resamples: int = 10_000
) -> tuple[float, float]:
    """Percentile interval of the mean, resampling patients with replacement.

    Args:
        values: one figure per patient, at least one.
        level: share of the resamples inside the interval.
    Returns:
        Lower and upper end.
    """
    rng = np.random.default_rng(seed)
    drawn = np.asarray(values, dtype=np.float64)[rng.integers(len(values), size=(resamples, len(values)))]
    tail = (1 - level) / 2
    low, high = np.quantile(drawn.mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)

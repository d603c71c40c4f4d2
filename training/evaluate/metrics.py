"""Overlap from counts of pixels, and intervals by patient. Counts first, any ratio after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label
from chestct.partial_labels import truth_of

# What is scored as one class. "lung" is the whole lung, lesions included.
GROUPS: dict[str, tuple[Label, ...]] = {
    "lesion": LESIONS,
    "ground_glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "lung": (*LESIONS, Label.LUNG),
    "healthy_lung": (Label.LUNG,),
    "background": (Label.BACKGROUND,),
    "not_lesion": (Label.BACKGROUND, Label.LUNG),
}


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

    @property
    def true_pixels(self) -> int:
        """Pixels of the truth."""
        return self.true_positive + self.false_negative

    @property
    def predicted_pixels(self) -> int:
        """Pixels of the prediction."""
        return self.true_positive + self.false_positive

    @property
    def wrong_pixels(self) -> int:
        """Pixels that only one side shows."""
        return self.false_positive + self.false_negative

    def dice(self) -> float | None:
        """2 TP / (2 TP + FP + FN) in [0, 1]; None where neither side shows the class."""
        pixels = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / pixels if pixels else None

    def iou(self) -> float | None:
        """TP / (TP + FP + FN) in [0, 1]; None where neither side shows the class."""
        pixels = self.true_positive + self.false_positive + self.false_negative
        return self.true_positive / pixels if pixels else None


def counts_of(
    label_map: npt.NDArray[np.uint8], partial_labels: npt.NDArray[np.uint8], group: tuple[Label, ...]
) -> Counts | None:
    """Counts of a group of classes over the pixels that somebody looked at.

    Args:
        label_map: (H, W) uint8, the prediction.
        partial_labels: (H, W) uint8, what is known, see `chestct.partial_labels`.
        group: the classes that count as one.
    Returns:
        None where the truth leaves the group open for a pixel that was looked at: a class that a
        source does not label has no score there.
    """
    membership = truth_of(partial_labels, group)
    if membership is None:
        return None
    truth, looked_at = membership
    predicted = np.isin(label_map, group) & looked_at
    return Counts(
        true_positive=int((predicted & truth).sum()),
        false_positive=int((predicted & ~truth).sum()),
        false_negative=int((~predicted & truth).sum()),
    )


def mean_iou(iou: Mapping[str, float | None]) -> float | None:
    """Mean IoU over the finest classes that the labels tell apart, background included.

    Ground-glass and consolidation where their kinds are labelled, else lesion as one class; healthy
    lung and background where lungs are labelled, else "not lesion" as one class. So a source that
    labels everything has four classes (as the mIoU of the tool that this project grew out of),
    COVID-19-CT-Seg three, MedSeg three. Figures over different classes do not compare.

    Args:
        iou: of the groups of `GROUPS`; a group that the labels leave open is absent, one that
            neither side shows is None and does not count.
    Returns:
        In [0, 1]; None where nothing is left.
    """
    kinds = ("ground_glass", "consolidation")
    lungs = ("healthy_lung", "background")
    classes = (
        *(kinds if set(kinds) <= iou.keys() else ("lesion",)),
        *(lungs if set(lungs) <= iou.keys() else ("not_lesion",)),
    )
    values = [value for name in classes if (value := iou.get(name)) is not None]
    return sum(values) / len(values) if values else None


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

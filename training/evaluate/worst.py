"""The slices that a model gets most wrong, kept while the others pass by."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS
from chestct.partial_labels import truth_of
from training.data.dataset import TrainingSample
from training.evaluate.metrics import Counts

WORST_SLICES = 12


@dataclass(frozen=True, eq=False)
class WrongSlice:
    """One slice with both lesion masks.

    Args:
        patient, name: whose and which.
        dice: of the lesion, in [0, 1].
        counts: the lesion's pixels.
        image: (H, W) float32 in [0, 1], in the lung window.
        truth, predicted: (H, W) boolean, lesion of either kind.
    """

    patient: str
    name: str
    dice: float
    counts: Counts
    image: npt.NDArray[np.float32]
    truth: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]

    def as_row(self) -> dict[str, Any]:
        """JSON-ready, without the picture."""
        return {
            "patient": self.patient,
            "slice": self.name,
            "lesion_dice": round(self.dice, 4),
            "missed_pixels": self.counts.false_negative,
            "extra_pixels": self.counts.false_positive,
        }


class WorstSlices:
    """Keeps the `limit` slices with the lowest lesion Dice; of equal ones those with more wrong pixels.

    A slice where neither side sees a lesion is right, and is never kept.
    """

    def __init__(self, limit: int = WORST_SLICES) -> None:
        self._limit = limit
        # The best of the worst stands first, ready to give way. The number breaks ties: slices do
        # not compare.
        self._heap: list[tuple[float, int, int, WrongSlice]] = []
        self._passed = 0

    def add(
        self, sample: TrainingSample, label_map: npt.NDArray[np.uint8], counts: Mapping[str, Counts]
    ) -> None:
        """Looks at one slice; its arrays are kept only while it is among the worst."""
        self._passed += 1
        lesion = counts.get("lesion")
        membership = truth_of(sample.partial_labels, LESIONS)
        if lesion is None or membership is None or (dice := lesion.dice()) is None:
            return
        rank = (-dice, lesion.wrong_pixels, -self._passed)
        if len(self._heap) == self._limit and rank < self._heap[0][:3]:
            return
        truth, looked_at = membership
        predicted = np.isin(label_map, LESIONS) & looked_at
        wrong = WrongSlice(sample.patient, sample.name, dice, lesion, sample.image, truth, predicted)
        push = heapq.heappush if len(self._heap) < self._limit else heapq.heappushpop
        push(self._heap, (*rank, wrong))

    def worst_first(self) -> list[WrongSlice]:
        """What was kept, the lowest Dice first."""
        return [entry[-1] for entry in sorted(self._heap, reverse=True, key=lambda entry: entry[:3])]

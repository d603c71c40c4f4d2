"""A study's slices one after another: lungs found once for several, neighbours averaged, work around
the network beside it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from chestct.inference.lung_box import Box, between

# Each eighth slice has a low-resolution pass (64 mm apart at MosMed's 8 mm), fewer where slices are thin.
# Each fifth scored within the noise of it (docs/adr/0011).
_LOW_RESOLUTION_EVERY, _MOST_LOW_RESOLUTION_PASSES = 8, 16
# A lesion goes on in the slices beside it: their weight falls to nothing over this distance. 4 to 8 slices of
# held-out volumes about a millimetre apart all scored alike, less and more scored worse (docs/adr/0011).
_NEIGHBOURS_WITHIN_MM = 7.0
# Five slices on each side are 45 MB of probabilities at 512 x 512.
_MOST_NEIGHBOURS = 5

Prepared = TypeVar("Prepared")
Seen = TypeVar("Seen")
Finished = TypeVar("Finished")


def low_resolution_indices(count: int) -> list[int]:
    """The slices of a study with a low-resolution pass: evenly spread, first and last among them."""
    if count <= 1:
        return list(range(count))
    gaps = min(-(-(count - 1) // _LOW_RESOLUTION_EVERY), _MOST_LOW_RESOLUTION_PASSES - 1)
    return sorted({round(number * (count - 1) / gaps) for number in range(gaps + 1)})


def boxes_between(passes: dict[int, Box | None], count: int) -> list[Box | None]:
    """Each slice's box: its own where it has a low-resolution pass, else drawn in between its neighbours'.

    Tight boxes are worth more than safe ones (lesion Dice 0.733 against 0.727 for both neighbours'
    boxes together, see docs/adr/0011); the look notices where a box cuts the lungs.

    Args:
        passes: index -> box of each slice with a low-resolution pass, first and last among them.
        count: slices of the study, all of one size.
    """
    passed = sorted(passes)
    boxes: list[Box | None] = []
    for index in range(count):
        before = max(other for other in passed if other <= index)
        after = min(other for other in passed if other >= index)
        share = (index - before) / max(1, after - before)
        boxes.append(between(passes[before], passes[after], share))
    return boxes


def neighbour_weights(slices_apart_mm: float) -> tuple[float, ...]:
    """Weights of the first, second, ... slice on either side, beside 1 for the slice itself.

    Args:
        slices_apart_mm: above 0.
    Returns:
        In (0, 1), falling; empty where the nearest slice is too far away.
    """
    weights = (
        1.0 - step * slices_apart_mm / _NEIGHBOURS_WITHIN_MM for step in range(1, _MOST_NEIGHBOURS + 1)
    )
    return tuple(weight for weight in weights if weight > 0)


class Smoothing:
    """Probabilities averaged with those of the slices beside them, given one slice after another.

    Args:
        weights: of `neighbour_weights`. At an end of the stack the missing neighbours are left out.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = (1.0, *weights)
        self._held: deque[npt.NDArray[np.float32]] = deque(maxlen=2 * len(weights) + 1)
        self._pushed = self._smoothed = 0

    def push(self, coming: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """The next slice whose neighbours are all known; None where there is none yet.

        Args:
            coming: (4, H, W) of the next slice, all of one size.
        """
        self._held.append(coming)
        self._pushed += 1
        return self._next() if self._pushed - self._smoothed == len(self._weights) else None

    def rest(self) -> Iterator[npt.NDArray[np.float32]]:
        """The slices that still wait, once no more will come."""
        while self._smoothed < self._pushed:
            yield self._next()

    def _next(self) -> npt.NDArray[np.float32]:
        first = self._pushed - len(self._held)
        centre = self._smoothed - first
        self._smoothed += 1
        beside = [
            (self._weights[abs(at - centre)], probabilities)
            for at, probabilities in enumerate(self._held)
            if abs(at - centre) < len(self._weights)
        ]
        if len(beside) == 1:
            return self._held[centre]
        total = sum(weight for weight, _ in beside)
        mean = np.zeros_like(self._held[centre])
        for weight, probabilities in beside:
            mean += probabilities * np.float32(weight / total)
        return mean


def in_turn(
    count: int,
    prepare: Callable[[int], Prepared],
    look: Callable[[Prepared], Seen],
    finish: Callable[[Seen], Finished],
) -> Iterator[Finished]:
    """`finish(look(prepare(index)))` of each index in order.

    `look` runs in the caller's thread; meanwhile the next slice is prepared and the one before is
    finished, so at most three slices are held at a time.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="slices") as threads:
        coming = threads.submit(prepare, 0) if count else None
        finishing = None
        for index in range(count):
            assert coming is not None
            prepared = coming.result()
            coming = threads.submit(prepare, index + 1) if index + 1 < count else None
            seen = look(prepared)
            if finishing is not None:
                yield finishing.result()
            finishing = threads.submit(finish, seen)
        if finishing is not None:
            yield finishing.result()

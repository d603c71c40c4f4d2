"""A study's slices one after another: lungs found once for several, neighbours averaged, work around
the network beside it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from chestct.unet.lung_box import Box, between

# Each eighth slice is glanced at (64 mm apart at MosMed's 8 mm), fewer where slices are thin. Each fifth
# scored within the noise of it (docs/adr/0011).
_GLANCE_EVERY, _MOST_GLANCES = 8, 16
# A lesion goes on in the slices beside it. Measured on held-out patients (docs/adr/0011); farther apart
# than thick slices are, another part of the lung is seen.
_NEIGHBOUR_SHARE, _NEIGHBOURS_WITHIN_MM = 0.25, 6.0

Prepared = TypeVar("Prepared")
Seen = TypeVar("Seen")
Finished = TypeVar("Finished")


def glanced_at(count: int) -> list[int]:
    """Indices of the slices of a study that are glanced at: evenly spread, first and last among them."""
    if count <= 1:
        return list(range(count))
    gaps = min(-(-(count - 1) // _GLANCE_EVERY), _MOST_GLANCES - 1)
    return sorted({round(number * (count - 1) / gaps) for number in range(gaps + 1)})


def boxes_between(found: dict[int, Box | None], count: int) -> list[Box | None]:
    """Each slice's box: its own where it was glanced at, else drawn in between its neighbours'.

    Tight boxes are worth more than safe ones (lesion Dice 0.733 against 0.727 for both neighbours'
    boxes together, see docs/adr/0011); the look notices where a box cuts the lungs.

    Args:
        found: index -> box of each slice that was glanced at, first and last among them.
        count: slices of the study, all of one size.
    """
    known = sorted(found)
    boxes: list[Box | None] = []
    for index in range(count):
        before = max(one for one in known if one <= index)
        after = min(one for one in known if one >= index)
        share = (index - before) / max(1, after - before)
        boxes.append(between(found[before], found[after], share))
    return boxes


def neighbour_share(slices_apart_mm: float) -> float:
    """Weight of each of the two slices beside a slice, in [0, 1); 0 where they are too far away."""
    return _NEIGHBOUR_SHARE if slices_apart_mm <= _NEIGHBOURS_WITHIN_MM else 0.0


class Smoothing:
    """Probabilities averaged with those of the slices beside them, given one slice after another.

    Args:
        share: weight of each neighbour, in [0, 0.5); the slice itself has the rest. At an end of the
            stack the missing neighbour's weight is left out.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._before: npt.NDArray[np.float32] | None = None
        self._now: npt.NDArray[np.float32] | None = None

    def push(self, coming: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32] | None:
        """The slice before, now that what follows it is known; None where there is no slice before.

        Args:
            coming: (4, H, W) of the next slice, all of one size; None behind the last.
        """
        before, now = self._before, self._now
        self._before, self._now = now, coming
        beside = [one for one in (before, coming) if one is not None]
        if now is None or not self._share or not beside:
            return now
        own = 1.0 - 2.0 * self._share
        mean = now * (own / (own + self._share * len(beside)))
        for one in beside:
            mean += one * (self._share / (own + self._share * len(beside)))
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

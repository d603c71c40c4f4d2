"""Where the lungs are, so that the network can look at them alone.

A whole-body slice leaves a lung few of the network's pixels. The box comes from a low-resolution pass over
the slice itself or over its neighbours in a study, and the pass at the box checks it.
"""

import math

import numpy as np
import numpy.typing as npt

from chestct.labels import Label

Box = tuple[slice, slice]

# A row or column belongs to the lungs where so much of it is lung: stray pixels do not widen the box.
_LINE_FRACTION = 0.02
# Part of the lungs' height or width that is kept on each side.
_MARGIN = 0.08
# Hardly any lung: apex, abdomen.
_SMALLEST_LUNG = 0.03
# Lungs that fill the picture as they are need no view of their own.
_LARGEST_BOX = 0.8
# Where so much of a box's edge is lung, the box has cut the lungs.
_CUT_FRACTION = 0.1


def lung_box(probabilities: npt.NDArray[np.float32], shape: tuple[int, int]) -> Box | None:
    """Rows and columns of the lungs with a margin, or None where there is hardly any lung.

    Args:
        probabilities: (4, h, w) of a low-resolution pass, in the order of Label, at any size.
        shape: (H, W) of the slice that the box is for.
    """
    inside = probabilities[Label.BACKGROUND] < 0.5
    if inside.mean() < _SMALLEST_LUNG:
        return None
    rows = np.flatnonzero(inside.mean(axis=1) > _LINE_FRACTION)
    columns = np.flatnonzero(inside.mean(axis=0) > _LINE_FRACTION)
    if not len(rows) or not len(columns):
        return None
    height, width = inside.shape
    return _widened(rows, shape[0] / height, shape[0]), _widened(columns, shape[1] / width, shape[1])


def between(before: Box | None, after: Box | None, share: float) -> Box | None:
    """The box of a slice between two others: edges on the straight line from one to the other.

    Args:
        before, after: boxes in slices of one size; where one is missing, the other is taken.
        share: of the way from `before` to `after`, in [0, 1].
    """
    if before is None or after is None:
        return before or after
    return _between(before[0], after[0], share), _between(before[1], after[1], share)


def is_worth_a_look(box: Box, shape: tuple[int, int]) -> bool:
    """False where the box is nearly the whole (H, W) slice."""
    rows, columns = box
    return (rows.stop - rows.start) * (columns.stop - columns.start) < _LARGEST_BOX * shape[0] * shape[1]


def cuts_lung(probabilities: npt.NDArray[np.float32], box: Box, shape: tuple[int, int]) -> bool:
    """True where lung runs over an edge of the box that is not the slice's own edge.

    Args:
        probabilities: (4, h, w) of the pass at the box, at any size.
        box: in a slice of (H, W) `shape`.
    """
    inside = probabilities[Label.BACKGROUND] < 0.5
    rows, columns = box
    edges = (
        (rows.start > 0, inside[0]),
        (rows.stop < shape[0], inside[-1]),
        (columns.start > 0, inside[:, 0]),
        (columns.stop < shape[1], inside[:, -1]),
    )
    return any(within and edge.mean() > _CUT_FRACTION for within, edge in edges)


def _widened(lines: npt.NDArray[np.intp], scale: float, length: int) -> slice:
    """Lines of the low-resolution pass, with a margin, as lines of the slice, `scale` times as many."""
    first, last = int(lines[0]) * scale, (int(lines[-1]) + 1) * scale
    margin = _MARGIN * (last - first)
    return slice(max(0, int(first - margin)), min(length, int(last + margin)))


def _between(before: slice, after: slice, share: float) -> slice:
    start = before.start + share * (after.start - before.start)
    return slice(math.floor(start), math.ceil(before.stop + share * (after.stop - before.stop)))

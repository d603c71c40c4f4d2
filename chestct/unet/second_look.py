"""Where to look again: the lungs, once a first look at the whole slice has found them.

A whole-body slice leaves a lung few of the network's pixels. A second look at the lungs alone,
averaged with the first, raised lesion Dice by 0.03 on patients that the shipped weights were not
fitted on (see the model card), for twice the time.
"""

import numpy as np
import numpy.typing as npt

from chestct.labels import Label

# A row or column belongs to the lungs where so much of it is lung: stray pixels do not widen the box.
_LINE_FRACTION = 0.02
# Part of the lungs' height or width that is kept on each side.
_MARGIN = 0.08
# Hardly any lung (apex, abdomen), or lungs that fill the picture as they are: one look is enough.
_SMALLEST_LUNG, _LARGEST_BOX = 0.03, 0.8


def lung_box(probabilities: npt.NDArray[np.float32]) -> tuple[slice, slice] | None:
    """Rows and columns of the lungs with a margin, or None where a second look would not help.

    Args:
        probabilities: (4, H, W) of the first look, in the order of Label.
    """
    inside = probabilities[Label.BACKGROUND] < 0.5
    if inside.mean() < _SMALLEST_LUNG:
        return None
    height, width = inside.shape
    rows = np.flatnonzero(inside.mean(axis=1) > _LINE_FRACTION)
    columns = np.flatnonzero(inside.mean(axis=0) > _LINE_FRACTION)
    if not len(rows) or not len(columns):
        return None
    box = _widened(rows, height), _widened(columns, width)
    area = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
    return box if area < _LARGEST_BOX * height * width else None


def _widened(lines: npt.NDArray[np.intp], length: int) -> slice:
    first, last = int(lines[0]), int(lines[-1]) + 1
    margin = _MARGIN * (last - first)
    return slice(max(0, int(first - margin)), min(length, int(last + margin)))

"""Which lung is the left one: every lung voxel of a study gets its side."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Side(IntEnum):
    """Value of a voxel in a map of sides; 0 is outside the lungs."""

    RIGHT = 1
    LEFT = 2


def sides_of(lung: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.uint8]:
    """The side of each lung voxel.

    Args:
        lung: (S, H, W), lesions included, radiological view (the patient's right on the picture's left).
        spacing_mm: along (S, H, W).
    Returns:
        (S, H, W) uint8, values of Side, 0 outside the lungs.
    """
    middle = lung.shape[2] // 2
    halves = np.where(np.arange(lung.shape[2]) < middle, np.uint8(Side.RIGHT), np.uint8(Side.LEFT))
    return np.where(lung, halves, np.uint8(0))

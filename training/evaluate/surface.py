"""Normalised surface distance: how much of two outlines lies within a tolerance of each other.

Dice says little of a border in a large organ and too much of it in a speck; this says which part
of the border a reader would not have to move.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

# Distances are sums of squares in float64; a border exactly at the tolerance must count.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class SurfaceCounts:
    """Lengths of outlines, prediction's and truth's together; add them to pool slices.

    Args:
        within: length that lies within the tolerance of the other side's outline.
        total: length of both outlines.
    """

    within: float = 0.0
    total: float = 0.0

    def __add__(self, other: "SurfaceCounts") -> "SurfaceCounts":
        return SurfaceCounts(self.within + other.within, self.total + other.total)

    def dice(self) -> float | None:
        """Normalised surface distance in [0, 1]; None where neither side has an outline."""
        return self.within / self.total if self.total else None


def surface_counts(
    predicted: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.bool_],
    *,
    tolerance: float,
    spacing: tuple[float, float] = (1.0, 1.0),
    looked_at: npt.NDArray[np.bool_] | None = None,
) -> SurfaceCounts:
    """Outlines of a slice, in the slice's plane.

    Args:
        predicted, truth: (H, W) boolean.
        tolerance: largest distance that counts as the same place, in the unit of `spacing`.
        spacing: between rows and between columns, in mm; 1 measures in pixels.
        looked_at: (H, W) boolean; outlines that touch a pixel that nobody looked at do not count.
    Returns:
        Lengths in the unit of `spacing`. Where one side is empty, nothing of the other is within.
    Source: Nikolov et al. 2018, arXiv 1809.04430 (surface Dice at a tolerance), in its 2-D form:
        outline elements between the centres of 2 x 2 pixels, each weighted by its length.
    """
    if looked_at is not None:
        predicted, truth = predicted & looked_at, truth & looked_at
    box = _box(predicted | truth)
    if box is None:
        return SurfaceCounts()
    ours, theirs = outline(predicted[box], spacing), outline(truth[box], spacing)
    if looked_at is not None:
        seen = _surely_seen(looked_at[box])
        ours, theirs = ours * seen, theirs * seen
    within = _near(ours, theirs, tolerance, spacing) + _near(theirs, ours, tolerance, spacing)
    return SurfaceCounts(within, float(ours.sum() + theirs.sum()))


def outline(
    mask: npt.NDArray[np.bool_], spacing: tuple[float, float] = (1.0, 1.0)
) -> npt.NDArray[np.float64]:
    """Length of the outline at each corner between pixels (marching squares).

    Args:
        mask: (H, W) boolean; outside of the picture counts as outside of the mask.
    Returns:
        (H + 1, W + 1) float64, 0 away from the outline.
    """
    row_step, column_step = spacing
    corner = float(np.hypot(row_step / 2, column_step / 2))
    lengths = np.full(16, corner)  # one pixel of the four inside, or three
    lengths[[0b0000, 0b1111]] = 0.0
    lengths[[0b0011, 0b1100]] = column_step  # the upper or the lower pair
    lengths[[0b0101, 0b1010]] = row_step  # the left or the right pair
    lengths[[0b1001, 0b0110]] = 2 * corner  # opposite pixels: the outline passes twice
    padded = np.pad(mask, 1).astype(np.uint8)
    code = padded[:-1, :-1] | padded[:-1, 1:] << 1 | padded[1:, :-1] << 2 | padded[1:, 1:] << 3
    return lengths[code]


def _near(
    lengths: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
    tolerance: float,
    spacing: tuple[float, float],
) -> float:
    if not other.any():
        return 0.0
    distance = np.asarray(distance_transform_edt(other == 0, sampling=spacing))
    return float(lengths[distance <= tolerance + _ROUNDING].sum())


def _box(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The part of the picture that holds both masks: every distance is between outlines in it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _surely_seen(looked_at: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(looked_at, 1, constant_values=True)
    return padded[:-1, :-1] & padded[:-1, 1:] & padded[1:, :-1] & padded[1:, 1:]

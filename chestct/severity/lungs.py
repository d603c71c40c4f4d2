"""Which lung is the left one: every lung voxel of a study gets its side.

Where the lungs are apart, the two largest bodies that lie side by side are the lungs. Where they touch
(as at the junction in front of the great vessels), voxels near the surface are peeled off, millimetre by
millimetre, until two bodies side by side remain; what was peeled off goes back to the nearer one. A single
lung never falls into two that lie side by side, so it stays one; its side is where it lies in the picture.
See docs/adr/0012-lungs-and-interval.md.
"""

from enum import IntEnum
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]

# Sides are told on cells of about this size: fine enough for any lung, coarse enough for a second's work.
_CELL_MM = 2.5
# An axis keeps at least so many cells, so that pictures of few pixels are not made coarser.
_FEWEST_CELLS = 64
# Smaller bodies are windpipe and strays; a lung below 15 % of both does not decide anyway (our choice).
_SMALLEST_APART, _SMALLEST_PEELED = 0.05, 0.10
# Peeling may cut a lung into lobes; those of one lung lie closer, side by side, than two lungs do:
# an adult's centres are 120-160 mm apart, a small child's 60 mm (our estimate).
_LUNGS_APART_MM = 40.0
_PEEL_MM = 1.5
# Two lungs may reach past one another by this share of the narrower one, in front of the heart.
_OVERLAP = 0.25


class Side(IntEnum):
    """Value of a voxel in a map of sides; 0 is outside the lungs."""

    RIGHT = 1
    LEFT = 2


def sides_of(lung: Mask, spacing_mm: Spacing) -> npt.NDArray[np.uint8]:
    """The side of each lung voxel; windpipe and strays go with the nearer lung.

    A single lung (after a pneumonectomy) is the right one where half of it or more lies in the picture's
    left half: the patient is centred in the scanner, and no other landmark is in a lung mask.

    Args:
        lung: (S, H, W), lesions included, radiological view (the patient's right on the picture's left).
        spacing_mm: along (S, H, W).
    Returns:
        (S, H, W) uint8, values of Side, 0 outside the lungs.
    """
    sides = np.zeros(lung.shape, dtype=np.uint8)
    in_picture = lung.any(axis=0)
    if not in_picture.any():
        return sides
    # By axis: of the whole volume at once it takes sixty times as long.
    present = lung.any(axis=(1, 2)), np.any(in_picture, axis=1), np.any(in_picture, axis=0)
    box = tuple(ndimage.find_objects(along.view(np.uint8))[0][0] for along in present)
    inside = lung[box]
    steps = tuple(
        max(1, min(int(_CELL_MM / apart), length // _FEWEST_CELLS))
        for apart, length in zip(spacing_mm, lung.shape, strict=True)
    )
    cells = _cells(inside, steps)
    cell_mm = tuple(apart * step for apart, step in zip(spacing_mm, steps, strict=True))
    # Beyond the box is no lung, except where the stack ends: there the lung may go on.
    ends = (int(box[0].start > 0), int(box[0].stop < len(lung)))
    cell_sides = _sides_of_cells(np.pad(cells, (ends, (1, 1), (1, 1))), cell_mm)
    if cell_sides is None:
        by_column = np.cumsum(inside.sum(axis=(0, 1)))
        median_column = np.searchsorted(by_column, by_column[-1] / 2)
        middle = (lung.shape[2] - 1) / 2 - box[2].start
        sides[box][inside] = Side.RIGHT if median_column <= middle else Side.LEFT
        return sides
    cell_sides = cell_sides[ends[0] : len(cell_sides) - ends[1], 1:-1, 1:-1]
    for axis, step in enumerate(steps):
        if step > 1:
            cell_sides = np.repeat(cell_sides, step, axis)
    fitted = cell_sides[: inside.shape[0], : inside.shape[1], : inside.shape[2]]
    sides[box] = np.where(inside, fitted, np.uint8(0))
    return sides


def _cells(lung: Mask, steps: tuple[int, ...]) -> Mask:
    """Lung on a coarser grid: a cell is lung where all of it is, so lungs that are apart stay apart."""
    if max(steps) == 1:
        return lung
    missing = [(0, -length % step) for length, step in zip(lung.shape, steps, strict=True)]
    cells = np.pad(lung, missing)
    for axis, step in enumerate(steps):
        if step > 1:
            cells = np.logical_and.reduceat(cells, np.arange(0, cells.shape[axis], step), axis=axis)
    return cells if cells.any() else lung[tuple(slice(None, None, step) for step in steps)]


def _sides_of_cells(cells: Mask, cell_mm: tuple[float, ...]) -> npt.NDArray[np.uint8] | None:
    """A side for every cell, in the lung or not; None where there is one lung only."""
    depth = np.asarray(ndimage.distance_transform_edt(cells, sampling=cell_mm), dtype=np.float32)
    for peeled in np.arange(0.0, float(depth.max()), _PEEL_MM):
        sides = _side_by_side(depth > peeled, cell_mm, apart=peeled == 0.0)
        if sides is not None:
            break
    else:
        return None
    # Back outwards in steps: a voxel goes with the nearer lung along the way, not across a gap.
    for level in (peeled * 2 / 3, peeled / 3, 0.0) if peeled else ():
        sides = np.where(depth > level, _nearest(sides, cell_mm), np.uint8(0))
    return _nearest(sides, cell_mm)


def _side_by_side(bodies: Mask, cell_mm: tuple[float, ...], apart: bool) -> npt.NDArray[np.uint8] | None:
    """The two largest bodies that can be the right and the left lung, all else 0; None without such two."""
    labelled = np.empty(bodies.shape, dtype=np.int32)
    count = int(ndimage.label(bodies, output=labelled))  # pyright: ignore[reportArgumentType] (SciPy's types)
    if count < 2:
        return None
    sizes = np.bincount(labelled.ravel(), minlength=count + 1)[1:]
    smallest = (_SMALLEST_APART if apart else _SMALLEST_PEELED) * sizes.sum()
    large = [int(body) for body in np.argsort(-sizes) if sizes[body] >= smallest]
    spans = {body: _span(labelled == body + 1, cell_mm) for body in large}
    pairs = sorted(combinations(large, 2), key=lambda pair: -min(sizes[pair[0]], sizes[pair[1]]))
    for pair in pairs:
        right, left = sorted(pair, key=lambda body: spans[body][1][1])
        if _are_two_lungs(spans[right], spans[left], apart):
            is_right, is_left = labelled == right + 1, labelled == left + 1
            return (is_right * np.uint8(Side.RIGHT) + is_left * np.uint8(Side.LEFT)).astype(np.uint8)
    return None


_Span = tuple[float, tuple[float, float, float]]


def _span(body: Mask, cell_mm: tuple[float, ...]) -> _Span:
    """Mean row, and where 5, 50 and 95 % of a body lie from the picture's left, in mm."""
    by_row, by_column = body.sum(axis=(0, 2)), body.sum(axis=(0, 1))
    row = float(by_row @ np.arange(len(by_row)) / by_row.sum()) * cell_mm[1]
    below = np.cumsum(by_column) / by_column.sum()
    columns = np.searchsorted(below, [0.05, 0.5, 0.95]) * cell_mm[2]
    return row, (float(columns[0]), float(columns[1]), float(columns[2] + cell_mm[2]))


def _are_two_lungs(right: _Span, left: _Span, apart: bool) -> bool:
    (right_row, right_columns), (left_row, left_columns) = right, left
    between = left_columns[1] - right_columns[1]
    narrower = min(right_columns[2] - right_columns[0], left_columns[2] - left_columns[0])
    return (
        between > abs(left_row - right_row)
        and (apart or between >= _LUNGS_APART_MM)
        and right_columns[2] - left_columns[0] <= _OVERLAP * narrower
    )


def _nearest(sides: npt.NDArray[np.uint8], cell_mm: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """Every cell gets the side of the nearest cell that has one, in millimetres."""
    at = np.empty((sides.ndim, *sides.shape), dtype=np.int32)
    ndimage.distance_transform_edt(
        sides == 0, sampling=cell_mm, return_distances=False, return_indices=True, indices=at
    )
    return sides[tuple(at)]

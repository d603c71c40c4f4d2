"""Outlines of masks as polygons along the edges of pixels, so that nothing is lost.

A vertex is a pixel's corner: (x, y) with x to the right and y down, (0, 0) the picture's upper left
corner. A pixel in row r and column c covers x from c to c + 1 and y from r to r + 1.
"""

import numpy as np
import numpy.typing as npt

Corner = tuple[int, int]
# Steps along the grid in the order of right turns (y grows down).
_STEPS: tuple[Corner, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))


def outlines(mask: npt.NDArray[np.bool_]) -> list[list[Corner]]:
    """One polygon for each 4-connected part of a mask, its holes joined to it by seams.

    A hole is entered and left along the same line, a seam of no width: filled by either rule (even-odd or
    non-zero winding) the polygon covers exactly the part's pixels. Parts that touch at a corner only are
    apart.

    Args:
        mask: (H, W) boolean.
    Returns:
        Polygons without the repeated last corner, clockwise as seen on the picture, ordered by their
        uppermost row, then leftmost column.
    """
    loops = _loops(mask)
    # Clockwise around pixels: an outer loop has a positive area with y down, a hole a negative one.
    outer = [loop for loop in loops if _doubled_area(loop) > 0]
    holes = [loop for loop in loops if _doubled_area(loop) < 0]
    # The uppermost hole first: what its seam meets above is then whole already.
    for hole in sorted(holes, key=lambda loop: min((y, x) for x, y in loop)):
        _join(outer, hole)
    return [_without_straight_corners(loop) for loop in outer]


def _loops(mask: npt.NDArray[np.bool_]) -> list[list[Corner]]:
    """Closed walks around the mask with its pixels on the right hand, every corner of the grid kept."""
    leaving = _edges(mask)
    loops = []
    # From the top, so that a start lies at the top of its loop, where no two pixels touch at a corner.
    for start in sorted(leaving, key=lambda corner: (corner[1], corner[0])):
        if start not in leaving:
            continue
        corner, step = start, leaving[start][0]
        loop = []
        while True:
            loop.append(corner)
            ways = leaving[corner]
            # Where two pixels touch at a corner, the sharpest right turn stays on the same pixel.
            turns = [_STEPS[(_STEPS.index(step) + turn) % 4] for turn in (1, 0, 3)]
            step = next(turn for turn in turns if turn in ways) if len(loop) > 1 else ways[0]
            ways.remove(step)
            if not ways:
                del leaving[corner]
            corner = (corner[0] + step[0], corner[1] + step[1])
            if corner == start:
                break
        loops.append(loop)
    return loops


def _edges(mask: npt.NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Corner -> the steps that leave it along the mask's border, clockwise around its pixels."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    borders = (
        (inside & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # upper edge, walked to the right
        (inside & ~padded[1:-1, 2:], (1, 0), (0, 1)),  # right edge, down
        (inside & ~padded[2:, 1:-1], (1, 1), (-1, 0)),  # lower edge, to the left
        (inside & ~padded[1:-1, :-2], (0, 1), (0, -1)),  # left edge, up
    )
    leaving: dict[Corner, list[Corner]] = {}
    for border, (right, down), step in borders:
        rows, columns = np.nonzero(border)
        for x, y in zip((columns + right).tolist(), (rows + down).tolist(), strict=True):
            leaving.setdefault((x, y), []).append(step)
    return leaving


def _doubled_area(loop: list[Corner]) -> int:
    following = [*loop[1:], loop[0]]
    return sum(x * below - after * y for (x, y), (after, below) in zip(loop, following, strict=True))


def _join(outer: list[list[Corner]], hole: list[Corner]) -> None:
    """Puts a hole into the loop that it first meets straight above its uppermost corner."""
    top = min(range(len(hole)), key=lambda index: (hole[index][1], hole[index][0]))
    x, y = hole[top]
    _, owner, at = max(
        (corner[1], index, place)
        for index, loop in enumerate(outer)
        for place, corner in enumerate(loop)
        if corner[0] == x and corner[1] < y
    )
    turned = [*hole[top:], *hole[:top], hole[top]]
    loop = outer[owner]
    outer[owner] = [*loop[: at + 1], *turned, *loop[at:]]


def _without_straight_corners(loop: list[Corner]) -> list[Corner]:
    kept = []
    for index, (x, y) in enumerate(loop):
        before, after = loop[index - 1], loop[(index + 1) % len(loop)]
        goes_on = (x - before[0]) * (after[1] - y) == (y - before[1]) * (after[0] - x)
        # Turning back at the end of a seam is no straight line.
        back = (x - before[0]) * (after[0] - x) + (y - before[1]) * (after[1] - y) < 0
        if not goes_on or back:
            kept.append((x, y))
    return kept

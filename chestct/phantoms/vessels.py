"""Vessels of the lungs: trees that grow from the hila to random points of the lung.

Each new twig leaves the tree where the way is short and the tree is still near the hilum, which gives
acute branches; radii follow Murray's law (the cubes of the branches add up), as in people.
"""

import numpy as np
import numpy.typing as npt

_STEP_MM = 5.0
_TWIG_RADIUS_MM = 0.55
_MURRAY_EXPONENT = 2.8
# Twigs prefer to leave close to the hilum over leaving at the nearest point.
_DETOUR = 0.45

Points = npt.NDArray[np.floating]


def grow_tree(hilum_mm: Points, tips_mm: Points) -> tuple[Points, Points]:
    """A tree from the hilum that reaches every tip.

    Args:
        hilum_mm: (3,) z, y, x.
        tips_mm: (N, 3).
    Returns:
        (M, 6) segments, start and end in mm, and (M,) radii in mm.
    """
    order = np.argsort(np.linalg.norm(tips_mm - hilum_mm, axis=1))
    most = 1 + int(sum(np.linalg.norm(tips_mm - hilum_mm, axis=1) // _STEP_MM + 1))
    nodes = np.zeros((most, 3), dtype=np.float32)
    parents = np.full(most, -1, dtype=np.int64)
    from_hilum = np.zeros(most, dtype=np.float32)
    nodes[0], count = hilum_mm, 1
    for tip in tips_mm[order]:
        apart = np.linalg.norm(nodes[:count] - tip, axis=1)
        start = int(np.argmin(apart + _DETOUR * from_hilum[:count]))
        steps = max(1, min(int(apart[start] // _STEP_MM), most - count))
        if count + steps > most:
            break
        shares = np.arange(1, steps + 1, dtype=np.float32)[:, None] / steps
        nodes[count : count + steps] = nodes[start] + shares * (tip - nodes[start])
        parents[count : count + steps] = [start, *range(count, count + steps - 1)]
        from_hilum[count : count + steps] = from_hilum[start] + shares[:, 0] * apart[start]
        count += steps
    flow = np.zeros(count)
    flow[np.setdiff1d(np.arange(count), parents[:count])] = 1.0
    for node in range(count - 1, 0, -1):
        flow[parents[node]] += flow[node]
    segments = np.hstack([nodes[parents[1:count]], nodes[1:count]])
    return segments, (_TWIG_RADIUS_MM * flow[1:] ** (1.0 / _MURRAY_EXPONENT)).astype(np.float32)


def draw_tubes(
    segments_mm: Points,
    radii_mm: Points,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    slice_thickness_mm: float,
) -> npt.NDArray[np.float32]:
    """Share of each voxel filled by the tubes, (S, H, W) in [0, 1].

    Thin slices far apart, as in MosMedData: a tube shows only where it passes near a slice's plane.
    """
    share = np.zeros(shape, dtype=np.float32)
    points, radii = _along(segments_mm, radii_mm, spacing_mm[1] * 0.7)
    index = np.rint(points[:, 0] / spacing_mm[0]).astype(np.int64)
    off_plane = np.abs(points[:, 0] - index * spacing_mm[0]) - slice_thickness_mm / 2
    # A tube cut beside its middle shows a smaller disc.
    seen = np.sqrt(np.maximum(0.0, radii**2 - np.maximum(0.0, off_plane) ** 2))
    keep = (seen > 0.2) & (index >= 0) & (index < shape[0])
    points, seen, index = points[keep], seen[keep], index[keep]
    pixel = spacing_mm[1]
    for low in np.arange(0.0, seen.max(initial=0.0) + 1.0):
        members = (seen >= low) & (seen < low + 1.0)
        if not members.any():
            continue
        reach = int(np.ceil((low + 1.0) / pixel)) + 1
        offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        rows = points[members, 1, None] / pixel
        columns = points[members, 2, None] / pixel
        at_row = np.rint(rows).astype(np.int64) + offsets[0]
        at_column = np.rint(columns).astype(np.int64) + offsets[1]
        away = np.hypot(at_row - rows, at_column - columns) * pixel
        filled = np.clip(0.5 + (seen[members, None] - away) / pixel, 0.0, 1.0).astype(np.float32)
        inside = (
            (filled > 0) & (at_row >= 0) & (at_row < shape[1]) & (at_column >= 0) & (at_column < shape[2])
        )
        flat = (index[members, None] * shape[1] + at_row) * shape[2] + at_column
        np.maximum.at(share.reshape(-1), flat[inside], filled[inside])
    return share


def _along(segments: Points, radii: Points, step_mm: float) -> tuple[Points, Points]:
    """Points along all segments, `step_mm` apart, with the segment's radius."""
    lengths = np.linalg.norm(segments[:, 3:] - segments[:, :3], axis=1)
    counts = np.maximum(1, np.ceil(lengths / step_mm)).astype(np.int64)
    of = np.repeat(np.arange(len(segments)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    shares = ((within + 0.5) / counts[of])[:, None]
    return segments[of, :3] * (1 - shares) + segments[of, 3:] * shares, radii[of]

"""Where disease lies: ground-glass and consolidation of a wanted extent.

Findings of COVID-19 pneumonia are patches near the pleura, mostly posterior and basal. A smooth field
says how prone each voxel of a lung is; its quantile gives exactly the wanted share.
Source of the pattern: RSNA consensus on COVID-19 chest CT, "typical appearance".
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestct.phantoms.look import USUAL, Look, Range

Field = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Field:
    """Smooth noise of mean 0 and deviation 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    return (field - field.mean()) / (field.std() + 1e-6)


def _blobs(
    rng: np.random.Generator, lung: Mask, prone: Field, spacing_mm: Spacing, count: int, patch_mm: Range
) -> Field:
    """Ellipsoids centred where the lung is most prone."""
    weights = np.where(lung, np.exp(1.8 * prone), 0.0).ravel().astype(np.float64)
    centres = rng.choice(weights.size, count, p=weights / weights.sum())
    axes = [np.arange(length, dtype=np.float32) * spacing_mm[axis] for axis, length in enumerate(lung.shape)]
    field = np.zeros(lung.shape, dtype=np.float32)
    for centre in np.stack(np.unravel_index(centres, lung.shape), axis=1):
        radii = rng.uniform(*patch_mm) * rng.uniform(0.7, 1.3, 3)
        z, y, x = (((axes[k] - axes[k][centre[k]]) / np.float32(radii[k])) ** 2 for k in range(3))
        distance = z[:, None, None] + y[None, :, None] + x[None, None, :]
        field += np.float32(rng.uniform(0.7, 1.2)) * np.exp(-distance)
    return field


def lesion_levels(
    rng: np.random.Generator,
    lungs: tuple[Mask, Mask],
    spacing_mm: Spacing,
    involvement: tuple[float, float],
    consolidated: float,
    look: Look = USUAL,
) -> tuple[Field, Field]:
    """How far inside a lesion, and inside a consolidation, each voxel lies: above 0 is inside.

    Args:
        lungs: right and left lung, (S, H, W) booleans on a coarse grid.
        spacing_mm: of that grid, (S, H, W).
        involvement: wanted diseased share of the right and of the left lung, in [0, 1].
        consolidated: wanted share of the lesion that is consolidation, in [0, 1].
        look: where its patches lie and how large they are.
    Returns:
        (S, H, W) float32 fields of lesion and consolidation; everywhere below 0 where none is wanted.
    """
    shape = lungs[0].shape
    both = lungs[0] | lungs[1]
    depth = np.asarray(ndimage.distance_transform_edt(both, sampling=spacing_mm), dtype=np.float32)
    levels, rows = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    posterior = (rows / shape[1])[:, :, None]
    basal = (1.0 - levels / shape[0])[:, :, None]
    prone = look.pleural * np.exp(-depth / look.peripheral_mm) + 1.1 * posterior + 0.7 * basal
    smooth = tuple(9.0 / step for step in spacing_mm)
    rough = tuple(3.5 / step for step in spacing_mm)
    ragged = 0.10 * _noise(rng, shape, smooth) + 0.06 * _noise(rng, shape, rough)
    lesion = np.full(shape, -1.0, dtype=np.float32)
    dense = np.full(shape, -1.0, dtype=np.float32)
    for lung, share in zip(lungs, involvement, strict=True):
        if share <= 0.0 or not lung.any():
            continue
        fewest, more = look.patches
        count = fewest + int(more * share)
        field = _blobs(rng, lung, prone, spacing_mm, count, look.patch_mm) + 0.45 * prone + ragged
        # Voxels outside keep the field too, so that interpolated patches reach the pleura.
        side = ndimage.binary_dilation(lung, iterations=2)
        lesion[side] = (field - np.quantile(field[lung], 1.0 - share))[side]
        inside = lung & (lesion > 0)
        if consolidated > 0.0 and inside.any():
            core = field + 0.6 * posterior + 0.22 * _noise(rng, shape, smooth)
            dense[side] = (core - np.quantile(core[inside], 1.0 - consolidated))[side]
    return lesion, np.minimum(dense, lesion)

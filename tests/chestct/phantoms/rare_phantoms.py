"""Lungs that are hard to tell apart: touching ones, one alone, stacks that end inside them."""

import dataclasses

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.labels import Label
from chestct.phantoms.volume import Phantom, involvement_of
from chestct.severity.lungs import Side

# Healthy lung; fluid fills the space that a removed lung leaves.
_LUNG_HU, _FLUID_HU = -840, 15
# The lungs touch in front, above the heart (anterior junction): from here to here on the way to the head.
_TOUCHING_LEVELS = (0.58, 0.85)


def true_sides(phantom: Phantom) -> npt.NDArray[np.uint8]:
    """(S, H, W) uint8, the true `Side` of each lung voxel, 0 outside; the middle column parts them."""
    columns = np.arange(phantom.label_map.shape[2])
    halves = np.where(columns < len(columns) // 2, np.uint8(Side.RIGHT), np.uint8(Side.LEFT))
    return np.where(phantom.label_map != Label.BACKGROUND, halves, np.uint8(0))


def with_touching_lungs(phantom: Phantom, depth_mm: float = 25.0) -> Phantom:
    """The lungs meet in front of the great vessels, with no wall between them that a mask could show.

    Args:
        depth_mm: how far back from the foremost lung they touch.
    """
    label_map = phantom.label_map.copy()
    slices, _, width = label_map.shape
    rows = max(1, round(depth_mm / phantom.geometry.spacing_mm[1]))
    for index in range(round(_TOUCHING_LEVELS[0] * slices), round(_TOUCHING_LEVELS[1] * slices)):
        inside = label_map[index] != Label.BACKGROUND
        halves = (inside[:, : width // 2], inside[:, width // 2 :])
        both = halves[0].any(axis=1) & halves[1].any(axis=1)
        for row in np.flatnonzero(both)[:rows]:
            start = int(np.flatnonzero(halves[0][row])[-1])
            stop = width // 2 + int(np.flatnonzero(halves[1][row])[0])
            label_map[index, row, start + 1 : stop] = Label.LUNG
    return _changed(phantom, label_map, _LUNG_HU)


def without_lung(phantom: Phantom, side: Side) -> Phantom:
    """After a pneumonectomy: the lung of that side is gone, fluid is in its place."""
    label_map = np.where(true_sides(phantom) == side, np.uint8(Label.BACKGROUND), phantom.label_map)
    return _changed(phantom, label_map, _FLUID_HU)


def cut_stack(phantom: Phantom, first: int, stop: int) -> Phantom:
    """Slices `first` to `stop` (not included) alone, as where a scan starts or ends inside the lungs."""
    kept = phantom.label_map[first:stop]
    width, height, _ = phantom.geometry.stored_shape
    affine = phantom.geometry.affine.copy()
    affine[:3, 3] += first * affine[:3, 2]
    geometry = Geometry((width, height, len(kept)), affine)
    study = dataclasses.replace(phantom.study, slices=phantom.study.slices[first:stop], geometry=geometry)
    return Phantom(study, geometry, kept, involvement_of(kept))


def _changed(phantom: Phantom, label_map: npt.NDArray[np.uint8], fill_hu: int) -> Phantom:
    """A phantom whose changed voxels have that HU, so that picture and truth agree."""
    changed = label_map != phantom.label_map
    slices = tuple(
        np.where(mask, np.int16(fill_hu), pixels)
        for mask, pixels in zip(changed, phantom.study.slices, strict=True)
    )
    study = dataclasses.replace(phantom.study, slices=slices)
    return Phantom(study, phantom.geometry, label_map, involvement_of(label_map))

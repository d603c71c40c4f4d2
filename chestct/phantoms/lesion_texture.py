"""The texture of diseased lung, and of dependent lung that only looks ill."""

import numpy as np
from scipy import ndimage

from chestct.phantoms.grid import FIELD_OF_VIEW_MM, Plane, enlarged
from chestct.phantoms.look import Look


def diseased(
    rng: np.random.Generator,
    picture: Plane,
    share: Plane,
    levels: tuple[Plane, Plane],
    glass_hu: float,
    look: Look,
) -> tuple[Plane, Plane]:
    """A slice with disease painted in, and the share of each pixel that is consolidation.

    Ground-glass fades out over millimetres, consolidation less.
    """
    lesion, dense = levels
    small = rng.standard_normal([length // 2 for length in picture.shape], dtype=np.float32)
    mottle = enlarged(ndimage.gaussian_filter(small, 1.1) * np.float32(look.mottle_hu), len(picture))
    if look.septa_hu:
        mottle = mottle + look.septa_hu * _septa(rng, len(picture))
    glass = np.clip(0.5 + lesion * 6.0, 0.0, 1.0) * share
    thickening = np.clip(lesion * 90.0, 0.0, look.thickening_hu)
    picture = picture + glass * (glass_hu + thickening + mottle - picture)
    solid = np.clip(0.5 + dense * 22.0, 0.0, 1.0) * share
    return picture + solid * (look.solid_hu + np.float32(0.3) * mottle - picture), solid


def dependent(side: int, hu: float) -> Plane:
    """(H, 1) HU that the lowest lung of a lying person gains, front to back."""
    rows = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    return (np.float32(hu) * np.clip((rows - 0.45) / 0.3, 0.0, 1.0) ** 2)[:, None]


def _septa(rng: np.random.Generator, side: int) -> Plane:
    """(H, W) in [0, 1]: a net of lines some 7 mm apart, where smooth noise crosses 0."""
    step = side / FIELD_OF_VIEW_MM
    small = rng.standard_normal([side, side], dtype=np.float32)
    smooth = ndimage.gaussian_filter(small, 2.6 * step, mode="wrap")
    return np.exp(-((smooth / (0.28 * smooth.std() + 1e-6)) ** 2)).astype(np.float32)

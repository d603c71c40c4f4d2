"""From Hounsfield units or pictures to what a network and a reader see.

One fixed window for every HU image, never per-image z-scores: the same tissue must look the same
in every slice.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

# The lung window of radiology, centre -600 HU and width 1500 HU.
LUNG_WINDOW_HU = (-1350.0, 150.0)
# Air is -1000 HU; scanners pad with -2048 or lower, resampling rings below that.
LOWEST_HU, HIGHEST_HU = -1024, 3071


class Intensity(StrEnum):
    """What the numbers of a slice mean."""

    HU = "hu"  # int16 Hounsfield units
    PICTURE = "picture"  # uint8 grey levels of an unknown window


def windowed(
    pixels_hu: npt.NDArray[np.generic], window_hu: tuple[float, float] = LUNG_WINDOW_HU
) -> npt.NDArray[np.float32]:
    """HU mapped to [0, 1] inside the window and clipped outside, float32, same shape."""
    low, high = window_hu
    return np.clip((pixels_hu.astype(np.float32) - low) / (high - low), 0.0, 1.0)


def unit_range(
    pixels: npt.NDArray[np.generic],
    intensity: Intensity,
    window_hu: tuple[float, float] = LUNG_WINDOW_HU,
) -> npt.NDArray[np.float32]:
    """(H, W) pixels as float32 in [0, 1], whatever their intensity means."""
    if intensity is Intensity.HU:
        return windowed(pixels, window_hu)
    return pixels.astype(np.float32) / 255.0


def as_picture(pixels: npt.NDArray[np.generic], intensity: Intensity) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 picture in the lung window, as Label Studio shows it."""
    if intensity is Intensity.PICTURE:
        return pixels.astype(np.uint8)
    return np.rint(windowed(pixels) * 255.0).astype(np.uint8)


def as_hu(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.int16]:
    """Raw HU values clipped to what CT can measure, int16: padding becomes air."""
    return np.rint(np.clip(pixels, LOWEST_HU, HIGHEST_HU)).astype(np.int16)

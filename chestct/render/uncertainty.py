"""A slice with the model's uncertainty over it: dark where the model is sure, bright where it is not."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestct.errors import InputError

# Matplotlib's "inferno" (CC0, van der Walt and Smith) at eighths of its scale: lightness rises evenly, and
# its bright end is yellow, which readers with any colour blindness can tell from the grey of a slice.
_INFERNO = (
    (0, 0, 4),
    (31, 12, 72),
    (85, 15, 109),
    (136, 34, 106),
    (186, 54, 85),
    (227, 89, 51),
    (249, 140, 10),
    (249, 201, 50),
    (252, 255, 164),
)
# Entropy of three classes that are equally likely, as a part of that of four: more is hardly ever seen.
_BRIGHTEST = np.log(3.0) / np.log(4.0)
# The slice is dimmed, so that no bone is as bright as what is uncertain, and never quite covered.
GREY_SHARE = 0.55
_MOST_COVERED = 0.9


def uncertainty_table() -> npt.NDArray[np.float32]:
    """(256, 4) float32 for each value of an uncertainty map: whole RGB in [0, 255] and opacity in [0, 1]."""
    level = np.minimum(np.arange(256) / 255.0 / _BRIGHTEST, 1.0)
    places = np.linspace(0.0, 1.0, len(_INFERNO))
    colours = [np.rint(np.interp(level, places, part)) for part in np.transpose(_INFERNO)]
    # What is certain is left as it is; what is half sure is nearly covered.
    opacity = _MOST_COVERED * np.sqrt(level)
    return np.stack([*colours, opacity], axis=1).astype(np.float32)


def uncertainty_picture(
    pixels_8bit: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """The slice, dimmed, with the uncertainty in colour over it.

    Args:
        pixels_8bit: (H, W) uint8 grey levels.
        uncertainty: (h, w) uint8, `SlicePrediction.uncertainty` of the same slice, at any size.
    Returns:
        (H, W, 3) uint8 RGB.
    Raises:
        InputError: one of them is not two-dimensional, not uint8 or empty.
    """
    for name, array in (("picture", pixels_8bit), ("uncertainty map", uncertainty)):
        if array.ndim != 2 or array.dtype != np.uint8 or not array.size:
            raise InputError(name, f"is {array.dtype} of the shape {array.shape}; expected uint8 (H, W)")
    height, width = pixels_8bit.shape
    enlarged = Image.fromarray(uncertainty).resize((width, height), Image.Resampling.BILINEAR)
    painted = uncertainty_table()[np.asarray(enlarged)]
    grey = GREY_SHARE * pixels_8bit[:, :, None].astype(np.float32)
    return np.rint(grey + painted[:, :, 3:] * (painted[:, :, :3] - grey)).astype(np.uint8)

"""A slice with the lesion's outline twice: as labelled and as the model sees it."""

import base64

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import binary_erosion

from chestct.render.overlay import png_bytes
from training.evaluate.worst import WrongSlice

# Told apart by people who do not tell red from green; white where the two are one.
LABELS_RGB, MODEL_RGB, BOTH_RGB = (40, 200, 255), (255, 140, 0), (255, 255, 255)
# Longest side of a picture on the page, twice what the page shows, for sharp screens.
_LONGEST = 480
_OUTLINE_PIXELS = 2


def contour_picture(wrong: WrongSlice) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: the slice in grey, both outlines in colour, longest side 480."""
    height, width = wrong.image.shape
    scale = _LONGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = Image.fromarray(np.rint(wrong.image * 255).astype(np.uint8))
    shown = np.repeat(np.asarray(grey.resize(size, Image.Resampling.BICUBIC))[:, :, None], 3, axis=2)
    labels, model = (_outline(mask, size) for mask in (wrong.truth, wrong.predicted))
    for where, colour in ((labels, LABELS_RGB), (model, MODEL_RGB), (labels & model, BOTH_RGB)):
        shown[where] = colour
    return shown


def data_url(picture: npt.NDArray[np.uint8]) -> str:
    """A picture that travels inside its page."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode("ascii")


def _outline(mask: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The inner border of a mask, enlarged first so that its thickness is that of the screen."""
    large = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return large & ~binary_erosion(large, iterations=_OUTLINE_PIXELS, border_value=1)

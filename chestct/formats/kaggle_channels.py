"""The channel order of Kaggle's `covid-segmentation` and of the seed, in one place.

Our own order is that of Label; this one exists at the edges only.

Source: Kaggle `covid-segmentation`, its data page; 42-EPOCHS, whose networks were trained on it.
"""

import numpy as np
import numpy.typing as npt

from chestct.labels import Label

# Channel -> class.
CHANNELS = (Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG, Label.BACKGROUND)


def one_hot(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A label map as Kaggle's masks: exactly one channel of a pixel is 1.

    Args:
        label_map: (..., H, W) uint8, values of Label.
    Returns:
        (..., H, W, 4) uint8 of 0 and 1: ground-glass, consolidation, lungs other, background.
    """
    return np.stack([label_map == label for label in CHANNELS], axis=-1).astype(np.uint8)

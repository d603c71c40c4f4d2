"""Masks as pre-labels: a start for a reader, so every pixel gets one class."""

import numpy as np
import numpy.typing as npt

from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, bits
from lungloop.external_masks.lesion_kind import hinted_kind


def prelabel(
    known: npt.NDArray[np.uint8], pixels: npt.NDArray[np.generic], intensity: Intensity
) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 label map: what is known as it stands, a lesion of unknown kind by its density.

    What may be lung or background is background, for nobody drew lung there.

    Args:
        known: (H, W) candidates.
        pixels: (H, W) of the slice.
        intensity: what they mean; only HU hint at a lesion's kind.
    """
    label_map = hinted_kind(known == LESION_KIND_UNKNOWN, pixels if intensity is Intensity.HU else None)
    for label in Label:
        label_map[known == bits(label)] = label
    label_map[known == bits(Label.LUNG, *LESIONS)] = Label.LUNG
    return label_map

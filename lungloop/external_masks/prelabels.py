"""Masks as pre-labels: a start for a reader, so every pixel gets one class."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, bits

# Ground-glass lets vessels show through, consolidation does not: between aerated lung (-850) and soft
# tissue (40) reports draw the line near -300 HU. A hint: noise, kernel and breathing move it.
CONSOLIDATION_ABOVE_HU = -300
# Vessels crossing ground-glass and noise are thinner than this many pixels.
_SPECKLE = 3


def prelabel(
    partial_labels: npt.NDArray[np.uint8], pixels: npt.NDArray[np.generic], intensity: Intensity
) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 label map: what is certain as it stands, a lesion of unknown kind by its density.

    Where grey levels mean no density such a lesion is ground-glass, the commoner kind. What may be lung or
    background is background, for nobody drew lung there.

    Args:
        partial_labels: (H, W) of the mask.
        pixels: (H, W) of the slice.
        intensity: what they mean.
    """
    lesion = partial_labels == LESION_KIND_UNKNOWN
    label_map = np.where(lesion, np.uint8(Label.GROUND_GLASS), np.uint8(Label.BACKGROUND))
    if intensity is Intensity.HU:
        dense = median_filter(pixels, size=_SPECKLE) > CONSOLIDATION_ABOVE_HU
        label_map[lesion & dense] = Label.CONSOLIDATION
    for label in Label:
        label_map[partial_labels == bits(label)] = label
    label_map[partial_labels == bits(Label.LUNG, *LESIONS)] = Label.LUNG
    return label_map

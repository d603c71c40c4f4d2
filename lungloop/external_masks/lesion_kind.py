"""A first guess at a lesion's kind from its density, for a reader to correct; never a label."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from chestct.labels import Label

# Ground-glass lets vessels show through, consolidation does not: between aerated lung (-850) and soft
# tissue (40) reports draw the line near -300 HU. A hint: noise, kernel and breathing move it.
CONSOLIDATION_ABOVE_HU = -300
# Vessels crossing ground-glass and noise are thinner than this many pixels.
_SPECKLE = 3


def hinted_kind(
    lesion: npt.NDArray[np.bool_], pixels_hu: npt.NDArray[np.generic] | None
) -> npt.NDArray[np.uint8]:
    """(H, W) uint8: ground-glass or consolidation inside the lesion, background elsewhere.

    Args:
        lesion: (H, W) boolean.
        pixels_hu: (H, W) HU of the slice; None where grey levels mean no density: all is ground-glass,
            the commoner kind.
    """
    kind = np.where(lesion, np.uint8(Label.GROUND_GLASS), np.uint8(Label.BACKGROUND))
    if pixels_hu is not None:
        dense = median_filter(pixels_hu, size=_SPECKLE) > CONSOLIDATION_ABOVE_HU
        kind[lesion & dense] = Label.CONSOLIDATION
    return kind

"""The mask as the reader: how much of a pre-label would be corrected."""

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS
from chestct.partial_labels import NOT_LESION, UNKNOWN

_LESION_BITS = sum(1 << int(label) for label in LESIONS)


def corrected_pixels(label_map: npt.NDArray[np.uint8], partial_labels: npt.NDArray[np.uint8]) -> int:
    """Pixels that a reader would change before submitting: lesion drawn, wiped out, or of another kind.

    Lung is not what readers draw, so a pixel that is taken for background and is lung costs nothing; nor
    does a kind that the mask does not tell.

    Args:
        label_map: (H, W) uint8, the pre-label; all background where there was none.
        candidates: (H, W) uint8, what the mask says, see `chestct.partial_labels`.
    """
    said = np.left_shift(np.uint8(1), label_map).astype(np.uint8)
    said[(said & _LESION_BITS) == 0] = NOT_LESION
    return int((((said & partial_labels) == 0) & (partial_labels != UNKNOWN)).sum())

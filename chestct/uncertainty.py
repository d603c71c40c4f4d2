"""How sure a model is of a slice, from its per-class probabilities."""

import math

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label

# Pixels that matter to a reader: lung as likely as not, or a lesion that cannot be ruled out.
_LUNG_ZONE, _LESION_ZONE = 0.5, 0.1
# A slice that shows hardly any lung (apex, abdomen) must not count as unsure for a few pixels.
_SMALLEST_ZONE = 0.02


def normalised_entropy(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy per pixel as a part of its maximum.

    Args:
        probabilities: (C, H, W) float32, summing to 1 over C.
    Returns:
        (H, W) float32 in [0, 1]: 0 where one class is certain, 1 where all are equally likely.
    """
    safe = np.clip(probabilities, 1e-7, 1.0)
    entropy = -(probabilities * np.log(safe)).sum(axis=0) / math.log(len(probabilities))
    return np.clip(entropy, 0.0, 1.0).astype(np.float32)


def confidence(probabilities: npt.NDArray[np.float32], entropy: npt.NDArray[np.float32]) -> float:
    """1 - mean entropy over the zone that a reader looks at: lung, and what may be a lesion.

    Args:
        probabilities: (4, H, W) float32 in the order of Label.
        entropy: (H, W) of `normalised_entropy`.
    Returns:
        In [0, 1]. A zone under 2 % of the picture counts as 2 %, so pictures without lung are sure.
    """
    lesion = probabilities[list(LESIONS)].sum(axis=0)
    zone = (lesion + probabilities[Label.LUNG] >= _LUNG_ZONE) | (lesion >= _LESION_ZONE)
    pixels = max(np.count_nonzero(zone), _SMALLEST_ZONE * zone.size)
    return float(np.clip(1.0 - entropy[zone].sum(dtype=np.float64) / pixels, 0.0, 1.0))

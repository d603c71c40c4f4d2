"""How likely a model finds what the labels say."""

import numpy as np
import numpy.typing as npt

from chestct.labels import Label
from chestct.partial_labels import may_be_lung

_SMALLEST_PROBABILITY = 1e-7


def negative_log_likelihood(
    probabilities: npt.NDArray[np.floating], partial_labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """-log of the probability of the possible classes, per labelled pixel that may be lung.

    Args:
        probabilities: (4, H, W) float.
        candidates: (H, W) uint8.
    Returns:
        (P,) float64; pixels that are surely background, or that nobody looked at, are left out.
    """
    chosen = may_be_lung(partial_labels)
    possible = (partial_labels[chosen][None] >> np.arange(len(Label))[:, None]) & 1
    likelihood = (probabilities[:, chosen].astype(np.float64) * possible).sum(axis=0)
    return -np.log(np.clip(likelihood, _SMALLEST_PROBABILITY, 1.0))

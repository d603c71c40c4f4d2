"""How far a model's own probabilities let its involvement be wrong, in percentage points.

Two sums a slice are enough, so that no probabilities need be kept: the lesion pixels that the model
expects, and the deviation of their number. Pixels of a slice are wrong together (a patch is called lesion or
not), slices the less so the farther they are apart. The result is a scale, not a promise: the conformal
quantile of `chestct.severity.interval` turns it into an interval.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label

# Over a picture's hundreds of thousands of pixels the residue of a softmax adds up to a lesion that
# nobody believes in, so what is less likely than this counts as no lesion (our choice).
_RESIDUE = 0.05
# Patches of COVID-19 pneumonia are 15 to 40 mm across (our estimate); errors reach as far.
_CORRELATED_OVER_MM = 20.0


def lesion_sums(probabilities: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Expected number of lesion pixels of a slice, and its standard deviation, pixels wrong together.

    Args:
        probabilities: (4, H, W) float32 in the order of Label, calibrated.
    Returns:
        Sum of p and sum of sqrt(p (1 - p)) over the slice, in pixels; p is ground-glass + consolidation.
    """
    lesion = probabilities[list(LESIONS)].sum(axis=0)
    likely = lesion[lesion >= _RESIDUE].astype(np.float64)
    return float(likely.sum()), float(np.sqrt(np.clip(likely * (1.0 - likely), 0.0, None)).sum())


def involvement_uncertainty_percent(
    label_maps: npt.NDArray[np.uint8],
    expected: Sequence[float],
    deviation: Sequence[float],
    slices_apart_mm: float,
) -> float:
    """Uncertainty of an involvement: random error of the slices, and what the model expects beyond its mask.

    Args:
        label_maps: (S, H, W) uint8, values of Label.
        expected, deviation: (S,) of `lesion_sums`.
        slices_apart_mm: distance between slices.
    Returns:
        In percentage points of the lung, 0 or more; 0 without lung.
    """
    lung = np.count_nonzero(label_maps != Label.BACKGROUND)
    if not lung:
        return 0.0
    beyond = float(np.sum(expected)) - np.isin(label_maps, LESIONS).sum()
    each = np.asarray(deviation, dtype=np.float64)
    together = errors_together(len(each), slices_apart_mm)
    return float(100.0 * np.sqrt(each @ together @ each + beyond**2) / lung)


def errors_together(slices: int, slices_apart_mm: float) -> npt.NDArray[np.float64]:
    """(S, S) correlation of the slices' errors: 1 with itself, less the farther two are apart."""
    at = np.arange(slices)
    by_distance = np.exp(-at * slices_apart_mm / _CORRELATED_OVER_MM)
    return by_distance[np.abs(at[:, None] - at)]

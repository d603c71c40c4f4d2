"""How sure a model is of a slice, from its per-class probabilities.

Sums run over the zone that a reader looks at (lung, and what may be a lesion) and are divided by the pixels
of the whole picture: air around the patient adds nothing, and a slice that shows much uncertain lung weighs
more than one that shows a little of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label

# Pixels that matter to a reader: lung as likely as not, or a lesion that cannot be ruled out.
_LUNG_ZONE, _LESION_ZONE = 0.5, 0.1
# A slice that shows hardly any lung (apex, abdomen) must not count as unsure for a few pixels.
_SMALLEST_ZONE = 0.02
# An uncertainty map is kept with every prediction: 16 kB at most, a few once it is a PNG.
_UNCERTAINTY_SIDE = 128


@dataclass(frozen=True)
class ZoneFigures:
    """Where a model is uncertain in a slice, each a part of the picture, in [0, 1].

    Args:
        zone_entropy: entropy over the zone.
        ground_glass_entropy, consolidation_entropy: that probability x entropy over the zone; the U_c of
            ClaSP-PE. Source: arXiv 2601.13677.
        lesion_zone: pixels whose lesion cannot be ruled out (p >= 0.1).
    """

    zone_entropy: float
    ground_glass_entropy: float
    consolidation_entropy: float
    lesion_zone: float


def normalised_entropy(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy per pixel as a part of its maximum.

    Args:
        probabilities: (C, H, W) float32, summing to 1 over C.
    Returns:
        (H, W) float32 in [0, 1]: 0 where one class is certain, 1 where all are equally likely.
    """
    entropy = _nats(probabilities) / math.log(len(probabilities))
    return np.clip(entropy, 0.0, 1.0).astype(np.float32)


def foreground_zone(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(H, W) mask of what a reader looks at: lung, and what may be a lesion.

    Args:
        probabilities: (4, H, W) float32 in the order of Label.
    """
    lesion = probabilities[list(LESIONS)].sum(axis=0)
    return (lesion + probabilities[Label.LUNG] >= _LUNG_ZONE) | (lesion >= _LESION_ZONE)


def confidence(probabilities: npt.NDArray[np.float32], entropy: npt.NDArray[np.float32]) -> float:
    """1 - mean entropy over the zone that a reader looks at: lung, and what may be a lesion.

    Args:
        probabilities: (4, H, W) float32 in the order of Label.
        entropy: (H, W) of `normalised_entropy`.
    Returns:
        In [0, 1]. A zone under 2 % of the picture counts as 2 %, so pictures without lung are sure.
    """
    zone = foreground_zone(probabilities)
    pixels = max(np.count_nonzero(zone), _SMALLEST_ZONE * zone.size)
    return float(np.clip(1.0 - entropy[zone].sum(dtype=np.float64) / pixels, 0.0, 1.0))


def zone_figures(probabilities: npt.NDArray[np.float32], entropy: npt.NDArray[np.float32]) -> ZoneFigures:
    """Where a model is uncertain in a slice, summed over the zone that a reader looks at.

    Args:
        probabilities: (4, H, W) float32 in the order of Label, calibrated.
        entropy: (H, W) of `normalised_entropy`.
    """
    zone = foreground_zone(probabilities)
    unsure = entropy[zone]
    lesions = probabilities[list(LESIONS)]
    ground_glass, consolidation = (_share(lesion[zone] * unsure, zone.size) for lesion in lesions)
    return ZoneFigures(
        zone_entropy=_share(unsure, zone.size),
        ground_glass_entropy=ground_glass,
        consolidation_entropy=consolidation,
        lesion_zone=float((lesions.sum(axis=0) >= _LESION_ZONE).mean()),
    )


def zone_disagreement(
    probabilities: npt.NDArray[np.float32], disagreement: npt.NDArray[np.float32]
) -> float | None:
    """Disagreement over the zone, as a part of the picture, in [0, 1].

    Args:
        probabilities: (4, H, W) float32 in the order of Label: what the views say together.
        disagreement: (H, W) of `ensemble_disagreement`.
    Returns:
        None where no pixel was looked at twice.
    """
    twice = ~np.isnan(disagreement)
    if not twice.any():
        return None
    return _share(disagreement[foreground_zone(probabilities) & twice], disagreement.size)


def ensemble_disagreement(views: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Mutual information between a pixel's class and the view: what more views could still resolve.

    Entropy of the mean minus mean of the entropies, so that a pixel which every view finds ambiguous
    counts for nothing, and one that two views are sure of in different ways counts in full.

    Args:
        views: (C, H, W) float32 each, summing to 1 over C, of one network's views or of several networks;
            NaN where a view does not show the pixel.
    Returns:
        (H, W) float32 in [0, 1], as a part of the most that so many views of so many classes can disagree;
        NaN where fewer than two views show the pixel.
    Source: Houlsby et al. 2011, "Bayesian active learning for classification and preference learning".
    """
    number = np.zeros(views[0].shape[1:], dtype=np.float32)
    total = np.zeros(views[0].shape, dtype=np.float32)
    own = np.zeros(number.shape, dtype=np.float32)
    for view in views:
        in_view = ~np.isnan(view[0])
        number += in_view
        total += np.where(in_view, view, np.float32(0))
        own += np.where(in_view, _nats(view), np.float32(0))
    several = number >= 2
    number = np.maximum(number, 2)
    most = np.log(np.minimum(number, np.float32(len(total))))
    disagreement = (_nats(total / number) - own / number) / most
    return np.where(several, np.clip(disagreement, 0.0, 1.0), np.nan).astype(np.float32)


def uncertainty_map(entropy: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The entropy as a small picture to keep: means over blocks, its longer side at most 128.

    Args:
        entropy: (H, W) of `normalised_entropy`.
    Returns:
        (h, w) uint8, entropy x 255, over the same field of view.
    """
    scale = min(1.0, _UNCERTAINTY_SIDE / max(entropy.shape))
    small: npt.NDArray[np.floating] = entropy
    for axis, length in enumerate(entropy.shape):
        edges = np.linspace(0, length, max(1, round(scale * length)) + 1).round().astype(np.intp)
        blocks = np.add.reduceat(small, edges[:-1], axis=axis)
        small = blocks / np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.rint(255.0 * small).astype(np.uint8)


def _nats(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """(H, W) entropy of (C, H, W), NaN where they are."""
    return -(probabilities * np.log(np.clip(probabilities, 1e-7, 1.0))).sum(axis=0)


def _share(values: npt.NDArray[np.floating], pixels: int) -> float:
    return float(np.clip(values.sum(dtype=np.float64) / pixels, 0.0, 1.0))

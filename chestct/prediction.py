"""What a model says of one slice, free of any deep-learning package."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestct.labels import LESIONS, Label


@dataclass(frozen=True, eq=False)
class SlicePrediction:
    """One slice as a model sees it.

    Args:
        label_map: (H, W) uint8, values of Label, at the slice's own size.
        score: confidence in [0, 1], see `chestct.inference.uncertainty.confidence`; the lowest comes first
            where readers label what the model is least sure of.
        entropy_mean: mean entropy over the picture, as a part of its maximum, in [0, 1].
        seconds: wall clock of the computation.
        lesion_expected, lesion_deviation: pixels, of `chestct.severity.uncertainty.lesion_sums`; None where
            the model gives no probabilities.
        zone_entropy, ground_glass_entropy, consolidation_entropy, lesion_zone: of
            `chestct.inference.uncertainty.zone_figures`, each in [0, 1]; None without probabilities.
        disagreement: of `chestct.inference.uncertainty.view_disagreement` over the zone, in [0, 1];
            None where the slice was looked at once.
        doubt: (h, w) uint8, the calibrated entropy of each pixel as a part of its maximum x 255, its longer
            side at most 128; None where the model gives no probabilities.
    """

    label_map: npt.NDArray[np.uint8]
    score: float
    entropy_mean: float
    seconds: float = 0.0
    lesion_expected: float | None = None
    lesion_deviation: float | None = None
    zone_entropy: float | None = None
    ground_glass_entropy: float | None = None
    consolidation_entropy: float | None = None
    disagreement: float | None = None
    lesion_zone: float | None = None
    uncertainty: npt.NDArray[np.uint8] | None = None

    @property
    def ground_glass_fraction(self) -> float:
        """Ground-glass as a part of the slice's lung, in [0, 1]."""
        return fraction_of_lung(self.label_map, (Label.GROUND_GLASS,))

    @property
    def consolidation_fraction(self) -> float:
        """Consolidation as a part of the slice's lung, in [0, 1]."""
        return fraction_of_lung(self.label_map, (Label.CONSOLIDATION,))


def fraction_of_lung(label_map: npt.NDArray[np.uint8], group: tuple[Label, ...]) -> float:
    """Pixels of the group / all lung pixels, lesions included.

    Args:
        label_map: (..., H, W) uint8, values of Label.
    Returns:
        In [0, 1]; 0 where the picture shows no lung, since nothing is diseased there.
    """
    lung = np.count_nonzero(label_map != Label.BACKGROUND)
    return float(np.isin(label_map, group).sum() / lung) if lung else 0.0


def most_probable(
    probabilities: npt.NDArray[np.float32], lesion_threshold: float | None = None
) -> npt.NDArray[np.uint8]:
    """Label map of per-class probabilities; a lesion is decided before its kind.

    Ground-glass and consolidation share a lesion's probability, so taking the largest of four
    would drop every lesion whose kind is in doubt.

    Args:
        probabilities: (4, H, W), in the order of Label.
        lesion_threshold: a pixel is a lesion where ground-glass and consolidation together are likelier
            than this; None: where they are likelier than lung and than background.
    Returns:
        (H, W) uint8, values of Label.
    """
    lesion = probabilities[list(LESIONS)].sum(axis=0)
    lung, background = probabilities[Label.LUNG], probabilities[Label.BACKGROUND]
    healthy = np.where(lung > background, Label.LUNG, Label.BACKGROUND)
    kind = np.where(
        probabilities[Label.CONSOLIDATION] > probabilities[Label.GROUND_GLASS],
        Label.CONSOLIDATION,
        Label.GROUND_GLASS,
    )
    least = np.maximum(lung, background) if lesion_threshold is None else lesion_threshold
    return np.where(lesion > least, kind, healthy).astype(np.uint8)


def without_minor_kinds(label_map: npt.NDArray[np.uint8], smallest_share: float) -> npt.NDArray[np.uint8]:
    """Each lesion's kind that fills less than a share of it becomes the lesion's other kind.

    Specks of a second kind are noise of the network, and a reader deletes them one by one. A lesion of one
    kind is left alone, however small.

    Args:
        label_map: (H, W) uint8, values of Label.
        smallest_share: of a lesion, in [0, 0.5]; a lesion is what hangs together by sides of pixels.
    Returns:
        A new map where something changed, the given one otherwise; what is a lesion stays one.
    """
    consolidation = label_map == Label.CONSOLIDATION
    ground_glass = label_map == Label.GROUND_GLASS
    if smallest_share <= 0 or not consolidation.any() or not ground_glass.any():
        return label_map
    lesions: npt.NDArray[np.int32]
    lesions, count = ndimage.label(consolidation | ground_glass)  # pyright: ignore[reportGeneralTypeIssues, reportAssignmentType]
    pixels = np.bincount(lesions.ravel(), minlength=count + 1)
    share = np.bincount(lesions[consolidation], minlength=count + 1) / np.maximum(1, pixels)
    becomes = np.zeros(count + 1, np.uint8)
    becomes[(share > 0) & (share < smallest_share)] = Label.GROUND_GLASS
    becomes[(share < 1) & (share > 1 - smallest_share)] = Label.CONSOLIDATION
    if not becomes.any():
        return label_map
    other_kind = becomes[lesions]
    return np.where(other_kind > 0, other_kind, label_map)

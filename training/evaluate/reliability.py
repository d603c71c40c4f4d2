"""Is a probability of 0.8 right 8 times in 10? Running histograms, so that no slice need be kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestct.labels import Label
from chestct.partial_labels import bits, may_be_lung

# As in the source of `Reliability.error`.
BINS = 15
_SMALLEST_PROBABILITY = 1e-7


def _zeros() -> npt.NDArray[np.float64]:
    return np.zeros(BINS)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Judged pixels by their confidence, in bins of equal width over [0, 1]; add them to pool.

    Args:
        pixels: (BINS,) how many.
        confidence: (BINS,) sum of their confidences.
        correct: (BINS,) how many are right.
    """

    pixels: npt.NDArray[np.float64] = field(default_factory=_zeros)
    confidence: npt.NDArray[np.float64] = field(default_factory=_zeros)
    correct: npt.NDArray[np.float64] = field(default_factory=_zeros)

    @classmethod
    def of(cls, confidence: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_]) -> "Reliability":
        """Of (P,) confidences in [0, 1] and whether each was right."""
        index = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)

        def summed(weights: npt.NDArray[np.generic] | None) -> npt.NDArray[np.float64]:
            return np.bincount(index, weights=weights, minlength=BINS).astype(np.float64)

        return cls(summed(None), summed(confidence), summed(correct))

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            self.pixels + other.pixels, self.confidence + other.confidence, self.correct + other.correct
        )

    def error(self) -> float | None:
        """Expected calibration error: mean gap of confidence and accuracy, bins weighted by pixels.

        Returns:
            In [0, 1]; None without a pixel.
        Source: Guo et al. 2017, arXiv 1706.04599, equation 3, with 15 bins.
        """
        total = self.pixels.sum()
        return float(np.abs(self.confidence - self.correct).sum() / total) if total else None

    def rows(self) -> list[dict[str, float | int]]:
        """JSON-ready: mean confidence, accuracy and pixels of each bin that has any."""
        return [
            {
                "confidence": round(float(confidence / pixels), 4),
                "accuracy": round(float(correct / pixels), 4),
                "pixels": int(pixels),
            }
            for pixels, confidence, correct in zip(self.pixels, self.confidence, self.correct, strict=True)
            if pixels
        ]


def judged(
    probabilities: npt.NDArray[np.float64],
    partial_labels: npt.NDArray[np.uint8],
    groups: Sequence[tuple[Label, ...]],
) -> Reliability:
    """Reliability of the likeliest group of classes, per pixel.

    A partial label cannot say which of its classes is right, so the model is asked only what the
    labels can answer: confidence is the largest probability of a group, and the pixel is right
    where that group holds its label. With full labels this is the usual top-label calibration.

    Args:
        probabilities: (4, P) in the order of Label, summing to 1.
        partial_labels: (P,) uint8, each inside one of the groups.
        groups: of `chestct.partial_labels.told_apart`, taken over the whole slice.
    """
    of_group = np.stack([probabilities[list(group)].sum(axis=0) for group in groups])
    group_bits = np.array([bits(*group) for group in groups], dtype=np.uint8)
    top = of_group.argmax(axis=0)
    confidence = np.clip(of_group.max(axis=0), 0.0, 1.0).astype(np.float64)
    return Reliability.of(confidence, (partial_labels & group_bits[top]) != 0)


def at_temperature(probabilities: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """(4, P) probabilities as they would be with their logits divided by the temperature.

    Exact for a softmax; for an average of several views it is what the average's own logits give.
    """
    logits = np.log(np.clip(probabilities, _SMALLEST_PROBABILITY, 1.0).astype(np.float64))
    scaled = np.exp(logits / temperature)
    return scaled / scaled.sum(axis=0)


def negative_log_likelihood(
    probabilities: npt.NDArray[np.floating], partial_labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """-log of the probability of the possible classes, per labelled pixel that may be lung.

    Args:
        probabilities: (4, H, W) float.
        partial_labels: (H, W) uint8.
    Returns:
        (P,) float64; pixels that are surely background, or that nobody looked at, are left out.
    """
    chosen = may_be_lung(partial_labels)
    possible = (partial_labels[chosen][None] >> np.arange(len(Label))[:, None]) & 1
    likelihood = (probabilities[:, chosen].astype(np.float64) * possible).sum(axis=0)
    return -np.log(np.clip(likelihood, _SMALLEST_PROBABILITY, 1.0))

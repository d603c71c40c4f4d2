"""Training samples, and how often each is drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.errors import TrainingDataError, UnfitSampleError
from chestct.intensity import Intensity, unit_range
from chestct.labels import Label
from chestct.partial_labels import UNKNOWN, bits

# How much oftener a slice is drawn that shows a lesion, and one that shows consolidation, the
# rarest class of all sources.
_LESION_FACTOR, _CONSOLIDATION_FACTOR = 3.0, 1.5


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One slice and what is known of its pixels.

    Args:
        image: (H, W) float32 in [0, 1], HU through the lung window.
        partial_labels: (H, W) uint8, see `chestct.partial_labels`.
        source: which body of data it is from; sampling is balanced between sources.
        patient: whose slice it is; scores are per patient.
        name: of the slice, for messages.
        spacing_mm: between rows and between columns; None where the source does not say.
    Raises:
        UnfitSampleError: image and partial labels differ in shape, pixels lie outside [0, 1], or the
            mask held a value that is no Label.
    """

    image: npt.NDArray[np.float32]
    partial_labels: npt.NDArray[np.uint8]
    source: str
    patient: str
    name: str
    spacing_mm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if flaw := _flaw(self.image, self.partial_labels):
            raise UnfitSampleError(self.name, flaw)

    @classmethod
    def of_slice(
        cls,
        pixels: npt.NDArray[np.generic],
        intensity: Intensity,
        partial_labels: npt.NDArray[np.uint8],
        *,
        source: str,
        patient: str,
        name: str,
        spacing_mm: tuple[float, float] | None = None,
    ) -> "TrainingSample":
        """A sample from pixels as a `Study` holds them."""
        return cls(unit_range(pixels, intensity), partial_labels, source, patient, name, spacing_mm)

    def shows(self, label: Label) -> bool:
        """True where some pixel is known to be exactly this class."""
        return bool((self.partial_labels == bits(label)).any())

    def shows_lesion(self) -> bool:
        """True where some pixel is known to be a lesion, its kind known or not."""
        outside = bits(Label.BACKGROUND, Label.LUNG)
        return bool(((self.partial_labels & outside) == 0).any())


def _flaw(image: npt.NDArray[np.float32], partial_labels: npt.NDArray[np.uint8]) -> str | None:
    """Why nothing can be learned from a picture and its partial labels; None where they are sound."""
    if image.ndim != 2 or image.shape != partial_labels.shape:
        return f"image {image.shape} and mask {partial_labels.shape} must be two-dimensional and of one shape"
    if image.size == 0:
        return "the image has no pixels"
    if unfit := int((~np.isfinite(image)).sum()):
        return f"{unfit} pixels are NaN or infinite; expected numbers in [0, 1]"
    if image.min() < 0.0 or image.max() > 1.0:
        return f"pixels run from {image.min():g} to {image.max():g}; expected values in [0, 1]"
    expected = f"expected labels 0 to {int(max(Label))}"
    beyond = partial_labels[partial_labels > UNKNOWN]
    if beyond.size:
        label = int(beyond.max()).bit_length() - 1
        return f"the mask holds the label {label} in {beyond.size} pixels; {expected}"
    # A label of 8 or more leaves the eight bits of a candidate: no class is possible.
    nothing = int((partial_labels == 0).sum())
    return f"the mask holds labels above 7 in {nothing} pixels; {expected}" if nothing else None


def sampling_weights(
    samples: Sequence[TrainingSample], source_shares: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """Probability of drawing each sample: by source, then patient, then what it shows.

    Args:
        samples: at least one.
        source_shares: source -> weight; 1 where a source is not named.
    Returns:
        (len(samples),) float64, summing to 1.
    Raises:
        TrainingDataError: no sample, or no source with a weight above 0.
    """
    if not samples:
        raise TrainingDataError("there is no training sample; label some slices first")
    interest = np.array(
        [
            (_LESION_FACTOR if sample.shows_lesion() else 1.0)
            * (_CONSOLIDATION_FACTOR if sample.shows(Label.CONSOLIDATION) else 1.0)
            for sample in samples
        ]
    )
    patients = [(sample.source, sample.patient) for sample in samples]
    of_patient: Counter[tuple[str, str]] = Counter()
    for patient, value in zip(patients, interest, strict=True):
        of_patient[patient] += value
    # A patient with many slices is drawn oftener, but only by the root of their number: ten
    # volumes of a hundred slices must not drown forty patients of one.
    weight = interest / np.sqrt([of_patient[patient] for patient in patients])
    sources = np.array([sample.source for sample in samples])
    for source in set(sources.tolist()):
        own = sources == source
        weight[own] *= max(0.0, source_shares.get(source, 1.0)) / weight[own].sum()
    if not weight.sum() > 0:
        raise TrainingDataError(f"every source has the share 0 in {dict(source_shares)}")
    return weight / weight.sum()

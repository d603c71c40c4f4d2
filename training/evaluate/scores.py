"""Scores by patient, in one pass of the network a slice; no slice outlives its turn."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chestct.progress import OnProgress, Progress, unheard
from training.data.dataset import TrainingSample
from training.evaluate.metrics import Counts
from training.evaluate.patient_score import PatientScore
from training.evaluate.tally import Tally


class UnitSegmenter(Protocol):
    """What scoring needs of a model; `chestct.inference.unet_segmenter.UNetSegmenter` is one."""

    def unit_probabilities(self, image: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """(H, W) float32 in [0, 1] to (4, H, W) float32 probabilities."""
        ...

    def label_map(self, probabilities: npt.NDArray[np.float32], /) -> npt.NDArray[np.uint8]:
        """(4, H, W) probabilities to the (H, W) uint8 label map that is served."""
        ...


# A slice, the model's label map of it, and its counts by group of `training.evaluate.metrics.GROUPS`.
OnSlice = Callable[[TrainingSample, npt.NDArray[np.uint8], Mapping[str, Counts]], None]


def score_patients(
    segmenter: UnitSegmenter,
    samples: Sequence[TrainingSample],
    on_progress: OnProgress = unheard,
    *,
    temperature: float = 1.0,
    on_slice: OnSlice = lambda sample, label_map, counts: None,
) -> list[PatientScore]:
    """Scores by patient, in order of the patients' names.

    Args:
        samples: labelled slices; those of one patient are pooled wherever they stand.
        on_progress: told each slice.
        temperature: that the segmenter has applied, to say what calibration would be without it.
        on_slice: sees each slice as it passes, for who keeps the worst of them.
    """
    tallies: dict[str, Tally] = defaultdict(lambda: Tally(temperature))
    for done, sample in enumerate(samples, start=1):
        probabilities = segmenter.unit_probabilities(sample.image)
        label_map = segmenter.label_map(probabilities)
        counts = tallies[sample.patient].add(sample, probabilities, label_map)
        on_slice(sample, label_map, counts)
        on_progress(Progress(done, len(samples), "slices"))
    return [tallies[patient].score(patient) for patient in sorted(tallies)]


def score_slices(segmenter: UnitSegmenter, samples: Sequence[TrainingSample]) -> list[PatientScore]:
    """A score of each slice by itself, in their order."""
    scores = []
    for sample in samples:
        tally, probabilities = Tally(), segmenter.unit_probabilities(sample.image)
        tally.add(sample, probabilities, segmenter.label_map(probabilities))
        scores.append(tally.score(sample.patient))
    return scores


def by_source(samples: Iterable[TrainingSample]) -> Mapping[str, list[TrainingSample]]:
    """The samples of each source, in the order in which they came."""
    groups: dict[str, list[TrainingSample]] = defaultdict(list)
    for sample in samples:
        groups[sample.source].append(sample)
    return groups

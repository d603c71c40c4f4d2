"""Kinds of lesion guessed where a reader outlined a lesion and left its kind open.

Only the lesions of few slices have a kind; a network fitted on them alone learns these slices by heart.
The guess of earlier versions, kept where they are sure, lets the lesions of all other slices teach kinds
too, under ever new views. A guess is no label: it is fitted on, never scored, and the model card says
whose it is.

Source: self-training with confident guesses, as in Lee 2013 (Pseudo-Label) and Fan et al. 2020 (Semi-Inf-Net,
arXiv 2004.14133).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chestct.labels import Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, bits
from training.data.dataset import TrainingSample
from training.evaluate import UnitSegmenter

# How sure of one kind over the other a guess must be, to be fitted on; between the two the kind stays open.
SURE = 0.75


def with_guessed_kinds(
    samples: Iterable[TrainingSample], versions: Sequence[UnitSegmenter]
) -> list[TrainingSample]:
    """The samples, open kinds of lesion filled in where the versions' mean is sure.

    Args:
        samples: of any source; one without an open kind comes back as it is.
        versions: at least one; segmenters whose probabilities are averaged.
    """
    return [_filled(sample, versions) for sample in samples]


def kinds_of(
    partial_labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """New partial labels: a lesion of open kind becomes the kind that has `SURE` of the lesion's probability.

    Args:
        partial_labels: (H, W) uint8; what is known of a pixel's being a lesion does not change.
        probabilities: (4, H, W) in the order of Label.
    """
    ground_glass, consolidation = probabilities[Label.GROUND_GLASS], probabilities[Label.CONSOLIDATION]
    needed = SURE * (ground_glass + consolidation)
    is_open = partial_labels == LESION_KIND_UNKNOWN
    guessed = partial_labels.copy()
    guessed[is_open & (ground_glass > 0) & (ground_glass >= needed)] = bits(Label.GROUND_GLASS)
    guessed[is_open & (consolidation > 0) & (consolidation >= needed)] = bits(Label.CONSOLIDATION)
    return guessed


def guess_note(versions: Sequence[str]) -> str:
    """For the model card: whose guesses were fitted on."""
    return (
        f"Lesions whose kind no reader named were fitted on as {' and '.join(versions)} guessed it, where "
        f"these gave one kind {SURE:.0%} of the lesion's probability or more; no score rests on a guess."
    )


def _filled(sample: TrainingSample, versions: Sequence[UnitSegmenter]) -> TrainingSample:
    if not (sample.partial_labels == LESION_KIND_UNKNOWN).any():
        return sample
    mean = np.mean([version.unit_probabilities(sample.image) for version in versions], axis=0)
    return replace(sample, partial_labels=kinds_of(sample.partial_labels, mean))

"""Phantoms that stand in where no patient is frozen for testing: weak evidence, but not none."""

from collections.abc import Sequence

from chestct.labels import SeverityGrade
from chestct.phantoms import phantom_study
from training.data.dataset import TrainingSample

# Small, since they are made anew for each retrain: under a second for all.
_SHAPE = (12, 256, 256)
_GRADES = (SeverityGrade.CT_1, SeverityGrade.CT_2, SeverityGrade.CT_3)
PHANTOM = "phantom"


def phantom_samples(seeds: Sequence[int]) -> list[TrainingSample]:
    """Slices of phantoms of several grades, whose every pixel is known."""
    samples = []
    for number, seed in enumerate(seeds):
        study = phantom_study(seed, _GRADES[number % len(_GRADES)], _SHAPE).labelled_study()
        samples += [
            TrainingSample.of_slice(
                pixels,
                study.intensity,
                study.partial_labels[index],
                source=PHANTOM,
                patient=study.patient,
                name=f"{study.name} slice {index}",
            )
            for index, pixels in enumerate(study.slices)
        ]
    return samples

"""The slices of a simulation: a pool whose masks play the reader, and patients that only test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chestct.catalog.splits import TEST_SHARE, patient_bucket
from chestct.errors import InputError, TrainingDataError
from training.data.augment import resized
from training.data.dataset import TrainingSample
from training.data.labelled_folder import HELD_OUT, UNSPLIT, read_labelled_folder
from training.simulate.plan import SimulationPlan


@dataclass(frozen=True, eq=False)
class PoolSlice:
    """One slice that may be asked for.

    Args:
        sample: picture and what its mask says, at the simulation's side.
        position: its place along the study's labelled slices.
    """

    sample: TrainingSample
    study: str
    position: int


@dataclass(frozen=True, eq=False)
class SimulationSlices:
    """Both sides; no patient is on both.

    Args:
        pool: in a fixed order; a slice's id is its index.
        test: slices of patients that never enter the pool.
    Raises:
        TrainingDataError: a side is empty, or a patient is on both.
    """

    pool: tuple[PoolSlice, ...]
    test: tuple[TrainingSample, ...]

    def __post_init__(self) -> None:
        if not self.pool or not self.test:
            raise TrainingDataError(
                f"{len(self.pool)} slices to choose from and {len(self.test)} to test on; a simulation needs "
                "both, of different patients"
            )
        both = {row.sample.patient for row in self.pool} & {sample.patient for sample in self.test}
        if both:
            raise TrainingDataError(f"patients on both sides of the split: {', '.join(sorted(both))}")


def read_slices(plan: SimulationPlan) -> SimulationSlices:
    """The plan's slices, thinned and resized.

    Patients that the data holds out are the test. Where a folder fixes no split, a fifth of its
    patients is, drawn by their names as at import, or else the last patient by that draw.

    Raises:
        InputError: a folder or a file of it cannot be read.
        TrainingDataError: a side is empty.
    """
    pool: list[PoolSlice] = []
    test: list[TrainingSample] = []
    for folder in plan.data:
        labelled = read_labelled_folder(Path(folder))
        for failed in labelled.failed:
            raise InputError(failed.source, failed.reason)
        for side, samples in labelled.samples.items():
            test_patients = _drawn_patients(samples) if side == UNSPLIT else None
            for row in _placed(samples):
                tests = side == HELD_OUT if test_patients is None else row.sample.patient in test_patients
                if row.position % (plan.test_every if tests else plan.pool_every) == 0:
                    sample = small(row.sample, plan.side)
                    if tests:
                        test.append(sample)
                    else:
                        pool.append(replace(row, sample=sample))
    return SimulationSlices(tuple(pool), tuple(test))


def _placed(samples: Iterable[TrainingSample]) -> Iterable[PoolSlice]:
    """Each slice with its study and its place there; readers give a study's slices in order."""
    seen: Counter[str] = Counter()
    for sample in samples:
        study = sample.name.rpartition("/")[0]
        yield PoolSlice(sample, study, seen[study])
        seen[study] += 1


def _drawn_patients(samples: Sequence[TrainingSample]) -> set[str]:
    patients = sorted({sample.patient for sample in samples}, key=patient_bucket)
    return {patient for patient in patients if patient_bucket(patient) < TEST_SHARE} or set(patients[:1])


def small(sample: TrainingSample, side: int) -> TrainingSample:
    """The sample at (side, side): the picture area-averaged, partial labels by the nearest pixel."""
    picture, partial_labels = resized(
        np.rint(sample.image * 255.0).astype(np.uint8), sample.partial_labels, side
    )
    return replace(
        sample, image=picture.astype(np.float32) / 255.0, partial_labels=partial_labels, spacing_mm=None
    )

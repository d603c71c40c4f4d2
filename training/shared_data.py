"""The labelled research data that the shipped weights are fitted on and scored against.

Licences are non-commercial and the pictures are never part of this project: see the model card.
"""

from collections.abc import Iterator
from pathlib import Path

from chestct.errors import InputError, TrainingDataError
from chestct.formats.covid_ct_seg import read_covid_ct_seg
from chestct.formats.medseg import read_medseg
from chestct.labels import Split
from chestct.study import FailedInput, Study
from training.dataset import TrainingSample

COVID_CT_SEG, MEDSEG = "covid-ct-seg", "medseg"
DATA_LICENCE = (
    "fitted on COVID-19-CT-Seg (Coronacases, CC BY-NC-SA) and MedSeg (SIRM pictures, non-commercial): "
    "research use only"
)
# MedSeg's slice-to-patient table is lost. Slices that look alike (correlation of 32 x 32
# thumbnails above 0.83) count as one patient; these whole groups are never fitted on:
# {6, 26} {21, 53} {33, 78, 97} {39, 76} {79} {87} {95}.
_HELD_OUT_SLICES = (6, 21, 26, 33, 39, 53, 76, 78, 79, 87, 95, 97)
MEDSEG_HELD_OUT = frozenset(f"medseg-{number:03d}" for number in _HELD_OUT_SLICES)


def training_samples(shared_data: Path) -> list[TrainingSample]:
    """What the shipped weights are fitted on: covid-ct-seg `train` patients and most of medseg."""
    return _samples(shared_data, held_out=False)


def validation_samples(shared_data: Path) -> list[TrainingSample]:
    """covid-ct-seg `dev-validation` patients and medseg's held-out slices."""
    return _samples(shared_data, held_out=True)


def is_held_out(study: Study) -> bool:
    """True where the shipped weights were never fitted on the study's patient."""
    return study.split is Split.TEST or study.patient in MEDSEG_HELD_OUT


def samples_of_study(study: Study, source: str) -> Iterator[TrainingSample]:
    """The study's labelled slices, in their order."""
    for index, candidates in sorted(study.candidates.items()):
        name = study.slice_names[index] if study.slice_names else str(index)
        yield TrainingSample.of_slice(
            study.slices[index],
            study.intensity,
            candidates,
            source=source,
            patient=study.patient,
            name=f"{study.name}/{name}",
            spacing_mm=study.geometry.spacing_mm[1:] if study.geometry else None,
        )


def _samples(shared_data: Path, *, held_out: bool) -> list[TrainingSample]:
    samples = []
    for source, read in ((COVID_CT_SEG, read_covid_ct_seg), (MEDSEG, read_medseg)):
        if not (shared_data / source).is_dir():
            raise TrainingDataError(
                f"{shared_data} holds no {source}; set LUNGLOOP_SHARED_DATA to the folder that does"
            )
        for study in read(shared_data / source):
            if isinstance(study, FailedInput):
                raise InputError(study.source, study.reason)
            if is_held_out(study) == held_out:
                samples += samples_of_study(study, source)
    return samples

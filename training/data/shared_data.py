"""The labelled research data that the shipped weights are fitted on and scored against.

Licences are non-commercial and the pictures are never part of this project: see the model card.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chestct.errors import TrainingDataError
from chestct.formats.covid_ct_seg import read_covid_ct_seg
from chestct.formats.medseg import read_medseg
from chestct.labels import Split
from chestct.study import FailedInput, Study
from training.data.dataset import TrainingSample
from training.data.sample_check import SetAside, sifted

COVID_CT_SEG, MEDSEG = "covid-ct-seg", "medseg"
DATA_LICENCE = (
    "fitted on COVID-19-CT-Seg (Coronacases, CC BY-NC-SA) and MedSeg (SIRM pictures, non-commercial): "
    "research use only"
)
LICENCES = {COVID_CT_SEG: "CC BY-NC-SA", MEDSEG: "non-commercial", "phantom": "made by this project"}
CARD_NOTES = (
    "MedSeg's slice-to-patient table is lost: slices that look alike (correlation of 32 x 32 thumbnails "
    "above 0.83) count as one patient and stand on one side; a patient with unlike slices may stand on both.",
    "The temperature is fitted on the held-out patients that the scores are of, so calibration leans a "
    "little to the bright side; the lesion threshold follows from theory, not from these scores.",
)
# MedSeg's slice-to-patient table is lost. Slices that look alike (correlation of 32 x 32
# thumbnails above 0.83) count as one patient; these whole groups are never fitted on:
# {6, 26} {21, 53} {33, 78, 97} {39, 76} {79} {87} {95}.
_HELD_OUT_SLICES = (6, 21, 26, 33, 39, 53, 76, 78, 79, 87, 95, 97)
MEDSEG_HELD_OUT = frozenset(f"medseg-{number:03d}" for number in _HELD_OUT_SLICES)


@dataclass(frozen=True)
class SharedSamples:
    """Both sides of the shared data, and what of it cannot be used."""

    fitted: tuple[TrainingSample, ...]
    held_out: tuple[TrainingSample, ...]
    set_aside: tuple[SetAside, ...]


def shared_samples(shared_data: Path) -> SharedSamples:
    """All slices that can be used, on their side of the split; the others by name.

    Raises:
        TrainingDataError: a data set is missing.
    """
    sides: dict[bool, list[TrainingSample]] = {False: [], True: []}
    aside: list[SetAside] = []
    for source, study in _studies(shared_data):
        if isinstance(study, FailedInput):
            aside.append(SetAside(str(study.source), study.reason))
            continue
        sifted_study = sifted(
            sorted(study.partial_labels), lambda index, a=study, b=source: _sample(a, b, index)
        )
        sides[is_held_out(study)] += sifted_study.samples
        aside += sifted_study.set_aside
    return SharedSamples(tuple(sides[False]), tuple(sides[True]), tuple(aside))


def is_held_out(study: Study) -> bool:
    """True where the shipped weights were never fitted on the study's patient."""
    return study.split is Split.TEST or study.patient in MEDSEG_HELD_OUT


def samples_of_study(study: Study, source: str) -> Iterator[TrainingSample]:
    """The study's labelled slices, in their order."""
    for index in sorted(study.partial_labels):
        yield _sample(study, source, index)


def _sample(study: Study, source: str, index: int) -> TrainingSample:
    name = study.slice_names[index] if study.slice_names else str(index)
    return TrainingSample.of_slice(
        study.slices[index],
        study.intensity,
        study.partial_labels[index],
        source=source,
        patient=study.patient,
        name=f"{study.name}/{name}",
        spacing_mm=study.geometry.spacing_mm[1:] if study.geometry else None,
    )


def _studies(shared_data: Path) -> Iterator[tuple[str, Study | FailedInput]]:
    for source, read in ((COVID_CT_SEG, read_covid_ct_seg), (MEDSEG, read_medseg)):
        if not (shared_data / source).is_dir():
            raise TrainingDataError(
                f"{shared_data} holds no {source}; set LUNGLOOP_SHARED_DATA to the folder that does"
            )
        for study in read(shared_data / source):
            yield source, study

"""What the gate decides on: values that say where the figures come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from chestct.errors import TrainingDataError
from chestct.labels import LESIONS, Label
from training.evaluate.patient_score import PatientScore

# Champion and challenger on one patient, in this order.
Pair = tuple[PatientScore, PatientScore]
# Two patients have no spread to speak of, and a patient without a lesion proves nothing.
FEWEST_PATIENTS = 3
# Corrected patients are not held back for less: each look at them makes the next one weaker.
FEWEST_SLICES_FOR_PATIENTS = 24


class EvidenceSource(StrEnum):
    """Where patients that no compared fit has seen come from, strongest first."""

    OWN_TEST = "own test patients"
    REFERENCE = "reference labels"
    OWN_AND_REFERENCE = "own test patients and reference labels"
    CROSSED = "crossed corrections"
    NONE = "none"


class Serves(StrEnum):
    """What a new version pre-labels."""

    ALL = "all"
    OPEN_STUDIES = "open studies"
    NOTHING = "nothing"


@dataclass(frozen=True)
class UnseenEvidence:
    """Both models on patients that the challenger has not learned from.

    Args:
        source: what the reference of these patients is.
        pairs: champion and challenger, one pair a patient.
        earlier_looks: how many decisions have been taken on these patients before this one.
        found: patients with a lesion on each rung of the ladder, to say what is missing.
    """

    source: EvidenceSource
    pairs: Sequence[Pair]
    earlier_looks: int = 0
    found: Mapping[EvidenceSource, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SlicePair:
    """One corrected slice that the compared fit was kept from.

    Args:
        study: the study that it belongs to.
        index: of the slice in its study: neighbours go wrong together.
        champion, challenger: scores of this slice alone.
    """

    study: str
    index: int
    champion: PatientScore
    challenger: PatientScore


@dataclass(frozen=True)
class SliceChange:
    """One slice as both models see it, all in pixels; no truth is needed.

    Args:
        patient: whose slice.
        lung_pixels: lung and lesions as the champion sees them.
        champion_lesion, challenger_lesion: ground-glass and consolidation of each.
        common_lesion: lesion to both.
        same_kind: lesion of the same kind to both.
        lung_agreement: Dice between the lungs of both; None where neither sees any.
    """

    patient: str
    lung_pixels: int
    champion_lesion: int
    challenger_lesion: int
    common_lesion: int
    same_kind: int
    lung_agreement: float | None = None

    @classmethod
    def of(
        cls, patient: str, champion: npt.NDArray[np.uint8], challenger: npt.NDArray[np.uint8]
    ) -> "SliceChange":
        """Counted from two (H, W) uint8 label maps of one slice, values of Label."""
        before, after = np.isin(champion, LESIONS), np.isin(challenger, LESIONS)
        common = before & after
        lung_before, lung_after = champion != Label.BACKGROUND, challenger != Label.BACKGROUND
        lungs = int(lung_before.sum()) + int(lung_after.sum())
        return cls(
            patient,
            lung_pixels=int((champion != Label.BACKGROUND).sum()),
            champion_lesion=int(before.sum()),
            challenger_lesion=int(after.sum()),
            common_lesion=int(common.sum()),
            same_kind=int((common & (champion == challenger)).sum()),
            lung_agreement=2.0 * int((lung_before & lung_after).sum()) / lungs if lungs else None,
        )


@dataclass(frozen=True)
class DamageEvidence:
    """What a damaged model shows itself by.

    Args:
        phantoms: both models on phantoms, whose every pixel is known.
        changes: both models on slices of the installation, labelled or not.
    """

    phantoms: Sequence[Pair]
    changes: Sequence[SliceChange]


def strongest(
    own_test: Sequence[Pair],
    reference: Sequence[Pair],
    crossed: Sequence[Pair],
    looks: Mapping[EvidenceSource, int],
) -> UnseenEvidence:
    """The highest rung of the ladder with at least three patients who have a lesion.

    Args:
        own_test: patients read unassisted, slices never learned from.
        reference: patients with reference labels, not learned from.
        crossed: corrected patients, each scored by a fit that was kept from it; anchored, since the
            reader corrected a pre-label.
        looks: decisions already taken on the patients of each rung.
    Returns:
        The rung; `EvidenceSource.NONE` where each is short, with the pairs of the fullest.
    """
    both = (*own_test, *reference)
    rungs: dict[EvidenceSource, Sequence[Pair]] = {
        EvidenceSource.OWN_TEST: own_test,
        EvidenceSource.REFERENCE: reference,
        EvidenceSource.OWN_AND_REFERENCE: both,
        EvidenceSource.CROSSED: crossed,
    }
    found = {source: len(with_lesion(pairs)) for source, pairs in rungs.items()}
    for source, pairs in rungs.items():
        if found[source] >= FEWEST_PATIENTS:
            return UnseenEvidence(source, pairs, looks.get(source, 0), found)
    fullest = max(rungs, key=lambda source: found[source])
    return UnseenEvidence(EvidenceSource.NONE, rungs[fullest], 0, found)


def with_lesion(pairs: Sequence[Pair]) -> list[Pair]:
    """The patients whose labels show a lesion: only they can prove a gain."""
    return [pair for pair in pairs if pair[0].has_lesion]


def by_patient(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in order of the patients' names.

    Raises:
        TrainingDataError: a pair of different patients, or a patient twice.
    """
    for before, after in pairs:
        if before.patient != after.patient:
            raise TrainingDataError(
                f"{before.patient} of the champion stands beside {after.patient} of the challenger; "
                "score both on the same patients"
            )
    patients = [before.patient for before, _ in pairs]
    twice = sorted({patient for patient in patients if patients.count(patient) > 1})
    if twice:
        raise TrainingDataError(f"{', '.join(twice)} was scored twice; pool the slices of one patient")
    return sorted(pairs, key=lambda pair: pair[0].patient)

"""Synthetic logs of readers in which every effect is known, to try the estimates on."""

from dataclasses import dataclass

import numpy as np

from chestct.acquisition.allocation import Arm
from chestct.reader_study.changes import Changes
from chestct.reader_study.reading import Reading


@dataclass(frozen=True)
class PhantomReaders:
    """How the synthetic readers work.

    Args:
        patients, slices_per_patient: what there is to read; each slice is read once.
        readers: each has a pace of their own (a factor, log-normal) and reads a share of the slices.
        saved_seconds: what an unassisted slice takes longer than the same slice with a pre-label.
        saving_grows: the saving is in proportion to how difficult the slice is, with that mean.
        automation_bias: lesion Dice with the model that showing its pre-label adds.
        control_share, unassisted_share: of the slices.
        gained_pixels: what a slice of the active arm has more to correct.
        lunch_share: tasks left open over a break of 20 to 60 minutes.
    """

    patients: int = 40
    slices_per_patient: int = 12
    readers: int = 4
    saved_seconds: float = 20.0
    saving_grows: bool = False
    automation_bias: float = 0.08
    control_share: float = 0.10
    unassisted_share: float = 0.05
    gained_pixels: float = 150.0
    lunch_share: float = 0.02


# Seconds of a middling slice with its pre-label, and spreads of logarithms: of patients, slices, tasks.
_MIDDLING, _PATIENT, _SLICE, _TASK, _PACE = 45.0, 0.3, 0.3, 0.4, 0.4
_SIDE_PIXELS = 600.0


def phantom_log(seed: int, given: PhantomReaders | None = None) -> list[Reading]:
    """One log; the same seed gives the same one.

    Times are log-normal around the reader's pace and the difficulty of patient and slice, and some hold
    a lunch break. Pixels are heavy-tailed too.
    """
    given = given or PhantomReaders()
    rng = np.random.default_rng(seed)
    count = given.patients * given.slices_per_patient
    patients = np.repeat(np.arange(given.patients), given.slices_per_patient)
    hard = rng.normal(0, _PATIENT, given.patients)[patients] + rng.normal(0, _SLICE, count)
    pace = rng.normal(0, _PACE, given.readers)
    # Readers work unequal hours.
    reader = rng.choice(given.readers, size=count, p=rng.dirichlet(np.full(given.readers, 4.0)))
    unassisted = rng.random(count) < given.unassisted_share
    control = rng.random(count) < given.control_share
    seconds = _MIDDLING * np.exp(hard + pace[reader] + rng.normal(0, _TASK, count))
    growth = np.exp(hard - (_PATIENT**2 + _SLICE**2) / 2) if given.saving_grows else 1.0
    seconds = seconds + np.where(unassisted, given.saved_seconds * growth, 0.0)
    at_lunch = rng.random(count) < given.lunch_share
    seconds = seconds + np.where(at_lunch, rng.uniform(1200, 3600, count), 0.0)
    # Far enough from 1 that hardly any is cut off: a cut would make the bias smaller than it is given.
    dice = np.clip(
        rng.normal(0.7 - 0.05 * hard, 0.09) - np.where(unassisted, given.automation_bias, 0.0), 0.0, 0.99
    )
    pixels = _SIDE_PIXELS * np.exp(hard + rng.normal(0, 0.6, count)) + np.where(
        control, 0, given.gained_pixels
    )
    return [
        Reading(
            correction_id=at,
            slice_id=at,
            study_id=int(patients[at]),
            study_name=f"study-{patients[at]:03}",
            slice_index=at % given.slices_per_patient,
            patient=f"patient-{patients[at]:03}",
            annotator=f"reader-{reader[at]}",
            project_uid="1:2026",
            task_id=at,
            updated_at="2026-03-01T09:00:00.000000Z",
            received_at="2026-03-01T09:00:00.000000Z",
            arm=Arm.CONTROL if control[at] else Arm.ACTIVE,
            prelabelled=not unassisted[at],
            shown_version=None if unassisted[at] else "base-1",
            lead_time_seconds=float(seconds[at]),
            changes=_changes(int(pixels[at]), float(dice[at])),
        )
        for at in range(count)
    ]


def _changes(changed: int, dice: float) -> Changes:
    """As many pixels drawn as cleared, of a lesion whose size makes that Dice of it."""
    added, removed = changed // 2, changed - changed // 2
    lesion = round(changed / (2 * (1 - dice)))
    return Changes("base-1", added, removed, 0, 0, changed, lesion, lesion + added - removed, dice)

"""Which patients are held back for testing: decided once, by patient, never by slice."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from chestct.errors import InputError
from chestct.labels import Split

# A fifth of the labelled patients: enough to see a regression, few enough to leave data to learn from.
TEST_SHARE = 0.20
# Fewer labelled patients than this leave nothing to train on once one is held back.
FEWEST_LABELLED_PATIENTS = 3

# Of patients without reference labels: of fewer, those held back would cost more learning than they can show.
FEWEST_UNLABELLED_PATIENTS = 12
# On fewer than 3 patients no difference can be told; 12 of five slices each are an hour of reading, and more
# would tell little more (docs/adr/0024).
FEWEST_OWN_TEST_PATIENTS, MOST_OWN_TEST_PATIENTS = 3, 12
# So many test patients with reference labels judge a model as well, at no cost to readers.
ENOUGH_LABELLED_TEST_PATIENTS = 3
# Apex and base of a chest hold little to be judged by: the middle 80 % of a study.
_FIRST_POSITION, _LAST_POSITION = 0.10, 0.90

# Adding studies, freezing patients and starting a retrain all rest on the splits, so they wait for
# each other.
SPLITS_TOPIC = "splits"


@dataclass(frozen=True)
class OwnTesting:
    """How much of the readers' work goes into judging models; by default nothing.

    Args:
        share: of the patients without reference labels that is held back, in [0, 0.5].
        slices: of each such patient that are read early and unassisted, 0 to 20.
    Raises:
        InputError: a number outside.
    """

    share: float = 0.0
    slices: int = 0

    def __post_init__(self) -> None:
        if not (0.0 <= self.share <= 0.5 and 0 <= self.slices <= 20):
            raise InputError(
                "own testing",
                f"is {self.share} of patients, {self.slices} slices; expected 0 to 0.5, 0 to 20",
            )

    @property
    def is_wanted(self) -> bool:
        return self.share > 0.0 and self.slices > 0


def own_test_patients_wanted(unlabelled: int, labelled_test: int, share: float) -> int:
    """How many patients without reference labels are to be test patients.

    Args:
        unlabelled: patients without reference labels, on either side of the split.
        labelled_test: test patients with reference labels.
        share: in [0, 0.5]; 0 wants none.
    """
    if share <= 0.0 or unlabelled < FEWEST_UNLABELLED_PATIENTS:
        return 0
    if labelled_test >= ENOUGH_LABELLED_TEST_PATIENTS:
        return 0
    return min(max(int(share * unlabelled + 0.5), FEWEST_OWN_TEST_PATIENTS), MOST_OWN_TEST_PATIENTS)


def evenly_spaced(free: Sequence[int], slice_count: int, wanted: int) -> list[int]:
    """Positions spread over the middle of a study, each the free one nearest to where it should be.

    No model is asked, so the choice favours none and takes slices without lesion too.

    Args:
        free: positions that may be chosen, from 0.
        slice_count: of the study.
        wanted: how many.
    Returns:
        At most `wanted` positions, ascending; fewer where too few are free.
    """
    first, last = _FIRST_POSITION * (slice_count - 1), _LAST_POSITION * (slice_count - 1)
    left = {position for position in free if round(first) <= position <= round(last)}
    step = (last - first) / (wanted - 1) if wanted > 1 else 0.0
    start = first if wanted > 1 else (first + last) / 2
    chosen: list[int] = []
    for number in range(wanted):
        target = start + number * step
        nearest = min(left, key=lambda position: (abs(position - target), position), default=None)
        if nearest is not None:
            left.remove(nearest)
            chosen.append(nearest)
    return sorted(chosen)


def patient_bucket(patient: str) -> float:
    """The patient's fixed place in [0, 1), the same on every machine and in every order of imports."""
    digest = hashlib.sha256(f"split:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def first_split(patient: str, given: Split | None, labelled: bool) -> Split:
    """The split of a patient that the catalog meets for the first time.

    Args:
        given: what the source fixes; it decides where present.
        labelled: whether the study brings reference labels. A test patient needs them, because
            readers' corrections never enter the frozen test set.
    """
    if given is not None:
        return given
    return Split.TEST if labelled and patient_bucket(patient) < TEST_SHARE else Split.TRAIN

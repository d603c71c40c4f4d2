"""Which patients are held back for testing: decided once, by patient, never by slice."""

import hashlib

from chestct.labels import Split

# A fifth of the labelled patients: enough to see a regression, few enough to leave data to learn from.
TEST_SHARE = 0.20
# Fewer labelled patients than this leave nothing to train on once one is held back.
FEWEST_LABELLED_PATIENTS = 3

# Adding studies, freezing patients and starting a retrain all rest on the splits, so they wait for
# each other.
SPLITS_TOPIC = "splits"


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

"""The ladder of evidence: the highest rung with three patients who have a lesion."""

import numpy as np

from training.evaluate.patient_score import PatientScore
from training.retraining.gate_evidence import EvidenceSource, Pair, SliceChange, strongest


def _patients(name: str, count: int, lesion_pixels: int = 10) -> list[Pair]:
    scores = [
        PatientScore(f"{name}{number}", 0.5, true_lesion_pixels=lesion_pixels) for number in range(count)
    ]
    return [(score, score) for score in scores]


def test_own_test_patients_come_first_then_reference_labels_then_corrections() -> None:
    own, reference, crossed = _patients("o", 3), _patients("r", 3), _patients("c", 3)
    assert strongest(own, reference, crossed, {}).source is EvidenceSource.OWN_TEST
    assert strongest(own[:2], reference, crossed, {}).source is EvidenceSource.REFERENCE
    assert strongest(own[:2], reference[:1], crossed, {}).source is EvidenceSource.OWN_AND_REFERENCE
    assert strongest(own[:1], reference[:1], crossed, {}).source is EvidenceSource.CROSSED
    short = strongest(own[:1], [], crossed[:2], {})
    assert short.source is EvidenceSource.NONE
    assert short.found[EvidenceSource.OWN_TEST] == 1 and short.found[EvidenceSource.CROSSED] == 2


def test_patients_without_a_lesion_do_not_make_a_rung() -> None:
    assert strongest(_patients("o", 9, 0), [], _patients("c", 3), {}).source is EvidenceSource.CROSSED


def test_lesion_free_patients_go_along_to_show_false_lesions() -> None:
    assert len(strongest([*_patients("o", 3), *_patients("h", 2, 0)], [], [], {}).pairs) == 5


def test_looks_are_those_at_the_patients_of_the_rung() -> None:
    looks = {
        EvidenceSource.OWN_TEST: 2,
        EvidenceSource.REFERENCE: 3,
        EvidenceSource.OWN_AND_REFERENCE: 1,
        EvidenceSource.CROSSED: 5,
    }
    own, reference = _patients("o", 3), _patients("r", 3)
    assert strongest(own, [], [], looks).earlier_looks == 2
    assert strongest([], reference, [], looks).earlier_looks == 3
    assert strongest(own[:2], reference[:2], [], looks).earlier_looks == 1
    assert strongest([], [], _patients("c", 3), looks).earlier_looks == 5


def test_a_change_is_counted_from_two_label_maps() -> None:
    before = np.array([[0, 3, 1, 2], [0, 3, 1, 1]], np.uint8)
    after = np.array([[0, 1, 1, 1], [3, 3, 3, 2]], np.uint8)
    # Lesion before 4, after 4, both 3, of which one pixel keeps its kind. Lungs: 6 of 6 and 7 pixels.
    assert SliceChange.of("p", before, after) == SliceChange("p", 6, 4, 4, 3, 1, 12 / 13)

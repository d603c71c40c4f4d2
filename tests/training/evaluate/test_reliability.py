import numpy as np
import pytest

from chestct.labels import Label
from chestct.partial_labels import from_label_map, from_masks, told_apart
from training.evaluate.reliability import Reliability, at_temperature, judged

EACH = tuple((label,) for label in Label)


def of(*pairs: tuple[float, bool]) -> Reliability:
    confidence, correct = zip(*pairs, strict=True)
    return Reliability.of(np.array(confidence), np.array(correct))


def test_the_error_is_the_gap_between_confidence_and_accuracy():
    # 4 pixels at 0.9, 3 right: |0.9 - 0.75|.
    assert of((0.9, True), (0.9, True), (0.9, True), (0.9, False)).error() == pytest.approx(0.15)


def test_bins_weigh_by_their_pixels():
    # One pixel at 0.5, wrong: gap 0.5. Three at 1.0, right: gap 0. (1 * 0.5 + 3 * 0) / 4.
    assert of((0.5, False), (1.0, True), (1.0, True), (1.0, True)).error() == pytest.approx(0.125)


def test_too_sure_in_one_bin_is_not_made_up_for_by_too_modest_in_another():
    assert of((0.99, False), (0.5, True)).error() == pytest.approx((0.99 + 0.5) / 2)


def test_slices_add_up_and_nothing_has_no_error():
    parts = of((0.9, True)) + of((0.9, False))
    assert parts.rows() == of((0.9, True), (0.9, False)).rows()
    assert parts.rows() == [{"confidence": 0.9, "accuracy": 0.5, "pixels": 2}]
    assert Reliability().error() is None


def test_with_full_labels_the_likeliest_class_is_judged():
    probabilities = np.array([[0.1, 0.7], [0.6, 0.1], [0.2, 0.1], [0.1, 0.1]])
    found = judged(probabilities, from_label_map(np.array([1, 3], np.uint8)), EACH)
    assert found.rows() == [
        {"confidence": 0.6, "accuracy": 1.0, "pixels": 1},
        {"confidence": 0.7, "accuracy": 0.0, "pixels": 1},
    ]


def test_where_kinds_are_not_labelled_the_lesion_is_judged_as_one_class():
    # 0.3 ground-glass + 0.3 consolidation outweigh 0.4 lung, and the label says "lesion".
    known = from_masks(np.array([[True, False]]), np.array([[True, False]]))
    pixel = np.array([[0.0], [0.3], [0.3], [0.4]])
    assert judged(pixel, known[0, :1], told_apart(known)).rows() == [
        {"confidence": 0.6, "accuracy": 1.0, "pixels": 1}
    ]


def test_a_temperature_and_its_inverse_undo_each_other():
    probabilities = np.array([[0.7, 0.1], [0.1, 0.2], [0.1, 0.3], [0.1, 0.4]])
    warmer = at_temperature(probabilities, 2.0)
    # Square roots of 0.7 and 0.1, normalised.
    assert warmer[0, 0] == pytest.approx(np.sqrt(0.7) / (np.sqrt(0.7) + 3 * np.sqrt(0.1)))
    assert at_temperature(warmer, 0.5) == pytest.approx(probabilities)

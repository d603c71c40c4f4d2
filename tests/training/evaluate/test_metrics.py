import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chestct.labels import LESIONS, Label
from chestct.partial_labels import UNKNOWN, from_label_map, from_lesion_label_map, from_masks
from training.evaluate.metrics import Counts, bootstrap_interval, counts_of, mean_iou

LUNG = (*LESIONS, Label.LUNG)


def label_map(*rows: str) -> np.ndarray:
    return np.array([[int(value) for value in row] for row in rows], dtype=np.uint8)


def test_dice_and_iou_come_from_counted_pixels():
    counts = Counts(true_positive=3, false_positive=1, false_negative=2)
    assert counts.dice() == pytest.approx(6 / 9)
    assert counts.iou() == pytest.approx(3 / 6)


def test_a_class_that_neither_side_shows_has_no_ratio():
    assert Counts().dice() is None
    assert Counts().iou() is None


def test_counts_of_slices_add_up_to_those_of_the_volume():
    assert Counts(1, 2, 3) + Counts(10, 20, 30) == Counts(11, 22, 33)


def test_counts_compare_the_prediction_with_the_truth():
    truth = from_label_map(label_map("0011", "0022"))
    predicted = label_map("0111", "0002")
    assert counts_of(predicted, truth, LESIONS) == Counts(3, 1, 1)
    assert counts_of(predicted, truth, (Label.GROUND_GLASS,)) == Counts(2, 1, 0)
    assert counts_of(predicted, truth, (Label.CONSOLIDATION,)) == Counts(1, 0, 1)


def test_one_kind_of_lesion_has_no_score_where_the_truth_says_only_lesion():
    lesion = np.array([[False, True]])
    truth = from_masks(lesion, np.array([[True, True]]))
    assert counts_of(label_map("31"), truth, (Label.GROUND_GLASS,)) is None
    assert counts_of(label_map("31"), truth, LESIONS) == Counts(1, 0, 0)
    assert counts_of(label_map("31"), truth, LUNG) == Counts(2, 0, 0)


def test_lung_has_no_score_where_a_reader_drew_lesions_only():
    truth = from_lesion_label_map(label_map("01"))
    assert counts_of(label_map("31"), truth, LUNG) is None
    assert counts_of(label_map("31"), truth, LESIONS) == Counts(1, 0, 0)


def test_pixels_that_nobody_looked_at_count_for_nothing():
    truth = from_label_map(label_map("01"))
    truth[0, 0] = UNKNOWN
    assert counts_of(label_map("11"), truth, LESIONS) == Counts(1, 0, 0)


def test_a_slice_that_nobody_looked_at_has_no_counts():
    assert counts_of(label_map("11"), np.full((1, 2), UNKNOWN), LESIONS) is None


def test_mean_iou_is_over_the_four_classes_where_all_are_labelled():
    iou = {"ground_glass": 0.4, "consolidation": 0.2, "healthy_lung": 0.8, "background": 1.0}
    # Groups of several classes do not count beside their parts.
    assert mean_iou({**iou, "lesion": 0.0, "lung": 0.0, "not_lesion": 0.0}) == pytest.approx(0.6)


def test_mean_iou_takes_what_the_labels_tell_apart():
    kinds_unknown = {"lesion": 0.6, "healthy_lung": 0.8, "background": 1.0, "lung": 0.9, "not_lesion": 0.9}
    assert mean_iou(kinds_unknown) == pytest.approx(0.8)
    lungs_unknown = {"lesion": 0.5, "ground_glass": 0.4, "consolidation": 0.2, "not_lesion": 0.9}
    assert mean_iou(lungs_unknown) == pytest.approx(0.5)


def test_mean_iou_leaves_out_a_class_that_neither_side_shows():
    assert mean_iou({"ground_glass": 0.4, "consolidation": None, "not_lesion": 0.8}) == pytest.approx(0.6)
    assert mean_iou({"lesion": None}) is None


maps = arrays.arrays(np.uint8, (4, 4), elements=st.integers(0, 3))


@given(maps, maps)
def test_dice_is_symmetric_and_bounded(first, second):
    forth = counts_of(first, from_label_map(second), LESIONS)
    back = counts_of(second, from_label_map(first), LESIONS)
    assert forth is not None
    assert back is not None
    assert forth.dice() == back.dice()
    assert forth.dice() is None or 0 <= forth.dice() <= 1


def test_an_interval_of_equal_values_has_no_width():
    assert bootstrap_interval([0.7, 0.7, 0.7], seed=1) == pytest.approx((0.7, 0.7))


def test_an_interval_holds_the_mean_and_repeats_with_its_seed():
    values = [0.2, 0.5, 0.6, 0.9]
    low, high = bootstrap_interval(values, seed=1)
    assert 0.2 <= low < 0.55 < high <= 0.9
    assert bootstrap_interval(values, seed=1) == (low, high)

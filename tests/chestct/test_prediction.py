import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chestct.inference.uncertainty import confidence, normalised_entropy
from chestct.labels import Label
from chestct.prediction import SlicePrediction, fraction_of_lung, most_probable, without_minor_kinds


def pixel(*probabilities: float) -> np.ndarray:
    """(4, 1, 1) in the order background, ground-glass, consolidation, lung."""
    return np.array(probabilities, dtype=np.float32).reshape(4, 1, 1)


def test_a_lesion_of_doubtful_kind_is_still_a_lesion():
    assert most_probable(pixel(0.0, 0.31, 0.30, 0.39)) == Label.GROUND_GLASS


def test_the_likelier_kind_is_drawn():
    assert most_probable(pixel(0.0, 0.3, 0.6, 0.1)) == Label.CONSOLIDATION


def test_healthy_lung_and_background_are_told_apart():
    assert most_probable(pixel(0.2, 0.1, 0.1, 0.6)) == Label.LUNG
    assert most_probable(pixel(0.6, 0.1, 0.1, 0.2)) == Label.BACKGROUND


def test_fractions_are_of_the_lung_with_its_lesions():
    prediction = SlicePrediction(np.array([[0, 0, 3, 3], [3, 1, 1, 2]], np.uint8), 0.5, 0.5)
    assert prediction.ground_glass_fraction == pytest.approx(2 / 6)
    assert prediction.consolidation_fraction == pytest.approx(1 / 6)


def test_a_picture_without_lung_has_no_disease():
    assert fraction_of_lung(np.zeros((2, 2), np.uint8), (Label.GROUND_GLASS,)) == 0.0


def test_entropy_is_0_for_certainty_and_1_for_ignorance():
    assert normalised_entropy(pixel(0, 0, 0, 1)).item() == pytest.approx(0.0, abs=1e-5)
    assert normalised_entropy(pixel(0.25, 0.25, 0.25, 0.25)).item() == pytest.approx(1.0)


def test_an_unsure_lesion_lowers_the_confidence_of_a_slice():
    sure = np.repeat(pixel(0.0, 0.0, 0.0, 1.0), 4, axis=2)
    unsure = sure.copy()
    unsure[:, 0, 0] = (0.1, 0.4, 0.2, 0.3)
    assert confidence(sure, normalised_entropy(sure)) == pytest.approx(1.0)
    assert confidence(unsure, normalised_entropy(unsure)) < 0.9


def test_a_few_unsure_pixels_in_a_picture_without_lung_do_not_make_it_urgent():
    picture = np.repeat(np.repeat(pixel(1.0, 0.0, 0.0, 0.0), 100, axis=1), 100, axis=2)
    picture[:, 0, 0] = (0.4, 0.3, 0.3, 0.0)
    # 1 pixel of a zone that counts as 2 % of 10 000.
    assert confidence(picture, normalised_entropy(picture)) > 0.99


def test_a_threshold_decides_lesions_by_their_own_probability():
    doubtful = pixel(0.1, 0.3, 0.12, 0.48)
    assert most_probable(doubtful) == Label.LUNG
    assert most_probable(doubtful, lesion_threshold=0.4) == Label.GROUND_GLASS
    assert most_probable(doubtful, lesion_threshold=0.45) == Label.LUNG


def lesion(ground_glass: int, consolidation: int) -> np.ndarray:
    """(3, N) map: one lesion in the middle row, ground-glass left of consolidation, lung around it."""
    row = [3, *[1] * ground_glass, *[2] * consolidation, 3]
    return np.array([[3] * len(row), row, [3] * len(row)], np.uint8)


def test_a_speck_of_one_kind_becomes_the_other():
    np.testing.assert_array_equal(without_minor_kinds(lesion(100, 1), 0.01), lesion(101, 0))
    np.testing.assert_array_equal(without_minor_kinds(lesion(1, 100), 0.01)[1, 1:-1], [2] * 101)


def test_a_kind_of_the_smallest_share_stays():
    for drawn in (lesion(99, 1), lesion(1, 99), lesion(50, 50)):
        assert without_minor_kinds(drawn, 0.01) is drawn


def test_each_lesion_counts_alone_and_one_of_a_single_kind_stays():
    small_and_large = np.hstack([lesion(0, 1), lesion(200, 0), lesion(200, 1)])
    joined = np.hstack([lesion(0, 1), lesion(200, 0), lesion(201, 0)])
    np.testing.assert_array_equal(without_minor_kinds(small_and_large, 0.01), joined)


def test_lesions_that_touch_by_a_corner_are_two():
    corner = np.array([[1] * 200 + [0], [0] * 200 + [2]], np.uint8)
    assert without_minor_kinds(corner, 0.01) is corner


def test_a_share_of_nothing_changes_nothing():
    drawn = lesion(1000, 1)
    assert without_minor_kinds(drawn, 0.0) is drawn


@given(arrays(np.uint8, (12, 9), elements=st.integers(0, 3)), st.floats(0, 0.5))
def test_what_is_a_lesion_stays_one_and_the_rest_is_untouched(label_map, share):
    before = label_map.copy()
    after = without_minor_kinds(label_map, share)
    np.testing.assert_array_equal(label_map, before)
    is_lesion = (before == 1) | (before == 2)
    np.testing.assert_array_equal((after == 1) | (after == 2), is_lesion)
    np.testing.assert_array_equal(after[~is_lesion], before[~is_lesion])
    np.testing.assert_array_equal(without_minor_kinds(after, share), after)

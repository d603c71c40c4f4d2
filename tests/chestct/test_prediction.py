import numpy as np
import pytest

from chestct.labels import Label
from chestct.prediction import SlicePrediction, fraction_of_lung, most_probable
from chestct.uncertainty import confidence, normalised_entropy


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

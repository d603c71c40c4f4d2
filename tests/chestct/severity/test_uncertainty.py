"""The model's uncertainty of an involvement, from sums small enough to work out by hand."""

import numpy as np
import pytest

from chestct.severity.uncertainty import involvement_uncertainty_percent, lesion_sums


def probabilities(lesion: list[float]) -> np.ndarray:
    """(4, 1, W): half of each lesion ground-glass, half consolidation, the rest lung."""
    half = np.array([lesion], np.float32) / 2
    return np.stack([np.zeros_like(half), half, half, 1 - 2 * half])


def lungs(slices: int, lesion: int = 0) -> np.ndarray:
    """(S, 1, 100) of lung, so many pixels of the first slice ground-glass."""
    label_maps = np.full((slices, 1, 100), 3, np.uint8)
    label_maps[0, 0, :lesion] = 1
    return label_maps


def test_a_slice_expects_the_sum_of_p_and_deviates_by_the_sum_of_root_p_1_minus_p() -> None:
    # 0.9 and 0.5 and 1: expected 2.4, deviation 0.3 + 0.5 + 0.
    assert lesion_sums(probabilities([0.9, 0.5, 1.0])) == pytest.approx((2.4, 0.8), abs=1e-5)


def test_the_residue_of_a_softmax_over_many_pixels_is_no_lesion() -> None:
    assert lesion_sums(probabilities([0.01] * 1000)) == (0.0, 0.0)


def test_a_sure_model_that_expects_what_it_drew_has_no_uncertainty() -> None:
    assert involvement_uncertainty_percent(lungs(2, lesion=10), [10.0, 0.0], [0.0, 0.0], 8.0) == 0.0


def test_what_is_expected_beyond_the_mask_counts() -> None:
    # 8 pixels more than drawn, of 200 of lung.
    assert involvement_uncertainty_percent(
        lungs(2, lesion=10), [18.0, 0.0], [0.0, 0.0], 8.0
    ) == pytest.approx(4.0)


def test_near_slices_are_wrong_together_and_far_ones_are_not() -> None:
    # Two slices of 3 pixels each among 200: 6 of 200 together, sqrt(18) of 200 apart.
    near, far = (involvement_uncertainty_percent(lungs(2), [0, 0], [3, 3], apart) for apart in (0.0, 1e6))
    assert near == pytest.approx(3.0)
    assert far == pytest.approx(100 * np.sqrt(18) / 200)


def test_thinner_slices_of_the_same_patient_do_not_make_the_uncertainty_vanish() -> None:
    thick = involvement_uncertainty_percent(lungs(10), [0] * 10, [3] * 10, 8.0)
    thin = involvement_uncertainty_percent(lungs(80), [0] * 80, [3] * 80, 1.0)
    assert thin == pytest.approx(thick, rel=0.1)


def test_without_lung_there_is_nothing_uncertain() -> None:
    assert involvement_uncertainty_percent(np.zeros((2, 1, 4), np.uint8), [0, 0], [1, 1], 8.0) == 0.0

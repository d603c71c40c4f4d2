"""Areas and paired tests on numbers that are counted by hand."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from chestct.errors import InputError
from training.simulate.statistics import area, holm, patient_weights, sign_flip_p, two_way_interval

ONE = np.ones(1)


def test_an_area_is_the_mean_height_of_straight_lines() -> None:
    # 0 at 0, 1 at 10, 1 at 20: half of the first stretch, all of the second.
    assert area([0, 10, 20], [0.0, 1.0, 1.0], 0, 20) == pytest.approx(0.75)
    # From 5 (height 0.5) to 15: a trapeze of 0.75 and a square of 1, equally long.
    assert area([0, 10, 20], [0.0, 1.0, 1.0], 5, 15) == pytest.approx((0.75 + 1.0) / 2)


def test_an_area_over_no_distance_is_the_height_there() -> None:
    assert area([0, 10], [0.2, 0.4], 5, 5) == pytest.approx(0.3)


def test_a_curve_is_never_continued_beyond_its_ends() -> None:
    with pytest.raises(InputError, match="0 to 10"):
        area([0, 10], [0.2, 0.4], 0, 11)


def test_two_equal_gains_are_as_likely_by_chance_as_one_in_two() -> None:
    # Signs ++, +-, -+, --: sums 2, 0, 0, -2; two of four are as far from 0 as the one seen.
    assert sign_flip_p(np.array([[1.0], [1.0]]), ONE) == 0.5


def test_five_equal_gains_leave_2_of_32_sign_patterns() -> None:
    assert sign_flip_p(np.ones((5, 1)), ONE) == 2 / 32


def test_gains_and_losses_of_one_size_are_no_evidence() -> None:
    assert sign_flip_p(np.array([[1.0], [-1.0]]), ONE) == 1.0


def test_no_difference_at_all_is_no_evidence() -> None:
    assert sign_flip_p(np.zeros((3, 4)), np.full(4, 0.25)) == 1.0


def test_many_pairs_are_drawn_and_still_tell_a_gain_from_chance() -> None:
    rng = np.random.default_rng(5)
    chance = rng.normal(0.0, 1.0, (3, 15))
    weights = np.full(15, 1 / 15)
    assert sign_flip_p(chance + 1.5, weights) < 0.001
    assert sign_flip_p(chance - chance.mean(), weights) > 0.9


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=8))
def test_p_is_the_same_for_a_gain_and_an_equal_loss(differences: list[float]) -> None:
    column = np.array(differences)[:, None]
    found = sign_flip_p(column, ONE)
    assert found == sign_flip_p(-column, ONE)
    assert 0 < found <= 1


def test_each_source_weighs_the_same_then_each_of_its_patients() -> None:
    assert patient_weights(["a", "b", "b"]).tolist() == [0.5, 0.25, 0.25]


def test_an_interval_of_equal_differences_has_no_width() -> None:
    assert two_way_interval(np.full((3, 4), 0.1), ["a", "a", "b", "b"]) == pytest.approx((0.1, 0.1))


def test_an_interval_knows_that_patients_of_a_seed_rise_and_fall_together() -> None:
    # One lucky seed of two: four pairs say +1, four say 0, but only two draws of a seed were made.
    low, high = two_way_interval(np.array([[1.0] * 4, [0.0] * 4]), ["a"] * 4)
    assert (low, high) == (0.0, 1.0)


def test_an_interval_never_draws_one_source_away() -> None:
    # Source a gains 1, source b nothing; by source they weigh one half each in every resample.
    differences = np.array([[1.0, 1.0, 0.0, 0.0]])
    assert two_way_interval(differences, ["a", "a", "b", "b"]) == pytest.approx((0.5, 0.5))


def test_holm_by_hand() -> None:
    # Sorted 0.01 x 3, 0.03 x 2, 0.04 x 1; none may fall below the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_an_adjusted_p_is_never_smaller_and_never_above_1(p_values: list[float]) -> None:
    for before, after in zip(p_values, holm(p_values), strict=True):
        assert before <= after <= 1

"""The gate's arithmetic, against values worked out by hand."""

from math import inf, sqrt

import numpy as np
import pytest

from training.retraining.gate_statistics import (
    LOOKS,
    MeanChange,
    change_of_patients,
    change_of_slices,
    needed_difference,
    needed_of_patients,
    neighbour_correlation,
    share_of_look,
)


def test_the_shares_of_all_looks_sum_to_one_and_fall() -> None:
    shares = [share_of_look(look) for look in range(1, LOOKS + 1)]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    assert share_of_look(LOOKS + 1) == 0.0


def test_the_mean_of_patients_has_student_s_bound() -> None:
    change = change_of_patients(np.array([0.0, 0.1, 0.2]))
    # SD 0.1, t(0.95, 2) = 2.920.
    assert change.standard_error == pytest.approx(0.1 / sqrt(3))
    assert change.lower(0.05) == pytest.approx(0.1 - 2.920 * 0.1 / sqrt(3), abs=1e-4)


def test_patients_who_agree_by_luck_keep_a_smallest_spread() -> None:
    assert change_of_patients(np.array([0.02] * 4)).standard_error == pytest.approx(0.005)


def test_one_patient_has_no_spread() -> None:
    change = change_of_patients(np.array([0.3]))
    assert change.interval() is None
    assert needed_of_patients(change, 1, 1) == inf


def test_what_is_needed_is_above_chance_and_surely_above_the_margin() -> None:
    # Many degrees of freedom: z(0.8) = 0.842 and z(0.95) = 1.645.
    assert needed_difference(MeanChange(0.0, 0.01, 1e6)) == pytest.approx(0.00842, abs=1e-4)
    assert needed_difference(MeanChange(0.0, 0.1, 1e6)) == pytest.approx(0.1645 - 0.02, abs=1e-4)


def test_few_patients_must_show_more_than_one_with_rare_losses_would() -> None:
    # Nine in ten gain 0.025 / 0.9 where one in ten loses 0.25 and the mean is 0.
    assert needed_of_patients(MeanChange(0.0, 1e-6, 9.0), 10, 1) == pytest.approx(0.0278, abs=1e-3)
    # Of 40 patients one would have shown it.
    assert needed_of_patients(MeanChange(0.0, 1e-6, 39.0), 40, 1) < 0.001


def test_independent_slices_of_one_weight_are_a_plain_mean() -> None:
    values = np.array([0.0, 0.1, 0.3, 0.2])
    change = change_of_slices(values, np.ones(4), np.eye(4))
    assert change.difference == pytest.approx(0.15)
    assert change.standard_error == pytest.approx(values.std(ddof=1) / 2)
    assert change.freedom == pytest.approx(3.0)


def test_neighbours_count_for_less_than_strangers() -> None:
    values, near = np.array([0.0, 0.1, 0.3, 0.2]), np.arange(4)
    one_study = neighbour_correlation(["a"] * 4, near)
    assert one_study[0].tolist() == pytest.approx([1.0, 0.75, 0.5625, 0.421875])
    assert neighbour_correlation(list("abcd"), near).tolist() == np.eye(4).tolist()
    together = change_of_slices(values, np.ones(4), one_study)
    apart = change_of_slices(values, np.ones(4), np.eye(4))
    assert together.standard_error > apart.standard_error
    assert together.freedom < apart.freedom

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chestct.reader_study.resampling import Draws, percentile_interval, student_t
from chestct.reader_study.robust import medians, resampled_means, trimmed_means


def _once(values):
    return np.asarray(values, float), np.ones((1, len(values)))


def test_a_fifth_at_each_end_does_not_count():
    assert trimmed_means(*_once([1, 2, 3, 4, 1000])) == pytest.approx(3)
    assert trimmed_means(*_once([5, 1, 3]), trim=0.0) == pytest.approx(3)


def test_a_weight_stands_for_copies_of_a_value():
    values = np.array([7.0, 1.0, 4.0])
    weights = np.array([[2.0, 1.0, 3.0]])
    copies = _once([7, 7, 1, 4, 4, 4])
    assert trimmed_means(values, weights) == pytest.approx(trimmed_means(*copies))
    assert medians(values, weights).tolist() == medians(*copies).tolist() == [4.0]


def test_nothing_drawn_has_no_figure():
    assert np.isnan(trimmed_means(np.array([1.0]), np.zeros((1, 1)))[0])
    assert np.isnan(medians(np.array([1.0]), np.zeros((1, 1)))[0])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(-100, 100))
def test_a_shift_of_all_values_shifts_the_typical_one_alike(values, shift):
    values, once = _once(values)
    for typical in (trimmed_means, medians):
        assert typical(values + shift, once) == pytest.approx(typical(values, once) + shift, abs=1e-6)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_trimming_and_medians_are_those_of_scipy_and_numpy(values):
    assert medians(*_once(values)) == pytest.approx(np.median(values))
    if len(values) % 5 == 0:  # scipy trims whole values only
        assert trimmed_means(*_once(values)) == pytest.approx(stats.trim_mean(values, 0.2), abs=1e-6)


@pytest.mark.parametrize("freedom", [3, 5, 10, 40])
def test_quantiles_of_student_are_close(freedom):
    assert student_t(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.01)


def test_all_readings_of_a_patient_are_drawn_together():
    patients = [name for name in "abcde" for _ in range(3)]
    draws = Draws.of(patients, list(range(15)), seed=1, resamples=50)
    assert (draws.by, draws.units) == ("patient", 5)
    (weights,) = draws.weights(np.arange(15))
    assert (weights.sum(axis=1) == 15).all()
    assert (weights.reshape(50, 5, 3) == weights.reshape(50, 5, 3)[:, :, :1]).all()


def test_slices_are_drawn_where_patients_are_too_few():
    draws = Draws.of(["a", "a", "b", "b"], [1, 2, 3, 3], seed=1, resamples=10)
    assert (draws.by, draws.units) == ("slice", 3)


def test_the_plain_mean_by_totals_is_the_mean_by_weights():
    draws = Draws.of(list("abcdefg"), list(range(7)), seed=2, resamples=20)
    values, rows = np.arange(7.0) ** 2, np.array([0, 2, 5])
    (weights,) = draws.weights(rows)
    with np.errstate(invalid="ignore"):
        by_weights = weights @ values[rows] / weights.sum(axis=1)
    np.testing.assert_allclose(resampled_means(values, rows, draws, 0.0), by_weights)


def test_few_units_widen_the_interval_and_one_has_none():
    drawn = np.random.default_rng(0).normal(size=4000)
    many, few = percentile_interval(drawn, 1000), percentile_interval(drawn, 5)
    assert many == pytest.approx((-1.96, 1.96), abs=0.12)
    assert few[0] < many[0] < many[1] < few[1]
    assert percentile_interval(drawn, 1) is None
    assert percentile_interval(np.full(10, np.nan), 10) is None

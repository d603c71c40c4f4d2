"""Learning slice by slice gives what the textbook's formula for a Gaussian gives at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestct.acquisition.lesion_errors import LesionErrors
from chestct.severity.uncertainty import errors_together


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_slices_learnt_in_turn_equal_slices_learnt_at_once(seed, learnt):
    rng = np.random.default_rng(seed)
    deviation, beyond = rng.uniform(1.0, 50.0, 7), rng.normal(0.0, 10.0, 7)
    covariance = np.outer(deviation, deviation) * errors_together(7, 8.0) + np.outer(beyond, beyond)
    known, others = np.split(rng.permutation(7), [learnt])
    errors = 0.2 * deviation[known]  # small enough that none is taken for a surprise
    one = LesionErrors(deviation, beyond, 8.0)
    for at, error in zip(known, errors, strict=True):
        one.learn(int(at), float(error))
    gain = covariance[np.ix_(others, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
    left = covariance[np.ix_(others, others)] - gain @ covariance[np.ix_(known, others)]
    assert one.mean[others] == pytest.approx(gain @ errors, rel=1e-6, abs=1e-9)
    assert one.total_variance == pytest.approx(left.sum(), rel=1e-6, abs=1e-6)
    told = np.abs(one.moved_by_each())
    assert told[others] == pytest.approx(
        np.abs(left.sum(axis=0)) / np.sqrt(np.diag(left)), rel=1e-5, abs=1e-6
    )
    assert told[known].tolist() == [0.0] * learnt

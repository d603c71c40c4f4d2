"""The table that orders are made from."""

import numpy as np
import pytest

from chestct.acquisition.pool import Pool
from chestct.errors import InputError


def test_a_column_of_doubt_left_out_is_not_known() -> None:
    pool = Pool.of(slice_ids=[7, 9], zone_entropy=[0.2, None])
    assert np.isnan(pool.grade_chance).all()
    assert pool.zone_entropy[0] == 0.2 and np.isnan(pool.zone_entropy[1])
    assert pool.fingerprints.dtype == np.uint64 and not pool.fingerprints.any()


def test_slices_of_no_stated_study_are_each_their_own() -> None:
    pool = Pool.of(slice_ids=[7, 9])
    assert pool.study_ids.tolist() == pool.patients.tolist() == [7, 9]


def test_a_subset_keeps_rows_together_and_in_the_order_asked_for() -> None:
    pool = Pool.of(slice_ids=[7, 8, 9], lesion_zone=[0.7, 0.8, 0.9]).subset(np.array([2, 0]))
    assert pool.slice_ids.tolist() == [9, 7]
    assert pool.lesion_zone.tolist() == [0.9, 0.7]


def test_stray_pixels_and_an_unknown_zone_are_no_sign_of_lesion() -> None:
    # 0.0001 of 512 x 512 are 26 pixels, 0.0003 are 79.
    pool = Pool.of(slice_ids=[1, 2, 3], lesion_zone=[0.0001, 0.0003, None])
    assert pool.may_hold_lesion.tolist() == [False, True, False]


def test_a_column_of_another_length_is_named() -> None:
    with pytest.raises(InputError, match=r"grade_chance.*shape \(1,\).*expected float64 of shape \(2,\)"):
        Pool.of(slice_ids=[1, 2], grade_chance=[0.5])


def test_a_slice_that_comes_twice_is_refused() -> None:
    with pytest.raises(InputError, match="an id twice"):
        Pool.of(slice_ids=[1, 1])


def test_a_column_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="entropy"):
        Pool.of(slice_ids=[1], entropy=[0.5])

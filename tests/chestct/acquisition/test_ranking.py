"""Orders out of scores and out of other orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.ranking import highest_first, merged

NAN = float("nan")


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_highest_score_comes_first_and_what_is_not_known_last() -> None:
    scores = np.array([0.2, NAN, 0.9, -np.inf, 0.0])
    assert highest_first(chance(), scores).tolist() == [2, 0, 4, 3, 1]


def test_ties_and_unknown_rows_go_by_the_next_score() -> None:
    first, second = np.array([0.5, 0.5, NAN, NAN]), np.array([0.1, 0.2, 0.3, 0.4])
    assert highest_first(chance(), first, second).tolist() == [1, 0, 3, 2]


def test_what_is_equal_in_all_is_shuffled() -> None:
    orders = {tuple(highest_first(chance(seed), np.zeros(4)).tolist()) for seed in range(50)}
    assert {order[0] for order in orders} == {0, 1, 2, 3}


def test_a_third_of_the_places_goes_to_an_order_with_a_third() -> None:
    # Due at 0.75, 2.25, 3.75, 5.25 and at 1.5, 4.5.
    assert merged([np.array([0, 1, 2, 3]), np.array([5, 4])], [2 / 3, 1 / 3]).tolist() == [0, 5, 1, 2, 4, 3]


def test_an_index_that_one_order_took_is_passed_over_by_the_other() -> None:
    assert merged([np.array([0, 1, 2]), np.array([1, 3, 0, 2])], [2 / 3, 1 / 3]).tolist() == [0, 1, 2, 3]


def test_an_order_that_is_used_up_leaves_its_places_to_the_others() -> None:
    assert merged([np.array([2]), np.array([0, 1, 2, 3])], [0.9, 0.1]).tolist() == [2, 0, 1, 3]


def test_nothing_merged_with_nothing_is_nothing() -> None:
    assert merged([np.zeros(0, np.int64), np.zeros(0, np.int64)], [0.5, 0.5]).tolist() == []


@given(st.integers(1, 40), st.integers(0, 99), st.floats(0.05, 0.95))
def test_every_start_of_a_merged_order_keeps_the_shares(count: int, seed: int, share: float) -> None:
    left = np.arange(count)
    right = np.arange(count, 2 * count)
    order = merged([chance(seed).permutation(left), right], [share, 1 - share])
    assert sorted(order.tolist()) == list(range(2 * count))
    for places in range(1, 2 * count + 1):
        of_left = np.count_nonzero(order[:places] < count)
        if of_left < count and places - of_left < count:
            assert of_left == pytest.approx(share * places, abs=1.0 + 1e-9)

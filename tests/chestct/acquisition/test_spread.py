"""Slices that are alike are apart in the order, and none is lost."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.pool import Pool
from chestct.acquisition.spread import Spreading, spread, stretches
from chestct.errors import InputError


def dealt(pool: Pool, **spreading: int) -> list[list[int]]:
    order = np.arange(len(pool))
    return [indices.tolist() for indices in stretches(pool, order, Spreading(**spreading))]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    count = draw(st.integers(0, 40))
    studies = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    prints = draw(st.lists(st.sampled_from([0, 1, 3, 2**63, 2**64 - 1]), min_size=count, max_size=count))
    return Pool.of(
        slice_ids=np.arange(count),
        study_ids=studies,
        patients=[study // 2 for study in studies],
        positions=np.arange(count),
        fingerprints=np.array(prints, np.uint64),
    )


SPREADINGS = st.builds(
    Spreading,
    stretch=st.integers(1, 9),
    per_patient=st.integers(1, 4),
    neighbours=st.integers(0, 2),
    near_duplicate_bits=st.integers(-1, 3),
)


@given(pools(), SPREADINGS, st.randoms(use_true_random=False))
def test_spreading_drops_nothing_and_doubles_nothing(pool: Pool, spreading: Spreading, chance) -> None:
    order = list(range(len(pool)))
    chance.shuffle(order)
    assert sorted(spread(pool, np.array(order, np.int64), spreading).tolist()) == list(range(len(pool)))


@given(pools(), SPREADINGS)
def test_no_stretch_holds_more_of_a_patient_than_the_cap_nor_more_places_than_stated(
    pool: Pool, spreading: Spreading
) -> None:
    for indices in stretches(pool, np.arange(len(pool)), spreading):
        assert 0 < len(indices) <= spreading.stretch
        assert np.bincount(pool.patients[indices]).max() <= spreading.per_patient
        assert indices.tolist() == sorted(indices.tolist())


@given(pools())
def test_where_nothing_is_alike_the_order_stays(pool: Pool) -> None:
    loose = Spreading(stretch=3, per_patient=3, neighbours=0, near_duplicate_bits=-1)
    assert spread(pool, np.arange(len(pool)), loose).tolist() == list(range(len(pool)))


def test_a_patient_s_third_slice_waits_for_the_next_stretch_and_others_move_up() -> None:
    pool = Pool.of(slice_ids=np.arange(6), study_ids=np.arange(6), patients=[7, 7, 7, 8, 8, 9])
    assert dealt(pool, stretch=4, per_patient=2) == [[0, 1, 3, 4], [2, 5]]


def test_neighbours_of_one_study_are_apart_and_those_of_two_studies_are_not() -> None:
    pool = Pool.of(
        slice_ids=np.arange(4), study_ids=[1, 1, 1, 2], patients=[1, 1, 1, 1], positions=[10, 11, 12, 11]
    )
    assert dealt(pool, stretch=4, per_patient=4) == [[0, 2, 3], [1]]
    assert dealt(pool, stretch=4, per_patient=4, neighbours=2) == [[0, 3], [1], [2]]
    assert dealt(pool, stretch=4, per_patient=4, neighbours=0) == [[0, 1, 2, 3]]


def test_near_copies_are_apart_whoever_they_are_of() -> None:
    # The first differs from the second in two bits, from the third in three; those two differ in five.
    pool = Pool.of(slice_ids=np.arange(3), fingerprints=np.array([0b00001, 0b00111, 0b11000], np.uint64))
    assert dealt(pool, stretch=3, near_duplicate_bits=1) == [[0, 1, 2]]
    assert dealt(pool, stretch=3, near_duplicate_bits=2) == [[0, 2], [1]]
    assert dealt(pool, stretch=3, near_duplicate_bits=3) == [[0], [1, 2]]
    assert dealt(pool, stretch=3, near_duplicate_bits=5) == [[0], [1], [2]]


def test_pictures_without_a_fingerprint_are_nobody_s_copy() -> None:
    pool = Pool.of(slice_ids=np.arange(3))
    assert dealt(pool, stretch=3) == [[0, 1, 2]]


def test_where_everything_looks_the_same_nothing_is_pushed_back_far() -> None:
    pool = Pool.of(slice_ids=np.arange(60), fingerprints=np.full(60, 5, np.uint64))
    places = np.argsort(spread(pool, np.arange(60), Spreading(stretch=3)))
    assert (places - np.arange(60)).max() <= 9 * 3


def test_the_work_grows_with_the_slices_not_with_their_square() -> None:
    # The hardest pool: one patient, every slice a copy of every other. Calls are counted, for times vary.
    def calls(count: int) -> int:
        pool = Pool.of(
            slice_ids=np.arange(count),
            patients=np.zeros(count, np.int64),
            fingerprints=np.full(count, 5, np.uint64),
        )
        counted = 0

        def count_call(_frame: object, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count_call)
        try:
            spread(pool, np.arange(count), Spreading())
        finally:
            sys.setprofile(None)
        return counted

    assert calls(2000) < 6 * calls(500)


def test_the_next_best_fill_the_room_so_that_stretches_are_full_while_others_are_left() -> None:
    # 20 patients of 10 slices each, those of one patient after those of the other.
    pool = Pool.of(slice_ids=np.arange(200), study_ids=np.arange(200), patients=np.repeat(np.arange(20), 10))
    sizes = [
        len(indices) for indices in stretches(pool, np.arange(200), Spreading(stretch=10, per_patient=2))
    ]
    assert sizes == [10] * 20


@pytest.mark.parametrize("wrong", [{"stretch": 0}, {"per_patient": 0}, {"neighbours": -1}])
def test_a_number_that_cannot_be_meant_is_refused_by_name(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Spreading(**wrong)

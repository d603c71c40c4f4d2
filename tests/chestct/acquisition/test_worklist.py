"""The whole way from a pool to an order with reasons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.allocation import TEST_SLICE, Allocation, Arm, Shares, control_queue, interleaved
from chestct.acquisition.pool import Pool
from chestct.acquisition.reasons import Reason, reasons
from chestct.acquisition.spread import Spreading, spread
from chestct.acquisition.strategies import STRATEGIES
from chestct.acquisition.worklist import Ordered, Policy, order_pool, served_score

ACTIVE, CONTROL = Allocation(Arm.ACTIVE, True, False), Allocation(Arm.CONTROL, True, False)


def pool_of(count: int, seed: int = 0) -> Pool:
    """Studies of ten slices, half of the slices with lesion; ids from 1000."""
    chance = np.random.default_rng(seed)
    uncertainty = chance.random(count)
    return Pool.of(
        slice_ids=np.arange(1000, 1000 + count),
        study_ids=np.arange(count) // 10,
        patients=np.arange(count) // 10,
        positions=np.arange(count) % 10,
        zone_entropy=uncertainty,
        ground_glass_entropy=uncertainty * chance.random(count),
        consolidation_entropy=uncertainty * chance.random(count),
        disagreement=np.where(chance.random(count) < 0.5, np.nan, uncertainty),
        lesion_zone=np.where(chance.random(count) < 0.5, 0.0, 0.1),
        grade_chance=chance.random(count) / 5,
        fingerprints=chance.integers(0, 2**63, count, np.uint64),
    )


def ordered(pool: Pool, assignments: dict[int, Allocation], name: str = "entropy", seed: int = 0) -> Ordered:
    return order_pool(pool, STRATEGIES[name], assignments, Policy(), seed)


@given(
    st.integers(0, 60),
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(0, 9),
    st.dictionaries(st.integers(1000, 1060), st.sampled_from([ACTIVE, CONTROL, TEST_SLICE])),
)
def test_every_open_slice_has_one_place_and_the_same_seed_the_same_order(
    count: int, name: str, seed: int, assignments: dict[int, Allocation]
) -> None:
    pool = pool_of(count)
    once, again = (ordered(pool, assignments, name, seed) for _ in range(2))
    assert sorted(once.slice_ids.tolist()) == pool.slice_ids.tolist()
    assert len(once.reasons) == count
    assert once.slice_ids.tolist() == again.slice_ids.tolist()


@given(
    st.dictionaries(st.integers(1000, 1039), st.sampled_from([ACTIVE, CONTROL, TEST_SLICE])),
    st.sampled_from(sorted(STRATEGIES)),
)
def test_the_reason_never_tells_the_arm(assignments: dict[int, Allocation], name: str) -> None:
    pool = pool_of(40)
    order = ordered(pool, assignments, name)
    assert dict(zip(order.slice_ids.tolist(), order.reasons, strict=True)) == dict(
        zip(pool.slice_ids.tolist(), reasons(pool), strict=True)
    )


def test_one_place_in_ten_is_served_from_control_until_it_is_used_up() -> None:
    pool = pool_of(400)
    assignments = dict.fromkeys(range(1000, 1020), CONTROL)
    served = ordered(pool, assignments).slice_ids < 1020
    assert served[:200].reshape(20, 10).sum(axis=1).tolist() == [1] * 20


def of_test_patients(pool: Pool, patients: list[int]) -> Pool:
    return replace(pool, held_back=np.isin(pool.patients, patients))


def test_one_place_in_three_is_a_test_slice_until_all_are_read_and_their_fellows_come_last() -> None:
    pool = of_test_patients(pool_of(120), [0, 1])
    tests = dict.fromkeys([1001, 1003, 1005, 1011, 1013, 1015], TEST_SLICE)
    others = dict.fromkeys(range(1060, 1070), CONTROL)
    served = ordered(pool, tests | others).slice_ids
    assert np.isin(served[:18], list(tests)).reshape(6, 3).sum(axis=1).tolist() == [1] * 6
    assert set(served[-14:].tolist()) == set(range(1000, 1020)) - tests.keys()


def test_patients_take_turns_so_that_each_has_a_reading_early() -> None:
    pool = of_test_patients(pool_of(90), [0, 1, 2])
    tests = [1000 + 10 * patient + place for patient in range(3) for place in (1, 3, 5, 7)]
    for seed in range(5):
        served = ordered(pool, dict.fromkeys(tests, TEST_SLICE), seed=seed).slice_ids
        turns = [(one - 1000) // 10 for one in served.tolist() if one in tests]
        assert [sorted(turns[start : start + 3]) for start in (0, 3, 6, 9)] == [[0, 1, 2]] * 4


def test_control_slices_of_a_test_patient_wait_like_its_others() -> None:
    pool = of_test_patients(pool_of(40), [0])
    served = ordered(pool, dict.fromkeys(range(1000, 1010), CONTROL)).slice_ids
    assert set(served[-10:].tolist()) == set(range(1000, 1010))


def test_without_test_patients_the_order_is_what_it_was() -> None:
    # Seeds of the two older generators do not move: the strategy's order, then control in between.
    pool = pool_of(60)
    control = dict.fromkeys(range(1000, 1010), CONTROL)
    random_state = np.random.SeedSequence(3).spawn(2)
    of_strategy, of_places = (np.random.default_rng(child) for child in random_state)
    active = np.arange(10, 60)
    asked = active[STRATEGIES["entropy"].order(pool.subset(active), of_strategy, 0)]
    before = interleaved(
        spread(pool, asked, Spreading()), control_queue(pool, pool.slice_ids < 1010), 0.1, of_places
    )
    assert ordered(pool, control, seed=3).slice_ids.tolist() == pool.slice_ids[before].tolist()


def test_a_control_slice_is_never_asked_by_the_strategy() -> None:
    # The slice of the most doubt is in the control arm and shows no lesion: it waits for its fellow.
    pool = Pool.of(slice_ids=[1, 2, 3], zone_entropy=[0.9, 0.2, 0.1], lesion_zone=[0.0, 0.0, 0.1])
    order = order_pool(pool, STRATEGIES["entropy"], {1: CONTROL, 3: CONTROL}, Policy(Shares(control=0.5)), 0)
    assert [slice_id for slice_id in order.slice_ids.tolist() if slice_id != 2] == [3, 1]


def test_the_strategy_s_order_is_what_readers_get_where_nothing_stands_against_it() -> None:
    pool = Pool.of(slice_ids=[5, 6, 7], zone_entropy=[0.1, 0.9, 0.5])
    assert ordered(pool, {}).slice_ids.tolist() == [6, 7, 5]


def test_the_active_arm_is_spread_out() -> None:
    # Slices 5 and 6 are neighbours: 6 waits for the second stretch.
    pool = Pool.of(
        slice_ids=[5, 6, 7],
        study_ids=[1, 1, 2],
        patients=[1, 1, 2],
        positions=[0, 1, 0],
        zone_entropy=[0.9, 0.8, 0.1],
    )
    policy = Policy(spreading=Spreading(stretch=2))
    assert order_pool(pool, STRATEGIES["entropy"], {}, policy, 0).slice_ids.tolist() == [5, 7, 6]


def test_the_round_reaches_the_strategy() -> None:
    pool = pool_of(40)
    late = Policy(round_number=40)
    orders = {tuple(order_pool(pool, STRATEGIES["clasp-pe"], {}, late, seed).slice_ids) for seed in range(5)}
    assert len(orders) == 1
    assert len({tuple(ordered(pool, {}, "clasp-pe", seed).slice_ids) for seed in range(5)}) == 5


def test_scores_rise_with_the_place_and_never_touch_0_or_1() -> None:
    assert [served_score(place, 3) for place in range(3)] == [0.25, 0.5, 0.75]


REASONED = {
    Reason.GRADE: {"grade_chance": 0.2, "lesion_zone": 0.1, "consolidation_entropy": 0.1},
    Reason.CONSOLIDATION: {"lesion_zone": 0.1, "consolidation_entropy": 0.1, "ground_glass_entropy": 0.2},
    Reason.GROUND_GLASS: {"lesion_zone": 0.1, "consolidation_entropy": 0.1, "ground_glass_entropy": 0.3},
    Reason.CONTRADICTION: {"disagreement": 0.2, "zone_entropy": 0.9},
    Reason.UNSURE: {"zone_entropy": 0.9, "lesion_zone": 0.0},
    Reason.NOTHING_EXPECTED: {"lesion_zone": 0.0, "consolidation_entropy": 0.1},
    Reason.UNCHECKED: {},
}


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_names_what_the_model_sees_in_the_slice(reason: Reason) -> None:
    assert reasons(Pool.of(slice_ids=[1], **{name: [value] for name, value in REASONED[reason].items()})) == [
        reason
    ]


def test_unsure_is_said_of_the_fifth_of_which_it_is_truest() -> None:
    pool = Pool.of(slice_ids=np.arange(11), zone_entropy=np.arange(11) / 10)
    assert [reason == Reason.UNSURE for reason in reasons(pool)] == [False] * 8 + [True] * 3


def test_an_empty_pool_has_an_empty_order() -> None:
    assert ordered(Pool.of(slice_ids=[]), {}).slice_ids.tolist() == []

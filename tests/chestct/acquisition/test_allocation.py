"""The lots: drawn from the key alone, in the shares stated; the control arm in its places."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.allocation import Allocation, Arm, Shares, control_queue, draw, interleaved
from chestct.acquisition.pool import Pool
from chestct.errors import InputError

KEYS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(5000)]


def within_four_deviations(count: int, of: int, share: float) -> bool:
    return abs(count - of * share) <= 4 * np.sqrt(of * share * (1 - share))


def test_a_lot_outlives_every_upgrade() -> None:
    # `printf arm:aaa... | sha256sum` begins with 78d4, blank: with 7c44, twice: with 2469; of ffff that is
    # 0.47199, 0.48541 and 0.14223. Another hash would draw slices for something else than catalogs hold.
    below, above = Shares(0.4719, 0.4854, 0.1422), Shares(0.4721, 0.4855, 0.1423)
    assert draw("a" * 64, below) == Allocation(Arm.ACTIVE, prelabelled=True, read_twice=False)
    assert draw("a" * 64, above) == Allocation(Arm.CONTROL, prelabelled=False, read_twice=True)


@given(st.randoms(use_true_random=False))
def test_a_draw_is_the_same_in_whatever_order_slices_come(chance) -> None:
    keys = KEYS[:20]
    drawn = {key: draw(key, Shares()) for key in keys}
    chance.shuffle(keys)
    assert {key: draw(key, Shares()) for key in keys} == drawn


def test_each_share_is_drawn_as_stated() -> None:
    drawn = [draw(key, Shares(control=0.1, unassisted=0.05, double_read=0.2)) for key in KEYS]
    assert within_four_deviations(sum(one.arm == Arm.CONTROL for one in drawn), 5000, 0.1)
    assert within_four_deviations(sum(not one.prelabelled for one in drawn), 5000, 0.05)
    assert within_four_deviations(sum(one.read_twice for one in drawn), 5000, 0.2)


def test_the_draws_do_not_depend_on_each_other() -> None:
    drawn = [draw(key, Shares(control=0.5, unassisted=0.5, double_read=0.5)) for key in KEYS]
    control = [one for one in drawn if one.arm == Arm.CONTROL]
    blank = [one for one in drawn if not one.prelabelled]
    assert within_four_deviations(sum(not one.prelabelled for one in control), len(control), 0.5)
    assert within_four_deviations(sum(one.read_twice for one in control), len(control), 0.5)
    assert within_four_deviations(sum(one.read_twice for one in blank), len(blank), 0.5)


@given(st.sampled_from(KEYS), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_share_keeps_what_a_smaller_one_drew(key: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if draw(key, Shares(control=small)).arm == Arm.CONTROL:
        assert draw(key, Shares(control=large)).arm == Arm.CONTROL


def test_a_share_of_nothing_draws_nothing() -> None:
    nothing = Shares(control=0, unassisted=0, double_read=0)
    undrawn = Allocation(Arm.ACTIVE, prelabelled=True, read_twice=False)
    assert {draw(key, nothing) for key in KEYS} == {undrawn}


@pytest.mark.parametrize(
    "name, share",
    [("control", 0.6), ("unassisted", -0.1), ("double_read", 1.0), ("unassisted", float("nan"))],
)
def test_a_share_that_leaves_nothing_to_compare_is_refused_by_name(name: str, share: float) -> None:
    with pytest.raises(InputError, match=f"share {name}"):
        Shares(**{name: share})


def test_control_slices_that_may_hold_lesion_come_first_and_by_lot() -> None:
    pool = Pool.of(slice_ids=np.arange(40), lesion_zone=[0.1, 0.0] * 19 + [None, None])
    queue = control_queue(pool, np.arange(40) < 39).tolist()
    assert sorted(queue) == list(range(39))
    assert all(row % 2 == 0 for row in queue[:19])
    assert queue[:19] != sorted(queue[:19])


def test_another_model_changes_the_queue_only_where_it_sees_lesion_elsewhere() -> None:
    zones = np.full(30, 0.1)
    before = control_queue(Pool.of(slice_ids=np.arange(30), lesion_zone=zones), np.ones(30, np.bool_))
    zones[before[0]] = 0.0
    after = control_queue(Pool.of(slice_ids=np.arange(30), lesion_zone=zones), np.ones(30, np.bool_))
    assert after.tolist() == [*before[1:].tolist(), before[0]]


def test_the_rows_of_a_pool_may_come_in_any_order() -> None:
    shuffled = np.random.default_rng(3).permutation(30)
    straight = control_queue(Pool.of(slice_ids=np.arange(30)), np.ones(30, np.bool_))
    turned = control_queue(Pool.of(slice_ids=shuffled), np.ones(30, np.bool_))
    assert shuffled[turned].tolist() == straight.tolist()


@given(st.integers(0, 99), st.sampled_from([0.05, 0.1, 0.2, 0.5]))
def test_each_window_of_places_holds_one_of_control_until_an_arm_is_used_up(seed: int, share: float) -> None:
    window = round(1 / share)
    active, control = np.arange(100), np.arange(100, 110)
    order = interleaved(active, control, share, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(110))
    windows = min(10, 100 // (window - 1))
    held = (order[: windows * window] >= 100).reshape(windows, window).sum(axis=1)
    assert held.tolist() == [1] * windows


@given(st.integers(0, 60), st.integers(0, 20), st.floats(0, 0.5), st.integers(0, 99))
def test_mixing_the_arms_keeps_the_order_of_each(
    active_count: int, control_count: int, share: float, seed: int
) -> None:
    active, control = np.arange(active_count), np.arange(1000, 1000 + control_count)
    order = interleaved(active, control, share, np.random.default_rng(seed))
    assert order[order < 1000].tolist() == active.tolist()
    assert order[order >= 1000].tolist() == control.tolist()


def test_the_place_of_control_in_its_window_is_left_to_chance() -> None:
    active, control = np.arange(9), np.array([9])
    places = [
        int(np.argmax(interleaved(active, control, 0.1, np.random.default_rng(seed)))) for seed in range(500)
    ]
    assert np.bincount(places, minlength=10) == pytest.approx(np.full(10, 50), abs=4 * np.sqrt(500 * 0.09))


def test_without_a_share_control_slices_of_former_days_come_last() -> None:
    order = interleaved(np.arange(3), np.array([7, 8]), 0.0, np.random.default_rng(0))
    assert order.tolist() == [0, 1, 2, 7, 8]

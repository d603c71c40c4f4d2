"""What each strategy asks first, on pools small enough to rank by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.pool import Pool
from chestct.acquisition.strategies import DEFAULT_STRATEGY, STRATEGIES, strategy_named
from chestct.errors import SettingsError

LATE = 40  # a round in which ClaSP-PE's noise is 2 ** -40
UNCERTAINTY = st.one_of(st.none(), st.just(0.0), st.floats(0, 1))


def order(name: str, pool: Pool, seed: int = 0, round_number: int = LATE) -> list[int]:
    return STRATEGIES[name].order(pool, np.random.default_rng(seed), round_number).tolist()


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    count = draw(st.integers(0, 12))
    uncertainties = st.lists(UNCERTAINTY, min_size=count, max_size=count)
    names = ("zone_entropy", "ground_glass_entropy", "consolidation_entropy", "disagreement", "lesion_zone")
    columns = {name: draw(uncertainties) for name in (*names, "grade_chance")}
    return Pool.of(slice_ids=np.arange(count), **columns)


@given(pools(), st.sampled_from(sorted(STRATEGIES)), st.integers(0, 9), st.integers(0, 5))
def test_every_strategy_gives_each_slice_one_place_whatever_is_known_of_it(
    pool: Pool, name: str, seed: int, round_number: int
) -> None:
    asked = order(name, pool, seed, round_number)
    assert sorted(asked) == list(range(len(pool)))
    assert asked == order(name, pool, seed, round_number)


@given(pools(), st.sampled_from([("entropy", "zone_entropy"), ("decision", "grade_chance")]))
def test_what_is_not_known_comes_behind_all_that_is(pool: Pool, case: tuple[str, str]) -> None:
    name, column = case
    unknown = np.isnan(getattr(pool, column))[order(name, pool)]
    assert not (unknown[:-1] & ~unknown[1:]).any()


def test_entropy_asks_the_most_doubt_first() -> None:
    pool = Pool.of(slice_ids=[1, 2, 3], zone_entropy=[0.1, 0.3, 0.2])
    assert order("entropy", pool) == [1, 2, 0]


def test_disagreement_without_looks_goes_by_entropy() -> None:
    pool = Pool.of(slice_ids=[1, 2, 3], zone_entropy=[0.1, 0.3, 0.2], disagreement=[0.01, None, None])
    assert order("disagreement", pool) == [0, 1, 2]


def test_decision_asks_what_may_change_a_grade_and_settled_studies_by_entropy() -> None:
    pool = Pool.of(slice_ids=[1, 2, 3, 4], zone_entropy=[0.9, 0.1, 0.2, 0.3], grade_chance=[0, 0.4, 0, None])
    assert order("decision", pool) == [1, 0, 2, 3]


def test_clasp_pe_gives_the_rare_class_its_places() -> None:
    # Entropy would ask 0, 1, 2 before the only consolidation; due are H, ground-glass, consolidation, H.
    pool = Pool.of(
        slice_ids=[1, 2, 3, 4],
        zone_entropy=[0.9, 0.8, 0.7, 0.1],
        ground_glass_entropy=[0.5, 0.6, 0.4, 0.0],
        consolidation_entropy=[0.0, 0.0, 0.0, 0.05],
    )
    assert order("entropy", pool) == [0, 1, 2, 3]
    assert order("clasp-pe", pool)[:3] == [0, 1, 3]


def test_clasp_pe_gives_no_place_of_a_class_to_slices_without_doubt_of_it() -> None:
    # Nobody doubts any class, so all places go by H, as far as it is known.
    pool = Pool.of(
        slice_ids=[1, 2, 3, 4],
        zone_entropy=[0.1, None, 0.3, 0.0],
        ground_glass_entropy=[0.0, 0.0, None, 0.0],
    )
    assert order("clasp-pe", pool) == [2, 0, 3, 1]


def test_two_thirds_of_clasp_pe_are_shared_evenly_by_the_classes() -> None:
    # Disjoint lists: 100 rows of ground-glass doubt, 100 of consolidation, 100 of neither but more entropy.
    kinds = np.repeat([0, 1, 2], 100)
    pool = Pool.of(
        slice_ids=np.arange(300),
        zone_entropy=np.where(kinds == 2, 0.9, 0.1),
        ground_glass_entropy=np.where(kinds == 0, 0.1, 0.0),
        consolidation_entropy=np.where(kinds == 1, 0.1, 0.0),
    )
    asked = kinds[order("clasp-pe", pool)[:100]]
    assert np.bincount(asked).tolist() == [33, 33, 34]


def test_the_noise_of_clasp_pe_halves_with_every_round() -> None:
    # One slice doubted twice as much as the other is asked first with odds of 2 ** (1 / scale) to 1.
    pool = Pool.of(slice_ids=[1, 2], zone_entropy=[0.2, 0.1])
    for round_number, odds in ((0, 2), (1, 4), (2, 16)):
        first = sum(order("clasp-pe", pool, seed, round_number)[0] == 0 for seed in range(1000))
        chance = odds / (odds + 1)
        assert first == pytest.approx(1000 * chance, abs=4 * np.sqrt(1000 * chance * (1 - chance)))


@given(st.integers(0, 99))
def test_foreground_random_keeps_two_of_three_places_for_slices_that_may_hold_lesion(seed: int) -> None:
    pool = Pool.of(slice_ids=np.arange(90), lesion_zone=np.repeat([0.1, 0.0], [30, 60]))
    asked = np.array(order("foreground-random", pool, seed))
    for places in range(3, 45, 3):
        lesions = np.count_nonzero(asked[:places] < 30)
        assert lesions == 30 or lesions >= 2 * places / 3 - 1


def test_foreground_random_without_a_known_zone_is_plain_chance() -> None:
    pool = Pool.of(slice_ids=np.arange(4))
    assert {order("foreground-random", pool, seed)[0] for seed in range(50)} == {0, 1, 2, 3}


def test_random_asks_every_slice_first_equally_often() -> None:
    pool = Pool.of(slice_ids=np.arange(4), zone_entropy=[0.9, 0.1, 0.1, 0.1])
    first = np.bincount([order("random", pool, seed)[0] for seed in range(1000)])
    assert first == pytest.approx(np.full(4, 250), abs=4 * np.sqrt(1000 * 0.25 * 0.75))


def test_strategies_are_found_by_name_and_an_unknown_one_is_told_the_names() -> None:
    assert strategy_named("entropy").name == "entropy"
    assert strategy_named(None).name == DEFAULT_STRATEGY
    with pytest.raises(SettingsError, match=r"'entrpy'.*clasp-pe"):
        strategy_named("entrpy")

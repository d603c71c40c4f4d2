"""What a round may ask for, and what it costs: hand-countable."""

import numpy as np
import pytest

from chestct.errors import SettingsError
from chestct.labels import Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, NOT_LESION, UNKNOWN, bits
from training.simulate.plan import SimulationPlan
from training.simulate.pool_table import corrected_pixels
from training.simulate.rounds import first_set, fit_seed, within_budget

BACKGROUND, GROUND_GLASS, CONSOLIDATION, LUNG = (int(label) for label in Label)


def plan(**changes: object) -> SimulationPlan:
    return SimulationPlan(data=("somewhere",), strategies=("foreground-random",), **changes)  # type: ignore[arg-type]


def corrected(label_map: list[int], partial_labels: list[np.uint8]) -> int:
    return corrected_pixels(np.array([label_map], np.uint8), np.array([partial_labels], np.uint8))


def test_a_reader_corrects_missed_and_invented_lesion() -> None:
    known = [bits(Label.GROUND_GLASS), bits(Label.LUNG), bits(Label.LUNG)]
    assert corrected([LUNG, GROUND_GLASS, LUNG], known) == 2


def test_the_wrong_kind_is_corrected_where_the_mask_tells_it() -> None:
    assert corrected([CONSOLIDATION], [bits(Label.GROUND_GLASS)]) == 1
    assert corrected([CONSOLIDATION], [LESION_KIND_UNKNOWN]) == 0


def test_lung_taken_for_background_costs_nothing() -> None:
    assert corrected([BACKGROUND, LUNG], [bits(Label.LUNG), NOT_LESION]) == 0


def test_pixels_that_nobody_looked_at_cost_nothing() -> None:
    assert corrected([GROUND_GLASS, LUNG], [UNKNOWN, UNKNOWN]) == 0


def test_without_a_pre_label_every_lesion_pixel_is_drawn() -> None:
    known = [LESION_KIND_UNKNOWN, bits(Label.CONSOLIDATION), bits(Label.LUNG)]
    assert corrected([BACKGROUND] * 3, known) == 2


def test_a_round_takes_the_first_slices_of_the_order() -> None:
    order = np.array([3, 0, 2, 1])
    assert within_budget(order, [9, 9, 9, 9], plan(slices_per_round=2)) == [3, 0]


def test_a_round_ends_with_the_slice_that_reaches_the_pixels_of_its_budget() -> None:
    order, pixels = np.array([0, 1, 2, 3]), [4, 5, 3, 1]
    assert within_budget(order, pixels, plan(slices_per_round=4, pixels_per_round=9)) == [0, 1]
    # A slice that is begun is finished.
    assert within_budget(order, pixels, plan(slices_per_round=4, pixels_per_round=8)) == [0, 1]
    assert within_budget(order, pixels, plan(slices_per_round=4, pixels_per_round=1)) == [0]


def test_the_first_set_gives_each_source_its_share_and_at_least_one_slice() -> None:
    sources = ["whole"] * 18 + ["rare"] * 2
    chosen = first_set(sources, 10, seed=0)
    assert len(set(chosen)) == 10
    assert sum(sources[one] == "rare" for one in chosen) == 1
    assert sum(sources[one] == "rare" for one in first_set(sources, 2, seed=0)) == 1
    assert sorted(first_set(sources, 20, seed=0)) == list(range(20))


def test_seeds_draw_other_first_sets_and_one_seed_always_the_same() -> None:
    sources = ["whole"] * 50
    assert first_set(sources, 5, seed=0) == first_set(sources, 5, seed=0)
    assert first_set(sources, 5, seed=0) != first_set(sources, 5, seed=1)


def test_fits_of_a_seed_and_round_draw_alike_whatever_the_strategy() -> None:
    seeds = {fit_seed(seed, number) for seed in range(4) for number in range(7)}
    assert len(seeds) == 28
    assert all(0 <= one < 2**30 for one in seeds)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"side": 100}, "multiple of 32"),
        ({"pixels_per_round": 0}, "pixels_per_round is 0"),
        ({"start_steps": -1}, "start_steps is -1"),
        ({"strategies": ("entropy",)}, "foreground-random is not among"),
        ({"strategies": ("foreground-random", "entropy", "entropy")}, "named twice"),
        ({"data": ()}, "no data"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        SimulationPlan(**{"data": ("somewhere",), "strategies": ("foreground-random",), **changes})

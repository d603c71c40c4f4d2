import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.inference.uncertainty import (
    confidence,
    ensemble_disagreement,
    foreground_zone,
    normalised_entropy,
    uncertainty_map,
    zone_disagreement,
    zone_figures,
)
from chestct.labels import Label

# What a pixel can be, in the order background, ground-glass, consolidation, lung.
AIR, LUNG, GROUND_GLASS = (1, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0)
ANYTHING = (0.25, 0.25, 0.25, 0.25)
LUNG_OR_GROUND_GLASS = (0, 0.5, 0, 0.5)
BODY_OR_AIR = (0.6, 0, 0, 0.4)


def picture(*rows: list[tuple[float, ...]]) -> np.ndarray:
    """(4, H, W) float32 of rows of pixels."""
    return np.moveaxis(np.array(rows, dtype=np.float32), -1, 0)


def figures(probabilities: np.ndarray):
    return zone_figures(probabilities, normalised_entropy(probabilities))


def views(count: int) -> st.SearchStrategy[list[np.ndarray]]:
    """`count` looks at 2 x 3 pixels, certain answers among them."""
    one = st.lists(st.sampled_from([0.0, 1e-6, 0.1, 0.5, 1.0, 7.0]), min_size=24, max_size=24)
    return st.lists(one.map(as_probabilities), min_size=count, max_size=count)


def as_probabilities(weights: list[float]) -> np.ndarray:
    given_weights = np.array(weights).reshape(4, 2, 3)
    given_weights[0] += given_weights.sum(axis=0) == 0
    return (given_weights / given_weights.sum(axis=0)).astype(np.float32)


def test_entropy_of_a_tie_of_two_classes_is_half_of_that_of_four():
    found = normalised_entropy(picture([ANYTHING, LUNG_OR_GROUND_GLASS, LUNG]))
    assert found[0].tolist() == pytest.approx([1.0, 0.5, 0.0], abs=1e-5)


def test_the_zone_is_lung_and_whatever_may_be_a_lesion():
    maybe, hardly = (0.9, 0.06, 0.05, 0.0), (0.95, 0.03, 0.02, 0.0)
    assert foreground_zone(picture([AIR, LUNG, maybe, hardly, BODY_OR_AIR])).tolist() == [
        [False, True, True, False, False]
    ]


def test_figures_are_sums_over_the_zone_by_the_pixels_of_the_picture():
    found = figures(picture([ANYTHING, LUNG_OR_GROUND_GLASS], [LUNG, AIR]))
    # Entropies 1 and 1/2 of 4 pixels; ground-glass 1/4 x 1 + 1/2 x 1/2; consolidation 1/4 x 1.
    assert found.zone_entropy == pytest.approx(1.5 / 4, abs=1e-5)
    assert found.ground_glass_entropy == pytest.approx(0.5 / 4, abs=1e-5)
    assert found.consolidation_entropy == pytest.approx(0.25 / 4, abs=1e-5)
    assert found.lesion_zone == 2 / 4


def test_doubt_outside_the_zone_counts_for_nothing():
    inside, with_skin = picture([ANYTHING, LUNG, AIR]), picture([ANYTHING, LUNG, BODY_OR_AIR])
    assert normalised_entropy(with_skin)[0, 2] > 0.4
    assert figures(with_skin) == figures(inside)


def test_twice_the_doubt_counts_twice_wherever_the_air_lies():
    once = picture([ANYTHING, LUNG, AIR, AIR], [AIR, AIR, AIR, AIR])
    twice = picture([AIR, AIR, AIR, ANYTHING], [AIR, ANYTHING, AIR, AIR])
    assert figures(twice).zone_entropy == pytest.approx(2 * figures(once).zone_entropy, rel=1e-5)


def test_air_does_not_dilute_the_doubt_that_confidence_tells():
    narrow, wide = picture([ANYTHING, LUNG]), picture([ANYTHING, LUNG, AIR, AIR])
    assert confidence(narrow, normalised_entropy(narrow)) == pytest.approx(0.5, abs=1e-5)
    assert confidence(wide, normalised_entropy(wide)) == pytest.approx(0.5, abs=1e-5)


@given(views(1))
def test_figures_are_in_bounds_and_a_class_counts_no_more_than_all(given_views: list[np.ndarray]):
    found = figures(given_views[0])
    assert 0 <= found.ground_glass_entropy + found.consolidation_entropy <= found.zone_entropy + 1e-6
    assert found.zone_entropy <= 1
    assert 0 <= found.lesion_zone <= 1
    entropy = normalised_entropy(given_views[0])
    assert found.zone_entropy <= entropy.mean() + 1e-6


def test_equal_looks_do_not_disagree_however_unsure_they_are():
    unsure = picture([ANYTHING, LUNG_OR_GROUND_GLASS, LUNG])
    assert ensemble_disagreement([unsure, unsure, unsure])[0].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_two_certain_looks_that_contradict_each_other_disagree_in_full():
    found = ensemble_disagreement([picture([LUNG, LUNG]), picture([GROUND_GLASS, LUNG])])
    assert found[0].tolist() == pytest.approx([1.0, 0.0], abs=1e-5)


def test_two_of_four_looks_against_two_disagree_by_half():
    lung, ground_glass = picture([LUNG]), picture([GROUND_GLASS])
    # log 2 of the log 4 that four looks can differ by.
    assert ensemble_disagreement([lung, lung, ground_glass, ground_glass]).item() == pytest.approx(0.5)


def test_looks_that_do_not_show_a_pixel_are_left_out():
    nowhere = (np.nan,) * 4
    both = [picture([LUNG, LUNG, LUNG]), picture([GROUND_GLASS, LUNG, nowhere])]
    found = ensemble_disagreement(both)
    assert found[0, :2].tolist() == pytest.approx([1.0, 0.0], abs=1e-5)
    assert np.isnan(found[0, 2])


def test_disagreement_is_summed_over_the_zone_by_the_pixels_of_the_picture():
    together = picture([LUNG_OR_GROUND_GLASS, LUNG, BODY_OR_AIR, AIR])
    between = np.array([[1.0, 0.5, 1.0, np.nan]], np.float32)
    assert zone_disagreement(together, between) == pytest.approx(1.5 / 4)
    assert zone_disagreement(together, np.full((1, 4), np.nan, np.float32)) is None


@given(st.integers(2, 5).flatmap(views))
def test_disagreement_is_in_bounds_whatever_the_looks_and_their_order(given_views: list[np.ndarray]):
    found = ensemble_disagreement(given_views)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert ensemble_disagreement(given_views[::-1]) == pytest.approx(found, abs=1e-5)
    assert ensemble_disagreement([given_views[0]] * 3) == pytest.approx(np.zeros((2, 3)), abs=1e-5)


def test_a_doubt_map_keeps_the_mean_and_its_place():
    entropy = np.zeros((256, 512), np.float32)
    entropy[:128, :256] = 0.6
    found = uncertainty_map(entropy)
    assert found.shape == (64, 128)
    assert found.dtype == np.uint8
    assert (found[:32, :64] == 153).all()
    assert not found[32:].any() and not found[:, 64:].any()


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_doubt_map_fits_any_slice(height: int, width: int):
    found = uncertainty_map(np.full((height, width), 1.0, np.float32))
    assert max(found.shape) == min(128, max(height, width))
    assert (found == 255).all()


def test_a_small_slice_keeps_every_pixel():
    entropy = np.array([[0.0, 0.2], [0.4, 1.0]], np.float32)
    assert uncertainty_map(entropy).tolist() == [[0, 51], [102, 255]]


def test_the_order_of_label_is_the_one_these_pictures_use():
    assert picture([LUNG])[Label.LUNG] == 1
    assert picture([GROUND_GLASS])[Label.GROUND_GLASS] == 1

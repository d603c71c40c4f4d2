import numpy as np
import pytest

from chestct.inference.lung_box import between, cuts_lung, is_worth_a_look, lung_box
from chestct.labels import Label


def seen(lung: np.ndarray) -> np.ndarray:
    """(4, H, W) probabilities of a glance that is certain."""
    probabilities = np.zeros((4, *lung.shape), np.float32)
    probabilities[Label.LUNG], probabilities[Label.BACKGROUND] = lung, ~lung
    return probabilities


def lung_at(rows: slice, columns: slice, shape: tuple[int, int] = (100, 100)) -> np.ndarray:
    lung = np.zeros(shape, bool)
    lung[rows, columns] = True
    return lung


def test_the_box_keeps_a_margin_around_the_lungs():
    lung = lung_at(slice(30, 80), slice(50, 150), (100, 200))
    # 8 % of 50 rows and of 100 columns on each side.
    assert lung_box(seen(lung), (100, 200)) == (slice(26, 84), slice(42, 158))


def test_a_small_glance_gives_the_box_of_the_large_slice():
    lung = lung_at(slice(30, 80), slice(50, 150), (100, 200))
    assert lung_box(seen(lung), (200, 800)) == (slice(52, 168), slice(168, 632))


def test_lungs_at_the_edge_stay_inside_the_picture():
    assert lung_box(seen(lung_at(slice(0, 50), slice(0, 50))), (100, 100)) == (slice(0, 54), slice(0, 54))


def test_hardly_any_lung_has_no_box():
    assert lung_box(seen(lung_at(slice(0, 10), slice(0, 10))), (100, 100)) is None


def test_stray_pixels_do_not_widen_the_box():
    lung = lung_at(slice(40, 60), slice(40, 60))
    lung[0, 0] = lung[99, 99] = True
    assert lung_box(seen(lung), (100, 100)) == (slice(38, 61), slice(38, 61))


def test_lesions_count_as_lung():
    lung = lung_at(slice(40, 60), slice(40, 60))
    ill = seen(lung)
    ill[[Label.LUNG, Label.CONSOLIDATION]] = ill[[Label.CONSOLIDATION, Label.LUNG]]
    assert lung_box(ill, (100, 100)) == lung_box(seen(lung), (100, 100))


def test_lungs_that_fill_the_picture_are_not_worth_a_look_of_their_own():
    assert not is_worth_a_look((slice(0, 100), slice(0, 80)), (100, 100))
    assert is_worth_a_look((slice(0, 100), slice(0, 79)), (100, 100))


def test_a_box_between_two_others_lies_on_the_way_from_one_to_the_other():
    before, after = (slice(10, 20), slice(0, 40)), (slice(30, 60), slice(8, 20))
    assert between(before, after, 0.0) == before
    assert between(before, after, 0.25) == (slice(15, 30), slice(2, 35))
    assert between(before, after, 1.0) == after


def test_parts_of_pixels_widen_a_box_between():
    assert between((slice(4, 6), slice(4, 6)), (slice(3, 5), slice(5, 7)), 0.5) == (slice(3, 6), slice(4, 7))


def test_a_missing_neighbour_leaves_the_other_one():
    box = (slice(2, 5), slice(10, 20))
    assert between(None, box, 0.5) == between(box, None, 0.5) == box
    assert between(None, None, 0.5) is None


@pytest.mark.parametrize(
    ("lung", "cut"),
    [
        (lung_at(slice(2, 8), slice(2, 8), (10, 10)), False),
        (lung_at(slice(0, 8), slice(2, 8), (10, 10)), True),
        (lung_at(slice(2, 10), slice(2, 8), (10, 10)), True),
        (lung_at(slice(2, 8), slice(0, 8), (10, 10)), True),
        (lung_at(slice(2, 8), slice(2, 10), (10, 10)), True),
        (lung_at(slice(0, 1), slice(0, 1), (10, 10)), False),
    ],
)
def test_lung_on_an_inner_edge_shows_that_the_box_cut_it(lung: np.ndarray, cut: bool):
    assert cuts_lung(seen(lung), (slice(5, 25), slice(5, 25)), (40, 40)) is cut


def test_lung_on_the_edge_of_the_slice_itself_is_not_cut():
    everywhere = seen(np.ones((10, 10), bool))
    assert not cuts_lung(everywhere, (slice(0, 40), slice(0, 40)), (40, 40))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.evaluate.surface import SurfaceCounts, outline, surface_counts

CORNER = np.hypot(0.5, 0.5)  # outline through a corner of one pixel


def mask(*rows: str) -> np.ndarray:
    return np.array([[value == "#" for value in row] for row in rows])


def test_the_outline_of_one_pixel_passes_its_four_corners():
    assert outline(mask("#")) == pytest.approx(np.full((2, 2), CORNER))


def test_a_straight_border_is_as_long_as_its_pixels():
    # 1 x 3 pixels of 2 mm height and 0.5 mm width: two ends, and two borders of 0.5 mm above and below.
    end = np.hypot(1.0, 0.25)
    assert outline(mask("###"), (2.0, 0.5)) == pytest.approx(np.array([[end, 0.5, 0.5, end]] * 2))


def test_a_border_between_rows_is_as_long_as_the_step_between_them():
    assert outline(mask("#", "#"), (2.0, 0.5))[1] == pytest.approx([2.0, 2.0])


def test_pixels_that_touch_at_a_corner_have_two_borders_there():
    assert outline(mask("#.", ".#"))[1, 1] == pytest.approx(2 * CORNER)


def test_equal_masks_lie_wholly_within_any_tolerance():
    one = mask("....", ".##.", ".##.", "....")
    assert surface_counts(one, one, tolerance=0.0).dice() == 1.0


def test_a_pixel_beside_the_true_one_shares_half_of_its_corners():
    ours, theirs = mask(".#."), mask("#..")
    assert surface_counts(ours, theirs, tolerance=0.0).dice() == pytest.approx(0.5)
    assert surface_counts(ours, theirs, tolerance=1.0).dice() == 1.0


def test_the_tolerance_is_measured_in_millimetres_where_the_spacing_is_known():
    ours, theirs = mask(".#."), mask("#..")
    # The far corners lie one column apart: 0.7 mm here, 3 mm there.
    assert surface_counts(ours, theirs, tolerance=2.0, spacing=(0.7, 0.7)).dice() == 1.0
    assert surface_counts(ours, theirs, tolerance=2.0, spacing=(1.0, 3.0)).dice() == pytest.approx(0.5)


def test_an_outline_without_a_counterpart_is_wrong_however_large_the_tolerance():
    counts = surface_counts(mask("#"), mask("."), tolerance=100.0)
    assert counts == SurfaceCounts(0.0, pytest.approx(4 * CORNER))
    assert counts.dice() == 0.0


def test_where_neither_side_shows_anything_there_is_no_score():
    assert surface_counts(mask("."), mask("."), tolerance=1.0).dice() is None


def test_slices_pool_by_the_length_of_their_outlines():
    right = surface_counts(mask("#"), mask("#"), tolerance=0.0)
    wrong = surface_counts(mask("#"), mask("."), tolerance=0.0)
    assert (right + wrong).dice() == pytest.approx(8 / 12)


def test_outlines_beside_pixels_that_nobody_looked_at_do_not_count():
    looked_at = mask("##.")
    assert surface_counts(mask("###"), mask("##."), tolerance=0.0, looked_at=looked_at).dice() == 1.0
    assert surface_counts(mask("..#"), mask("..."), tolerance=0.0, looked_at=looked_at).dice() is None


masks = arrays.arrays(np.bool_, (5, 6))


@given(masks, masks, st.floats(0, 3))
def test_the_score_is_symmetric_bounded_and_grows_with_the_tolerance(ours, theirs, tolerance):
    forth = surface_counts(ours, theirs, tolerance=tolerance).dice()
    assert forth == pytest.approx(surface_counts(theirs, ours, tolerance=tolerance).dice())
    if forth is not None:
        wider = surface_counts(ours, theirs, tolerance=tolerance + 1).dice()
        assert wider is not None
        assert -1e-9 <= forth <= wider + 1e-9 <= 1 + 2e-9

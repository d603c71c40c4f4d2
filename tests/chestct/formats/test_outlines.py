"""Outlines lie on the edges of pixels; pycocotools' own filler is the oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from chestct.formats.outlines import outlines

# pycocotools 2.0.11 hands NumPy 2 an __array__ of the old kind when it decodes.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

MASKS = arrays.arrays(
    np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans(), fill=st.nothing()
)


def filled(polygons: list[list[tuple[int, int]]], shape: tuple[int, int]) -> np.ndarray:
    """The union of the polygons as pycocotools draws them."""
    if not polygons:
        return np.zeros(shape, bool)
    flat = [[float(value) for corner in polygon for value in corner] for polygon in polygons]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *shape))).astype(bool)


def drawn(text: str) -> np.ndarray:
    return np.array([[mark == "#" for mark in line] for line in text.split()])


def test_one_pixel_is_a_square_around_it():
    assert outlines(drawn("... ..# ...")) == [[(2, 1), (3, 1), (3, 2), (2, 2)]]


def test_pixels_that_touch_at_a_corner_are_two_squares():
    assert outlines(drawn("#. .#")) == [
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(1, 1), (2, 1), (2, 2), (1, 2)],
    ]


def test_a_hole_is_joined_to_its_outline_by_a_seam():
    (ring,) = outlines(drawn("### #.# ###"))
    # Along the top to the seam above the hole, down it, round the hole, up again and on.
    assert ring == [(0, 0), (1, 0), (1, 2), (2, 2), (2, 1), (1, 1), (1, 0), (3, 0), (3, 3), (0, 3)]


def test_an_empty_mask_has_no_outline():
    assert outlines(np.zeros((3, 3), bool)) == []


def test_holes_below_each_other_share_their_outline():
    mask = drawn("##### #.#.# ##### #.#.# #####")
    assert len(outlines(mask)) == 1
    np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)


@settings(max_examples=200, deadline=None)
@given(mask=MASKS)
def test_filling_the_outlines_gives_the_mask_back(mask):
    np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)

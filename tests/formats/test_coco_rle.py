"""COCO's run-length code against pycocotools, character by character."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from chestct.formats.coco_rle import counts, packed, rle


def test_counts_run_down_the_columns_and_begin_with_zeros():
    assert counts(np.array([[0, 1], [1, 1], [0, 0]], bool)) == [1, 1, 1, 2, 1]


def test_a_mask_that_begins_with_ones_has_a_first_run_of_none():
    assert counts(np.array([[1, 0], [1, 0]], bool)) == [0, 2, 2]


def test_long_runs_take_several_characters():
    # 1000 = 0b11111_01000: the low 5 bits with the bit for "more", then 31 with a sign to keep it positive.
    assert packed([1000]) == coco_mask.encode(np.zeros((1000, 1), np.uint8, order="F"))["counts"].decode()


@settings(max_examples=200, deadline=None)
@given(
    mask=arrays.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.booleans())
)
def test_the_packed_counts_are_those_of_pycocotools(mask):
    expected = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert rle(mask) == {"size": list(mask.shape), "counts": expected["counts"].decode()}

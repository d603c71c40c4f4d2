"""COCO's run-length code against pycocotools, character by character."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from chestct.formats.coco_rle import counts, packed, rle


def counted(mask: list[list[int]]) -> list[int]:
    return counts(np.array(mask, bool), 0, 0, np.shape(mask))


def test_counts_run_down_the_columns_and_begin_with_zeros():
    assert counted([[0, 1], [1, 1], [0, 0]]) == [1, 1, 1, 2, 1]


def test_a_mask_that_begins_with_ones_has_a_first_run_of_none():
    assert counted([[1, 0], [1, 0]]) == [0, 2, 2]


def test_a_part_is_counted_where_it_lies():
    # Rows 1 and 2 of column 1, in 3 rows of 2 columns.
    assert counts(np.ones((2, 1), bool), 1, 1, (3, 2)) == [4, 2]
    assert counts(np.zeros((1, 1), bool), 1, 1, (3, 2)) == [6]


def test_long_runs_take_several_characters():
    # 1000 = 0b11111_01000: the low 5 bits with the bit for "more", then 31 with a sign to keep it positive.
    assert packed([1000]) == coco_mask.encode(np.zeros((1000, 1), np.uint8, order="F"))["counts"].decode()


@settings(max_examples=200, deadline=None)
@given(
    part=arrays.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.booleans()),
    around=st.tuples(*[st.integers(0, 9)] * 4),
)
def test_the_packed_counts_are_those_of_pycocotools(part, around):
    top, bottom, left, right = around
    mask = np.pad(part, ((top, bottom), (left, right)))
    expected = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    found = rle(part, top, left, mask.shape)
    assert found == {"size": list(mask.shape), "counts": expected["counts"].decode()}

import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from chestct.catalog import pixels
from chestct.errors import InputError

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES))
def test_png_keeps_every_8_bit_value(array):
    assert pixels.from_png(pixels.to_png(array), "x").tolist() == array.tolist()


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.int16, SHAPES, elements=st.integers(-2048, 4000)))
def test_npz_keeps_every_hounsfield_unit_and_its_bytes_are_the_same_each_time(array):
    data = pixels.to_npz(array)
    assert pixels.from_npz(data, "x").tolist() == array.tolist()
    assert pixels.to_npz(array.copy()) == data


def test_pixels_that_are_a_view_have_the_key_of_their_copy():
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert pixels.array_key(array[::-1]) == pixels.array_key(array[::-1].copy())
    assert len({pixels.array_key(array), pixels.array_key(array[::-1]), pixels.array_key(array.T)}) == 3


def test_a_colour_png_is_refused():
    written = io.BytesIO()
    Image.new("RGB", (2, 2)).save(written, "PNG")
    with pytest.raises(InputError, match="RGB"):
        pixels.from_png(written.getvalue(), "x")


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_png_is_refused(data):
    with pytest.raises(InputError, match="PNG"):
        pixels.from_png(data, "x")


def test_what_is_no_npz_of_hounsfield_units_is_refused_and_never_unpickled():
    objects, floats = io.BytesIO(), io.BytesIO()
    np.savez_compressed(objects, pixels_hu=np.array([[object()]]), allow_pickle=True)
    np.savez_compressed(floats, pixels_hu=np.zeros((2, 2)))
    whole = pixels.to_npz(np.zeros((2, 2), np.int16))
    for data in (b"", b"PK", pickle.dumps(1), whole[:-30], objects.getvalue(), floats.getvalue()):
        with pytest.raises(InputError):
            pixels.from_npz(data, "x")

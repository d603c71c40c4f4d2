import numpy as np
import pytest

from chestct.errors import InputError
from chestct.formats.kaggle_arrays import GrowingArray, KaggleArrays


def test_slices_come_back_with_numpys_own_reader_in_their_order(tmp_path):
    pixels = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
    label_maps = (np.arange(24, dtype=np.uint8) % 4).reshape(2, 3, 4)
    with KaggleArrays(tmp_path, "3x4_hu", (3, 4), np.int16) as arrays:
        for one, label_map in zip(pixels, label_maps, strict=True):
            arrays.append(one, label_map)
    images, masks = (np.load(tmp_path / f"{kind}_3x4_hu.npy") for kind in ("images", "masks"))
    assert (images.dtype, images.shape) == (np.int16, (2, 3, 4, 1))
    assert (masks.dtype, masks.shape) == (np.uint8, (2, 3, 4, 4))
    np.testing.assert_array_equal(images[..., 0], pixels)
    np.testing.assert_array_equal(masks.sum(axis=-1), 1)
    # Channels 0 to 3 are the labels 1, 2, 3 and 0.
    np.testing.assert_array_equal((masks.argmax(axis=-1) + 1) % 4, label_maps)


def test_an_array_of_nothing_is_a_whole_file(tmp_path):
    GrowingArray(tmp_path / "a.npy", (2, 2), np.uint8).close()
    assert np.load(tmp_path / "a.npy").shape == (0, 2, 2)


def test_many_items_fit_into_the_same_header(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", (1,), np.uint8)
    for count in range(1234):
        array.append(np.array([count % 256], np.uint8))
    array.close()
    assert np.load(tmp_path / "a.npy")[:, 0].tolist() == [count % 256 for count in range(1234)]


def test_an_item_of_another_shape_is_refused(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", (2, 2), np.uint8)
    with pytest.raises(InputError, match="uint8 of \\(2, 2\\), but uint8 of \\(2, 3\\) came"):
        array.append(np.zeros((2, 3), np.uint8))
    array.close()

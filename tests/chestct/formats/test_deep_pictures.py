"""16-bit PNG and TIFF, and TIFF of several pages: what their numbers mean is decided and told."""

import numpy as np
import pytest
from PIL import Image

from chestct.formats.deep_levels import decided
from chestct.formats.images import read_image_study
from chestct.formats.layouts import discover
from chestct.intensity import Intensity
from chestct.study import FailedInput


def chest_hu() -> np.ndarray:
    """(80, 100) int: a body of soft tissue with a lung in it, some bone, air around."""
    hu = np.full((80, 100), -1000)
    hu[10:70, 10:90] = 40
    hu[20:60, 20:60] = -850
    hu[12:14, 40:45] = 1200
    return hu


def written(path, numbers):
    """`numbers` as the file's own type stores them."""
    Image.fromarray(numbers).save(path)
    return path


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ((chest_hu() + 1024).astype(np.uint16), "taken as HU + 1024"),
        ((chest_hu() + 32768).astype(np.uint16), "taken as HU + 32768"),
        (chest_hu().astype(np.int16).view(np.uint16), "HU of 16 bits with a sign"),
    ],
    ids=["offset", "middle", "wrapped"],
)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_hu_are_found_however_16_bits_store_them(tmp_path, stored, told, suffix):
    study = read_image_study(written(tmp_path / f"a.{suffix}", stored))
    assert study.intensity is Intensity.HU
    assert study.slices[0].dtype == np.int16
    assert np.array_equal(study.slices[0], chest_hu())
    assert told in study.notes[0]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_below_0_are_hu_as_they_stand(tmp_path, dtype):
    study = read_image_study(written(tmp_path / "a.tif", chest_hu().astype(dtype)))
    assert np.array_equal(study.slices[0], chest_hu())
    assert "some lie below 0" in study.notes[0]


@pytest.mark.parametrize("window", [(-1350, 150), (-160, 240)], ids=["lung window", "soft tissue window"])
def test_a_windowed_picture_of_12_bits_is_no_hu(tmp_path, window):
    low, high = window
    shown = np.clip((chest_hu() - low) / (high - low), 0, 1) * 4095
    study = read_image_study(written(tmp_path / "a.png", shown.astype(np.uint16)))
    assert study.intensity is Intensity.PICTURE
    assert study.slices[0].dtype == np.uint8
    assert (study.slices[0].min(), study.slices[0].max()) == (0, 255)
    assert "unknown window" in study.notes[0]


def test_an_even_picture_of_16_bits_is_black_not_a_division_by_zero():
    pages, intensity, _ = decided([np.full((64, 64), 700, np.uint16)])
    assert intensity is Intensity.PICTURE
    assert pages[0].max() == 0


def test_slices_of_a_folder_are_decided_together(tmp_path):
    """A slice of air alone cannot tell; beside a chest it is the same scanner's air."""
    written(tmp_path / "0.png", np.full((80, 100), 24, np.uint16))
    written(tmp_path / "1.png", (chest_hu() + 1024).astype(np.uint16))
    (study,) = discover([tmp_path])
    assert [int(part.max()) for part in study.slices] == [-1000, 1200]


def test_8_and_16_bits_in_one_folder_are_two_studies(tmp_path, slope):
    written(tmp_path / "0.png", slope)
    written(tmp_path / "1.png", (chest_hu() + 1024).astype(np.uint16))
    assert [(one.intensity, one.slice_names) for one in discover([tmp_path])] == [
        (Intensity.PICTURE, ("0.png",)),
        (Intensity.HU, ("1.png",)),
    ]


def test_a_tiff_of_8_bits_is_a_picture(tmp_path, slope):
    assert np.array_equal(read_image_study(written(tmp_path / "a.tiff", slope)).slices[0], slope)


def test_a_tiff_of_several_pages_is_a_stack(tmp_path, slope):
    pages = [Image.fromarray((chest_hu() + 1024 + page).astype(np.uint16)) for page in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    written(tmp_path / "single.png", slope)
    stack, single = discover([tmp_path])
    assert stack.slice_names == ("stack-000.tif", "stack-001.tif", "stack-002.tif")
    assert [int(part[0, 0]) for part in stack.slices] == [-1000, -999, -998]
    assert single.slice_names == ("single.png",)


def test_a_cut_off_tiff_is_a_sentence(tmp_path):
    path = written(tmp_path / "a.tif", (chest_hu() + 1024).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:3000])
    (failed,) = discover([path])
    assert isinstance(failed, FailedInput)
    assert "TIFF" in failed.reason or "cut off" in failed.reason


def test_a_screenshot_with_transparency_is_flattened(tmp_path, slope):
    rgba = np.dstack([slope, slope, slope, np.full_like(slope, 255)])
    study = read_image_study(written(tmp_path / "shot.png", rgba))
    assert np.array_equal(study.slices[0], slope)

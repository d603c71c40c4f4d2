import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chestct.errors import InputError
from chestct.formats.folders import is_mask_name
from chestct.formats.images import (
    read_image_study,
    read_label_map_png,
    read_mask_picture,
    read_picture,
    write_label_map_png,
)
from chestct.formats.layouts import discover
from chestct.intensity import Intensity
from chestct.study import FailedInput, Study


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        read_picture(path)
    assert caught.value.source == str(path)
    assert "\n" not in str(caught.value)


def test_grey_levels_come_as_stored(tmp_path, save_picture, slope):
    assert np.array_equal(read_picture(save_picture(tmp_path / "a.png", slope)), slope)


@pytest.mark.parametrize("channels", [3, 4])
def test_grey_in_three_channels_is_grey(tmp_path, save_picture, slope, channels):
    pixels = np.repeat(slope[:, :, None], channels, axis=2)
    pixels[..., 3:] = 255
    assert np.array_equal(read_picture(save_picture(tmp_path / "a.png", pixels)), slope)


def test_transparent_pixels_are_black(tmp_path, save_picture, slope):
    pixels = np.dstack([slope, slope, slope, np.zeros_like(slope)])
    assert read_picture(save_picture(tmp_path / "a.png", pixels)).max() == 0


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK"])
def test_other_8_bit_modes_are_converted(tmp_path, slope, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    image = Image.fromarray(np.where(slope > 120, np.uint8(255), np.uint8(0)))
    image.convert("RGB" if mode == "CMYK" else "L").convert(mode).save(tmp_path / f"a.{suffix}")
    found = read_picture(tmp_path / f"a.{suffix}")
    assert found.dtype == np.uint8
    assert (found[:, 0] < 30).all()
    assert (found[:, -1] > 225).all()


def test_a_colour_jpeg_of_a_grey_slice_is_grey(tmp_path, save_picture, slope):
    path = save_picture(tmp_path / "a.jpg", np.repeat(slope[:, :, None], 3, axis=2))
    assert np.abs(read_picture(path).astype(int) - slope).max() < 12


def test_a_few_drawn_marks_are_kept_as_luminance(tmp_path, save_picture, slope):
    pixels = np.repeat(slope[:, :, None], 3, axis=2)
    pixels[10:20, 10:20] = (255, 0, 0)
    assert read_picture(save_picture(tmp_path / "a.png", pixels))[15, 15] == 76  # 0.299 * 255


def test_a_photograph_is_refused(tmp_path, save_picture):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    refused(save_picture(tmp_path / "a.png", pixels), "colour picture")


def test_where_8_bits_are_needed_16_are_refused(tmp_path, save_picture):
    refused(save_picture(tmp_path / "a.png", np.zeros((80, 80), dtype=np.uint16)), "16 bits or more")


@pytest.mark.parametrize("shape", [(63, 80), (80, 63), (1, 1)])
def test_too_small_is_refused(tmp_path, save_picture, shape):
    refused(save_picture(tmp_path / "a.png", np.zeros(shape, dtype=np.uint8)), "expected 64 to 4096")


def test_too_large_is_refused(tmp_path, save_picture):
    refused(save_picture(tmp_path / "a.png", np.zeros((64, 4097), dtype=np.uint8)), "larger than 4096")


@pytest.mark.parametrize("side", [10_000, 50_000])
def test_a_decompression_bomb_is_refused_unopened(tmp_path, side):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9999)))
    (tmp_path / "bomb.png").write_bytes(content + chunk(b"IEND", b""))
    refused(tmp_path / "bomb.png", "larger than 4096")


def test_missing_text_empty_and_other_formats_are_refused(tmp_path, slope):
    refused(tmp_path / "nothing.png", "does not exist")
    (tmp_path / "text.png").write_text("not a picture")
    refused(tmp_path / "text.png", "not a readable PNG, JPEG or TIFF")
    (tmp_path / "empty.png").touch()
    (tmp_path / "tiff-header-alone.png").write_bytes(b"MM\0*\0\0\0\x08")
    refused(tmp_path / "tiff-header-alone.png", "not a readable PNG, JPEG or TIFF")
    refused(tmp_path / "empty.png", "not a readable PNG, JPEG or TIFF")
    Image.fromarray(slope).save(tmp_path / "a.png", format="BMP")
    refused(tmp_path / "a.png", "not a readable PNG, JPEG or TIFF")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_cut_off_picture_is_refused(tmp_path, save_picture, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (90, 90)).astype(np.uint8)
    path = save_picture(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, "damaged or cut off")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), content=st.binary(min_size=1, max_size=6), kind=st.sampled_from(["PNG", "JPEG"]))
def test_a_damaged_picture_reads_or_is_refused_and_never_anything_else(tmp_path, at, content, kind):
    whole = io.BytesIO()
    Image.fromarray(np.tile(np.arange(96, dtype=np.uint8), (64, 1))).save(whole, format=kind)
    raw = bytearray(whole.getvalue())
    offset = int(at * (len(raw) - 1))
    raw[offset : offset + len(content)] = content
    path = tmp_path / "fuzz.png"
    path.write_bytes(raw)
    try:
        pixels = read_picture(path)
    except InputError as error:
        assert error.source == str(path)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2


def test_one_picture_is_a_study_of_one_slice(tmp_path, save_picture, slope):
    study = read_image_study(save_picture(tmp_path / "case.7.png", slope))
    assert (study.name, study.patient, len(study.slices)) == ("case.7", "case.7", 1)
    assert study.slice_names == ("case.7.png",)
    assert study.intensity is Intensity.PICTURE
    assert study.geometry is None


def test_a_folder_of_pictures_is_one_study_in_counting_order(tmp_path, save_picture, slope):
    folder = tmp_path / "patient_3"
    for name in ("s10.png", "s2.jpg", "s1.png"):
        save_picture(folder / name, slope)
    save_picture(folder / "s1.label.png", slope)
    save_picture(folder / "s1_mask.png", slope)
    save_picture(folder / ".hidden.png", slope)
    (folder / "s3.png").write_text("broken")
    (folder / "notes.txt").write_text("no picture")
    found = list(discover([folder]))
    assert [type(item) for item in found] == [FailedInput, Study]
    failed, study = found
    assert failed.source == folder / "s3.png"
    assert study.name == study.patient == "patient_3"
    assert study.slice_names == ("s1.png", "s2.jpg", "s10.png")


@pytest.mark.parametrize(
    "name", ["a_mask.png", "a-msk.nii.gz", "A.LABEL.nii.gz", "a_labels.nii", "a.overlay.png"]
)
def test_names_of_masks_and_results_are_known(tmp_path, name):
    assert is_mask_name(tmp_path / name)


@pytest.mark.parametrize("name", ["study_0001.nii.gz", "unmasked.png", "mask-free.nii", "damask.png"])
def test_names_of_studies_are_not_masks(tmp_path, name):
    assert not is_mask_name(tmp_path / name)


def test_a_label_map_survives_as_png(tmp_path):
    label_map = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    write_label_map_png(tmp_path / "a.label.png", label_map)
    assert np.array_equal(read_label_map_png(tmp_path / "a.label.png"), label_map)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.label.png"]


def test_values_beyond_3_are_no_label_map(tmp_path, save_picture):
    with pytest.raises(InputError, match="up to 255; expected a label map of 0 to 3"):
        read_label_map_png(save_picture(tmp_path / "a.png", np.full((4, 4), 255, dtype=np.uint8)))


def test_a_label_map_in_colour_is_refused(tmp_path, save_picture):
    with pytest.raises(InputError, match="one 8-bit channel"):
        read_label_map_png(save_picture(tmp_path / "a.png", np.zeros((4, 4, 3), dtype=np.uint8)))


def test_a_mask_is_inside_above_127(tmp_path, save_picture):
    mask = read_mask_picture(save_picture(tmp_path / "a.png", np.array([[0, 127, 128, 255]], np.uint8)))
    assert mask.tolist() == [[False, False, True, True]]

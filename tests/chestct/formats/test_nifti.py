import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chestct.errors import InputError
from chestct.formats import nifti
from chestct.formats.nifti import (
    read_label_map_nifti,
    read_mask_nifti,
    read_nifti,
    refuse_other_geometry,
    write_label_map_nifti,
)
from chestct.geometry import Geometry
from chestct.intensity import Intensity


def refused(path, match):
    """The error of reading `path`: one sentence that names the file."""
    with pytest.raises(InputError, match=match) as caught:
        read_nifti(path)
    assert caught.value.source == str(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def patched(path, offset, content):
    """The file with header bytes replaced, uncompressed inside gzip as before."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[offset : offset + len(content)] = content
    path.write_bytes(gzip.compress(bytes(raw)))
    return path


@pytest.fixture
def file(tmp_path, save_nifti, chest):
    return save_nifti(tmp_path / "study_0001.nii.gz", chest)


def test_a_study_comes_in_the_radiological_view_foot_first(file, chest, affine):
    study = read_nifti(file)
    assert (study.name, study.patient, study.source) == ("study_0001", "study_0001", file)
    assert study.intensity is Intensity.HU
    assert len(study.slices) == 4
    assert [part.shape for part in study.slices] == [(5, 6)] * 4
    assert study.slices[3][0, 0] == 40
    assert sum(int((part == 40).sum()) for part in study.slices) == 1
    assert study.slices[0].dtype == np.int16
    assert study.geometry is not None
    assert study.geometry.stored_shape == chest.shape
    assert np.array_equal(study.geometry.affine, affine)


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2", ">f4"]
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_number_type_reads_as_nibabel_reads_it(tmp_path, save_nifti, dtype, suffix):
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    path = save_nifti(tmp_path / f"a{suffix}", values)
    oracle = np.asanyarray(nib.load(path).dataobj)
    study = read_nifti(path)
    assert study.geometry is not None
    assert np.array_equal(study.geometry.to_stored(np.stack(study.slices)), oracle)


def test_slope_and_intercept_are_applied_and_padding_becomes_air(tmp_path, affine):
    image = nib.Nifti1Image(np.array([[[0, 1, 1064]]], dtype=np.int16), affine)
    image.header.set_slope_inter(2.0, -2048.0)
    nib.save(image, tmp_path / "a.nii")
    # nibabel rescales what it writes, so set the scaling of the file itself.
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[112:120] = struct.pack("<ff", 2.0, -2048.0)
    (tmp_path / "a.nii").write_bytes(raw)
    stored = np.asanyarray(nib.load(tmp_path / "a.nii").dataobj)
    assert [int(part[0, 0]) for part in read_nifti(tmp_path / "a.nii").slices] == [
        max(-1024, int(value)) for value in stored[0, 0]
    ]


def test_unscaled_uint8_is_a_picture_not_hu(tmp_path, save_nifti):
    study = read_nifti(save_nifti(tmp_path / "a.nii.gz", np.full((3, 3, 2), 200, dtype=np.uint8)))
    assert study.intensity is Intensity.PICTURE
    assert study.slices[0].dtype == np.uint8
    assert study.slices[0][0, 0] == 200


def test_other_values_without_air_are_taken_as_hu_with_a_warning(tmp_path, save_nifti, caplog):
    study = read_nifti(save_nifti(tmp_path / "a.nii.gz", np.full((3, 3, 2), 200, dtype=np.int16)))
    assert study.intensity is Intensity.HU
    assert "darkest voxel is 200 HU" in caplog.text


def test_trailing_axes_of_length_1_are_dropped_and_a_plane_is_one_slice(tmp_path, save_nifti):
    four = read_nifti(save_nifti(tmp_path / "four.nii.gz", np.full((3, 4, 2, 1), -900, dtype=np.int16)))
    plane = read_nifti(save_nifti(tmp_path / "plane.nii.gz", np.full((3, 4), -900, dtype=np.int16)))
    assert len(four.slices) == 2
    assert [part.shape for part in plane.slices] == [(4, 3)]


def test_gzip_is_told_by_content_not_by_name(tmp_path, file):
    plain = tmp_path / "plain.nii.gz"
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    assert np.array_equal(np.stack(read_nifti(plain).slices), np.stack(read_nifti(file).slices))


def test_a_time_series_is_refused(tmp_path, save_nifti):
    refused(save_nifti(tmp_path / "a.nii.gz", np.zeros((3, 3, 2, 5), np.int16)), "one 3-D volume")


def test_nan_and_infinite_voxels_are_counted(tmp_path, save_nifti):
    values = np.full((3, 3, 3), -1000, dtype=np.float32)
    values[0, 0, 0], values[1, 1, 2], values[2, 2, 2] = np.nan, np.inf, -np.inf
    refused(save_nifti(tmp_path / "a.nii.gz", values), "holds 3 voxels that are NaN or infinite")


@pytest.mark.parametrize("keep", [0, 1, 5, 20, -40, -9, -1])
def test_a_cut_off_download_is_refused(tmp_path, save_nifti, keep):
    noise = np.random.default_rng(0).integers(-1000, 1000, (16, 16, 8)).astype(np.int16)
    path = save_nifti(tmp_path / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:keep])
    refused(path, "cut off|not a NIfTI")


def test_a_cut_off_uncompressed_file_is_refused(tmp_path, save_nifti, chest):
    path = save_nifti(tmp_path / "a.nii", chest)
    path.write_bytes(path.read_bytes()[:-7])
    refused(path, "cannot hold")


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path, save_nifti):
    noise = np.random.default_rng(0).integers(-1000, 1000, (16, 16, 8)).astype(np.int16)
    path = save_nifti(tmp_path / "a.nii.gz", noise)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1  # in the checksum, which covers every voxel
    path.write_bytes(raw)
    refused(path, "damaged or cut off")


def test_text_named_nifti_is_refused(tmp_path):
    path = tmp_path / "notes.nii.gz"
    path.write_text("these are the notes of the second reader, not a volume\n" * 20)
    refused(path, "not a NIfTI volume")


def test_gzipped_text_named_nifti_is_refused(tmp_path):
    path = tmp_path / "notes.nii.gz"
    path.write_bytes(gzip.compress(b"no volume here " * 100))
    refused(path, "not a NIfTI volume")


def test_no_spacing_is_refused(file):
    patched(file, 76, struct.pack("<4f", 1, 0, 0, 0))  # pixdim
    patched(file, 280, struct.pack("<12f", *[0.0] * 12))  # srow
    refused(file, "above 0 mm")


def test_metres_are_refused(file):
    refused(patched(file, 123, bytes([1])), "in meter; expected mm")


def test_colour_voxels_are_refused(file):
    refused(patched(file, 70, struct.pack("<hh", 128, 24)), "stores voxels as")


def test_an_unknown_type_is_refused(file):
    refused(patched(file, 70, struct.pack("<hh", 999, 16)), "unknown data type")


@pytest.mark.parametrize("shape", [(32767, 32767, 2), (4096, 4096, 4096), (1, 1, 5000)])
def test_a_header_that_claims_too_much_is_refused_before_reading(file, shape):
    refused(patched(file, 40, struct.pack("<4h", 3, *shape)), "claims .* at most")


def test_a_header_that_claims_more_than_the_file_can_hold_is_refused(file):
    refused(patched(file, 40, struct.pack("<4h", 3, 512, 512, 400)), "cannot hold")


@pytest.mark.parametrize("dims", [(3, 0, 5, 4), (3, -6, 5, 4), (0, 6, 5, 4), (9, 6, 5, 4)])
def test_impossible_dimensions_are_refused(file, dims):
    with pytest.raises(InputError):
        read_nifti(patched(file, 40, struct.pack("<4h", *dims)))


def test_a_zip_bomb_costs_no_more_than_the_header_admits(tmp_path, save_nifti, chest):
    path = save_nifti(tmp_path / "a.nii.gz", chest)
    raw = gzip.decompress(path.read_bytes()) + bytes(100_000_000)
    path.write_bytes(gzip.compress(raw, 1))
    assert len(read_nifti(path).slices) == 4  # and memory stays: the tail is never expanded


def test_missing_folder_and_unreadable_are_one_sentence_each(tmp_path):
    refused(tmp_path / "nothing.nii.gz", "does not exist")
    (tmp_path / "folder.nii.gz").mkdir()
    refused(tmp_path / "folder.nii.gz", "is a folder")


def test_a_file_without_permission_is_refused(file, monkeypatch):
    def forbidden(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file), "open", forbidden)
    refused(file, "cannot be read: Permission denied")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, 351), content=st.binary(min_size=1, max_size=8))
def test_a_damaged_header_reads_or_is_refused_and_never_anything_else(tmp_path, affine, offset, content):
    path = tmp_path / "fuzz.nii"
    nib.save(nib.Nifti1Image(np.full((3, 4, 2), -1000, dtype=np.int16), affine), path)
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(content)] = content
    path.write_bytes(raw[:400])
    with np.errstate(all="ignore"):
        try:
            study = read_nifti(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert len(study.slices) > 0


CODES = [("L", "A", "S"), ("L", "P", "S"), ("R", "A", "S"), ("S", "P", "L"), ("A", "I", "R")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.sampled_from(CODES), seed=st.integers(0, 99), suffix=st.sampled_from([".nii", ".nii.gz"]))
def test_a_label_map_survives_bit_by_bit_with_shape_and_affine(tmp_path, codes, seed, suffix):
    turn = nib.orientations.axcodes2ornt(codes)
    shape = tuple(int(length) for length in np.array([5, 4, 3])[turn[:, 0].astype(int)])
    affine = np.zeros((4, 4))
    affine[turn[:, 0].astype(int), range(3)] = turn[:, 1] * np.array([0.671, 0.671, 8.0])
    affine[:, 3] = [12.5, -7.25, 100.0, 1.0]
    geometry = Geometry(shape, affine.astype(np.float32).astype(np.float64))
    view = np.random.default_rng(seed).integers(0, 4, geometry.view_shape).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    write_label_map_nifti(path, view, geometry)
    oracle = nib.load(path)
    assert oracle.get_data_dtype() == np.uint8
    assert np.array_equal(np.asanyarray(oracle.dataobj), geometry.to_stored(view))
    assert np.array_equal(oracle.affine, geometry.affine)
    again, read_geometry = read_label_map_nifti(path)
    assert np.array_equal(again, view)
    assert read_geometry.stored_shape == shape
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_label_map_written_for_a_file_has_its_affine(tmp_path, file):
    geometry = read_nifti(file).geometry
    assert geometry is not None
    write_label_map_nifti(tmp_path / "out.nii.gz", np.zeros(geometry.view_shape, np.uint8), geometry)
    assert np.array_equal(nib.load(tmp_path / "out.nii.gz").affine, nib.load(file).affine)
    assert nib.load(tmp_path / "out.nii.gz").shape == nib.load(file).shape


@pytest.mark.parametrize(
    "view",
    [np.zeros((4, 6, 5), np.uint8), np.zeros((4, 5, 6), np.int16), np.full((4, 5, 6), 4, np.uint8)],
    ids=["shape", "type", "value"],
)
def test_a_wrong_label_map_is_not_written(tmp_path, file, view):
    geometry = read_nifti(file).geometry
    with pytest.raises(InputError, match="expected uint8"):
        write_label_map_nifti(tmp_path / "out.nii.gz", view, geometry)
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_name_that_is_not_nifti_is_not_written(tmp_path, affine):
    with pytest.raises(InputError, match=r"expected \.nii\.gz"):
        write_label_map_nifti(
            tmp_path / "out.png", np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), affine)
        )


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path, affine):
    with pytest.raises(InputError, match="does not exist"):
        write_label_map_nifti(
            tmp_path / "no" / "a.nii", np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), affine)
        )


@pytest.mark.parametrize("value", [4, -1, 0.5, 257])
def test_a_value_that_is_no_label_is_refused(tmp_path, save_nifti, value):
    stored = np.zeros((3, 3, 2), dtype=np.float32)
    stored[1, 1, 1] = value
    with pytest.raises(InputError, match="expected a label map of 0 to 3"):
        read_label_map_nifti(save_nifti(tmp_path / "a.nii.gz", stored))


@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_0_and_one_other_value(tmp_path, save_nifti, value):
    stored = np.zeros((3, 4, 2), dtype=np.int16)
    stored[0, 3, 1] = value
    mask, _ = read_mask_nifti(save_nifti(tmp_path / "a.nii.gz", stored))
    assert mask[1, 0, 0]
    assert mask.sum() == 1


def test_a_mask_of_three_values_is_refused(tmp_path, save_nifti):
    stored = np.arange(18, dtype=np.int16).reshape(3, 3, 2) % 3
    with pytest.raises(InputError, match="values 0, 1, 2; expected a mask"):
        read_mask_nifti(save_nifti(tmp_path / "a.nii.gz", stored))


def test_a_mask_may_lie_a_rounding_error_but_not_half_a_voxel_away(tmp_path, affine):
    study, path = Geometry((10, 10, 4), affine), tmp_path / "mask.nii.gz"
    near, far, turned = affine.copy(), affine.copy(), affine.copy()
    near[0, 3] += 0.01
    far[0, 3] += 0.3
    turned[0, 0] *= -1
    refuse_other_geometry(path, Geometry((10, 10, 4), near), study)
    for wrong in (Geometry((10, 10, 4), far), Geometry((10, 10, 4), turned)):
        with pytest.raises(InputError, match="beside its study"):
            refuse_other_geometry(path, wrong, study)
    with pytest.raises(InputError, match=r"\(10, 10, 3\) voxels"):
        refuse_other_geometry(path, Geometry((10, 10, 3), affine), study)


def test_stems_drop_both_suffixes(tmp_path):
    assert nifti.nifti_stem(tmp_path / "study_1.v2.nii.gz") == "study_1.v2"
    assert nifti.nifti_stem(tmp_path / "Scan.NII") == "Scan"

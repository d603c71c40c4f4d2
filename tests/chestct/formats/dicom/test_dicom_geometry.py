"""Position, orientation and HU of written series, against GDCM's reader (SimpleITK) as the oracle."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everybody uses

from chestct.formats.layouts import discover
from chestct.study import FailedInput, Study

TILT = np.radians(20)
ORIENTATIONS = {
    "head first supine": (1, 0, 0, 0, 1, 0),
    "head first prone": (-1, 0, 0, 0, -1, 0),
    "feet first supine": (-1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (1, 0, 0, 0, float(np.cos(TILT)), float(-np.sin(TILT))),
}


def the_study(*paths) -> Study:
    (study,) = discover(paths)
    assert isinstance(study, Study), study
    return study


def as_gdcm_reads(folder):
    """HU as (S, rows, columns), and the affine in RAS+, by SimpleITK's series reader."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_hu_and_place_are_those_of_gdcm_in_every_orientation(tmp_path, write_series, orientation):
    stored = write_series(tmp_path / "case", orientation=orientation)
    study = the_study(tmp_path / "case")
    hu, affine = as_gdcm_reads(tmp_path / "case")
    assert np.array_equal(hu, stored.astype(int) - 1024)
    np.testing.assert_allclose(study.geometry.affine, affine, atol=1e-6)
    back = study.geometry.to_stored(np.stack(study.slices))
    assert np.array_equal(back, hu.transpose(2, 1, 0))


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_the_patients_right_is_on_the_left_and_anterior_is_up(tmp_path, write_series, orientation):
    write_series(tmp_path / "case", orientation=orientation, count=9)
    study = the_study(tmp_path / "case")
    # Each voxel's own place in the patient, turned like the voxels.
    index = np.indices(study.geometry.stored_shape).reshape(3, -1)
    places = (study.geometry.affine[:3, :3] @ index).reshape(3, *study.geometry.stored_shape)
    right_to_left, _, to_head = (study.geometry.to_view(axis) for axis in places)
    posterior_to_anterior = study.geometry.to_view(places[1])
    assert right_to_left[0, 0, 0] > right_to_left[0, 0, -1]  # RAS+ grows to the right
    assert posterior_to_anterior[0, 0, 0] > posterior_to_anterior[0, -1, 0]
    assert to_head[0, 0, 0] != to_head[-1, 0, 0]


def test_spacing_is_between_positions_rows_and_columns(tmp_path, write_series):
    write_series(tmp_path / "case", spacing=8.0, SliceThickness=1.0)
    assert the_study(tmp_path / "case").geometry.spacing_mm == (8.0, 0.5, 0.75)


def test_slices_follow_their_place_not_their_names_or_numbers(tmp_path, write_series):
    stored = write_series(tmp_path / "case")
    study = the_study(tmp_path / "case")
    assert np.array_equal(np.stack(study.slices), stored.astype(int) - 1024)
    assert [path.name for path in study.dicom_files] == [f"IM00{number}.dcm" for number in (4, 3, 2, 1)]


def test_a_tilted_gantry_shears_the_grid_and_is_told(tmp_path, write_series):
    orientation = ORIENTATIONS["oblique"]
    write_series(tmp_path / "case", orientation=orientation, step=(0.0, 0.0, 5.0))
    study = the_study(tmp_path / "case")
    assert "the gantry was tilted by 20 degrees" in study.notes
    np.testing.assert_allclose(study.geometry.affine[:3, 2], [0, 0, 5])
    # The volume of a voxel is that of the sheared box: height along the normal.
    assert study.geometry.voxel_volume_ml == pytest.approx(0.5 * 0.75 * 5 * np.cos(TILT) / 1000)


def test_slope_and_padding(tmp_path, write_image):
    stored = np.full((4, 4), 500, np.uint16)
    stored[0, 0], stored[0, 1] = 63536, 63537  # padding, a range of two values
    write_image(
        tmp_path / "a.dcm", stored, (0, 0, 0),
        RescaleSlope=2, RescaleIntercept=-1000,
        PixelPaddingValue=63536, PixelPaddingRangeLimit=63537,
    )  # fmt: skip
    pixels = the_study(tmp_path / "a.dcm").slices[0]
    assert pixels[0].tolist() == [-1024, -1024, 0, 0]


def body_in_air():
    """(8, 8) uint16 HU + 1024: air around soft tissue."""
    stored = np.full((8, 8), 24, np.uint16)
    stored[2:6, 2:6] = 1064
    return stored


def test_monochrome1_changes_no_hu(tmp_path, write_image):
    # PS3.3 C.7.6.3.1.2: a matter of display. GDCM inverts the numbers, so it is no oracle here.
    write_image(tmp_path / "a.dcm", body_in_air(), (0, 0, 0), PhotometricInterpretation="MONOCHROME1")
    study = the_study(tmp_path / "a.dcm")
    assert (study.slices[0][0, 0], study.slices[0][3, 3]) == (-1000, 40)
    assert study.notes == ()


def test_monochrome1_with_inverted_numbers_is_turned_back_and_told(tmp_path, write_image):
    write_image(
        tmp_path / "a.dcm", 4095 - body_in_air(), (0, 0, 0),
        PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11,
    )  # fmt: skip
    study = the_study(tmp_path / "a.dcm")
    assert (study.slices[0][0, 0], study.slices[0][3, 3]) == (-1000, 40)
    assert "turned back" in study.notes[0]


def test_a_missing_slice_is_an_error_that_says_where(tmp_path, write_series):
    write_series(tmp_path / "case", count=8, skip=(3,))
    (failed,) = discover([tmp_path / "case"])
    assert isinstance(failed, FailedInput)
    assert "lacks about 1 slices" in failed.reason
    assert "5.00 mm lie between IM006.dcm and IM004.dcm, 2.50 mm" in failed.reason


def test_slightly_uneven_spacing_is_told(tmp_path, write_image):
    for index, z in enumerate((0.0, 2.0, 4.4, 6.0)):
        write_image(tmp_path / f"case/{index}.dcm", np.zeros((4, 4), np.uint16), (0, 0, z))
    study = the_study(tmp_path / "case")
    assert any("slices lie 1.60 to 2.40 mm apart" in note for note in study.notes)


def test_a_copy_of_a_slice_is_left_out_and_told(tmp_path, write_series):
    write_series(tmp_path / "case")
    (tmp_path / "case/again.dcm").write_bytes((tmp_path / "case/IM002.dcm").read_bytes())
    study = the_study(tmp_path / "case")
    assert len(study.slices) == 4
    assert "1 files are copies of others and were left out" in study.notes


def test_two_different_images_at_one_place_are_an_error(tmp_path, write_series, write_image):
    write_series(tmp_path / "case")
    write_image(tmp_path / "case/b.dcm", np.zeros((6, 8), np.uint16), (-10, -20, 30), InstanceNumber=9)
    (failed,) = discover([tmp_path / "case"])
    assert "at the same place" in failed.reason


def test_two_passes_over_the_chest_in_one_series_are_told_apart(tmp_path, write_series):
    first = write_series(tmp_path / "case", AcquisitionNumber=1, stem="A")
    write_series(tmp_path / "case", AcquisitionNumber=2, stem="B", seed=1)
    study = the_study(tmp_path / "case")
    assert np.array_equal(np.stack(study.slices), first.astype(int) - 1024)
    assert "of 2 CT series" in study.notes[0]

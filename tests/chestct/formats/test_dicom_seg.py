"""DICOM SEG, read back by highdicom, by pydicom with the frames placed by hand, and by SimpleITK."""

import itertools
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_series import (
    SERIES,
    geometry_of,
    write_series,
)

from chestct.dicom_source import read_headers
from chestct.errors import InputError
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from chestct.geometry import Geometry

MODEL = MadeBy.model("base-1")


def labels_in(geometry: Geometry) -> np.ndarray:
    """A view without any symmetry that could hide a wrong turn."""
    return np.random.default_rng(7).integers(0, 4, geometry.view_shape).astype(np.uint8)


def placed_by_hand(path: Path) -> dict[tuple[float, ...], int]:
    """LPS position of each marked pixel, rounded to 0.01 mm -> its segment; pydicom and PS3.3 C.7.6.2.1.1."""
    seg = pydicom.dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    between_rows, between_columns = shared.PixelMeasuresSequence[0].PixelSpacing
    found: dict[tuple[float, ...], int] = {}
    for pixels, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for row, column in np.argwhere(pixels):
            at = origin + across * between_columns * column + down * between_rows * row
            key = tuple((np.round(at, 2) + 0.0).tolist())
            assert key not in found
            found[key] = number
    return found


def placed_by_affine(view: np.ndarray, geometry: Geometry) -> dict[tuple[float, ...], int]:
    """The same of the study itself: stored index through the affine, RAS to LPS."""
    stored = geometry.to_stored(view)
    places = {}
    for index in np.argwhere(stored):
        at = (geometry.affine @ [*index, 1])[:3] * [-1, -1, 1]
        places[tuple((np.round(at, 2) + 0.0).tolist())] = int(stored[tuple(index)])
    return places


@pytest.mark.parametrize("name", SERIES)
def test_every_voxel_lies_where_the_study_has_it(tmp_path, name):
    files, geometry = write_series(tmp_path / "ct", SERIES[name]), geometry_of(SERIES[name])
    view = labels_in(geometry)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files), MODEL)
    assert placed_by_hand(tmp_path / "a.dcm") == placed_by_affine(view, geometry)


@pytest.mark.parametrize("name", SERIES)
def test_highdicom_finds_the_labels_on_each_source_instance(tmp_path, name):
    files, geometry = write_series(tmp_path / "ct", SERIES[name]), geometry_of(SERIES[name])
    view = labels_in(geometry)
    # The order in which the files are handed over does not matter.
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files[::-1]), MODEL)
    seg = highdicom.seg.segread(tmp_path / "a.dcm")
    uids = [pydicom.dcmread(file).SOPInstanceUID for file in files]
    frames = seg.get_pixels_by_source_instance(uids, combine_segments=True)
    # The reader of these tests stores (row, column, slice).
    np.testing.assert_array_equal(np.moveaxis(frames, 0, 2), geometry.to_stored(view))


@pytest.mark.parametrize("codes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_any_way_to_store_the_series_gives_the_same_segmentation(tmp_path, codes, flips):
    directions = SERIES["oblique"]
    files, plain = write_series(tmp_path / "ct", directions), geometry_of(directions)
    # The same voxels as a reader with other axes would store them.
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new_axis, axis in enumerate(codes):
        turn[axis, new_axis] = -1 if flips[axis] else 1
        turn[axis, 3] = plain.stored_shape[axis] - 1 if flips[axis] else 0
    shape = tuple(plain.stored_shape[axis] for axis in codes)
    geometry = Geometry((shape[0], shape[1], shape[2]), plain.affine @ turn)
    view = labels_in(geometry)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files), MODEL)
    assert placed_by_hand(tmp_path / "a.dcm") == placed_by_affine(view, geometry)


def test_simpleitk_reads_the_frames_as_pixels(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    files, geometry = write_series(tmp_path / "ct", SERIES["coronal"]), geometry_of(SERIES["coronal"])
    view = labels_in(geometry)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files), MODEL)
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.dcm")))
    expected = pydicom.dcmread(tmp_path / "a.dcm").pixel_array
    assert read.shape == expected.shape
    # GDCM (in SimpleITK 2.5.7) passes over the bits of a last byte that is not full, as 180 pixels leave one.
    whole = expected.size // 8 * 8
    np.testing.assert_array_equal(read.ravel()[:whole] > 0, expected.ravel()[:whole] > 0)


def test_the_segments_say_in_codes_what_they_are_and_who_made_them(tmp_path):
    files, geometry = write_series(tmp_path / "ct", SERIES["oblique"]), geometry_of(SERIES["oblique"])
    write_dicom_seg(tmp_path / "a.dcm", labels_in(geometry), geometry, read_headers(files), MODEL)
    seg = highdicom.seg.segread(tmp_path / "a.dcm")
    assert (seg.SegmentationType, seg.Modality, seg.SegmentsOverlap) == ("BINARY", "SEG", "NO")
    found = [
        (one.SegmentNumber, one.SegmentLabel, one.SegmentedPropertyTypeCodeSequence[0].CodeValue)
        for one in seg.SegmentSequence
    ]
    assert found == [
        (1, "Ground glass", "112120"),
        (2, "Consolidation", "95436008"),
        (3, "Lung", "39607008"),
    ]
    assert {one.SegmentAlgorithmType for one in seg.SegmentSequence} == {"AUTOMATIC"}
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "base-1"


@pytest.mark.parametrize(
    ("started_from", "algorithm"), [((), "MANUAL"), (("base-1", "base-1", "a-0"), "SEMIAUTOMATIC")]
)
def test_a_corrected_pre_label_is_semiautomatic_and_a_drawing_from_nothing_manual(
    tmp_path, started_from, algorithm
):
    files, geometry = write_series(tmp_path / "ct", SERIES["coronal"]), geometry_of(SERIES["coronal"])
    view = labels_in(geometry)
    made_by = MadeBy.readers(started_from)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files), made_by)
    first = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence[0]
    assert first.SegmentAlgorithmType == algorithm
    identified = first.get("SegmentationAlgorithmIdentificationSequence")
    assert (identified[0].AlgorithmVersion if identified else None) == ("a-0, base-1" if identified else None)
    assert (identified is None) is (algorithm == "MANUAL")


def test_the_result_belongs_to_the_same_patient_study_and_frame_of_reference(tmp_path):
    files, geometry = write_series(tmp_path / "ct", SERIES["oblique"]), geometry_of(SERIES["oblique"])
    write_dicom_seg(tmp_path / "a.dcm", labels_in(geometry), geometry, read_headers(files), MODEL)
    seg, source = pydicom.dcmread(tmp_path / "a.dcm"), pydicom.dcmread(files[0])
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyInstanceUID",
        "StudyDate",
        "AccessionNumber",
        "FrameOfReferenceUID",
    ):
        assert str(seg[keyword].value) == str(source[keyword].value)
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert "Secret" not in str(seg)
    referenced = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    uids = {one.ReferencedSOPInstanceUID for one in referenced}
    assert uids == {pydicom.dcmread(file).SOPInstanceUID for file in files}


def test_only_slices_that_were_looked_at_have_frames_and_all_of_those_have(tmp_path):
    name = "axial, head first"
    files, geometry = write_series(tmp_path / "ct", SERIES[name]), geometry_of(SERIES[name])
    view = np.zeros(geometry.view_shape, np.uint8)
    view[0, 1, 2] = 2
    headers = read_headers(files)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, headers, MadeBy.readers(()), looked_at=(0, 2))
    seg = pydicom.dcmread(tmp_path / "a.dcm")
    # Two segments (no lung was drawn) on each of two slices; three of the four frames are empty.
    assert [one.SegmentLabel for one in seg.SegmentSequence] == ["Ground glass", "Consolidation"]
    assert seg.pixel_array.shape == (4, 4, 5)
    assert seg.pixel_array.sum() == 1
    heights = {
        float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        for groups in seg.PerFrameFunctionalGroupsSequence
    }
    assert heights == {-120.0, -130.0}


def test_a_study_in_which_nothing_was_found_is_still_a_segmentation(tmp_path):
    files, geometry = write_series(tmp_path / "ct", SERIES["coronal"]), geometry_of(SERIES["coronal"])
    view = np.zeros(geometry.view_shape, np.uint8)
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, read_headers(files), MODEL)
    assert pydicom.dcmread(tmp_path / "a.dcm").pixel_array.max() == 0


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"FrameOfReferenceUID": None}, "without FrameOfReferenceUID"),
        ({"SliceThickness": None}, None),
        ({"PatientName": None, "PatientBirthDate": None, "StudyTime": None, "AccessionNumber": None}, None),
        ({"PatientName": "ANON"}, None),
    ],
    ids=["no frame of reference", "no thickness", "de-identified", "a pseudonym"],
)
def test_what_a_source_lacks_stays_empty_unless_a_result_cannot_do_without(tmp_path, changed, match):
    directions = SERIES["oblique"]
    files, geometry = write_series(tmp_path / "ct", directions, **changed), geometry_of(directions)
    view, headers = labels_in(geometry), read_headers(files)
    if match:
        with pytest.raises(InputError, match=match):
            write_dicom_seg(tmp_path / "a.dcm", view, geometry, headers, MODEL)
        return
    write_dicom_seg(tmp_path / "a.dcm", view, geometry, headers, MODEL)
    assert placed_by_hand(tmp_path / "a.dcm") == placed_by_affine(view, geometry)


def test_another_series_of_the_same_size_is_refused(tmp_path):
    files = write_series(tmp_path / "ct", SERIES["axial, feet first"])
    moved = geometry_of(SERIES["axial, feet first"])
    moved.affine[2, 3] += 20
    with pytest.raises(InputError, match="pixels beside its DICOM series"):
        write_dicom_seg(tmp_path / "a.dcm", labels_in(moved), moved, read_headers(files), MODEL)
    other = geometry_of(SERIES["coronal"])
    with pytest.raises(InputError, match="DICOM series"):
        write_dicom_seg(tmp_path / "a.dcm", labels_in(other), other, read_headers(files), MODEL)
    assert not (tmp_path / "a.dcm").exists()

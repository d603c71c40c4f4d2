"""Which series is read, what is left out and told, whose it is; and files that cannot be read."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedSRStorage,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from chestct.formats.dicom.studies import pseudonym
from chestct.formats.layouts import discover
from chestct.settings import Settings
from chestct.study import FailedInput, Study


def the_study(*paths, layout="auto") -> Study:
    (study,) = discover(paths, layout)
    assert isinstance(study, Study), study
    return study


def the_failure(*paths) -> str:
    (failed,) = discover(paths)
    assert isinstance(failed, FailedInput), failed
    assert "\n" not in failed.reason
    return failed.reason


def test_of_several_series_the_lung_series_is_chosen_and_told(tmp_path, write_series, write_image):
    write_series(tmp_path / "d/soft", series="soft", SeriesNumber=2, ConvolutionKernel="B30f")
    lung = write_series(tmp_path / "d/lung", series="lung", SeriesNumber=3, ConvolutionKernel="B60f", seed=1)
    write_image(
        tmp_path / "d/scout.dcm", np.zeros((9, 9), np.uint16), (0, 0, 0), (1, 0, 0, 0, 0, -1),
        series="scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )  # fmt: skip
    write_image(
        tmp_path / "d/dose.dcm", np.zeros((9, 9), np.uint16), (0, 0, 0),
        series="dose", SOPClassUID=SecondaryCaptureImageStorage,
    )  # fmt: skip
    write_image(
        tmp_path / "d/report.dcm", None, (0, 0, 0), series="sr", SOPClassUID=EnhancedSRStorage, Modality="SR"
    )
    study = the_study(tmp_path / "d")
    assert np.array_equal(np.stack(study.slices), lung.astype(int) - 1024)
    assert study.notes == (
        "of 2 CT series the lung series was chosen: series 3 (4 axial slices, lung kernel B60f); left out: "
        "series 2 (4 axial slices, soft or unknown kernel B30f)",
        "left out: 1 x localizer (scout), 1 x screenshot or dose sheet, 1 x structured report",
    )
    assert study.source == tmp_path / "d/lung"


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [
        ("LUNG", True), ("BONEPLUS", True), ("STANDARD", False), ("B70f", True), ("B31s", False),
        (["Bl57d", "3"], True), (["Br40d", "3"], False), ("I50f", True), ("FC51", True), ("FC08", False),
        ("YA", True), ("B", False), ("C", False), ("L", True), ("", False),
    ],
)  # fmt: skip
def test_lung_kernels_of_the_makers_are_known(tmp_path, write_series, kernel, sharp):
    write_series(tmp_path / "one", series="one", SeriesNumber=1, ConvolutionKernel="SOFT")
    write_series(tmp_path / "two", series="two", SeriesNumber=2, ConvolutionKernel=kernel, stem="K")
    assert ("chosen: series 2" in the_study(tmp_path).notes[0]) == sharp


def test_a_short_lung_series_does_not_stand_in_for_the_chest(tmp_path, write_series):
    write_series(tmp_path / "a", series="whole", ConvolutionKernel="B30f", count=10)
    write_series(tmp_path / "b", series="part", ConvolutionKernel="B60f", count=5)
    assert len(the_study(tmp_path).slices) == 10


def test_thin_slices_win_where_kernels_tie(tmp_path, write_series):
    write_series(tmp_path / "a", series="thick", count=5, spacing=5.0)
    write_series(tmp_path / "b", series="thin", count=21, spacing=1.0)
    assert len(the_study(tmp_path).slices) == 21


def test_axial_wins_over_more_coronal_slices_and_acquired_over_derived(tmp_path, write_series):
    write_series(tmp_path / "a", series="coronal", count=12, orientation=(1, 0, 0, 0, 0, -1))
    write_series(
        tmp_path / "b", series="mip", count=9, ImageType=["DERIVED", "SECONDARY", "MIP"], SeriesNumber=7
    )
    write_series(tmp_path / "c", series="axial", count=4, SeriesNumber=8)
    assert "chosen: series 8 (4 axial slices" in the_study(tmp_path).notes[0]


def test_two_patients_and_two_studies_of_one_are_three_studies(tmp_path, write_series):
    write_series(tmp_path, stem="A", patient="1", study="a")
    write_series(tmp_path, stem="B", patient="2", study="b", seed=1)
    write_series(tmp_path, stem="C", patient="2", study="c", seed=2)
    found = list(discover([tmp_path]))
    assert len({study.name for study in found}) == 3
    assert [study.patient for study in found] == [pseudonym("1"), pseudonym("2"), pseudonym("2")]


def test_nothing_of_a_study_names_the_patient(tmp_path, write_series):
    write_series(tmp_path / "x", patient="MRN-77", SeriesDescription="Secret^Name chest", study="x")
    write_series(
        tmp_path / "x", patient="MRN-77", SeriesDescription="Secret^Name", study="x", series="y", stem="Y"
    )
    study = the_study(tmp_path / "x")
    told = " ".join((study.name, study.patient, *study.notes))
    assert "MRN-77" not in told
    assert "Secret" not in told


def test_without_an_identifier_the_study_stands_for_its_patient(tmp_path, write_series):
    write_series(tmp_path / "a", patient="", study="a")
    write_series(tmp_path / "b", patient="", study="b")
    found = list(discover([tmp_path / "a", tmp_path / "b"]))
    assert len({study.patient for study in found}) == 2


def test_names_do_not_depend_on_where_the_files_lie(tmp_path, write_series):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b/c")
    assert the_study(tmp_path / "a").name == the_study(tmp_path / "b").name


def test_files_named_one_by_one_and_without_a_suffix_are_one_study(tmp_path, write_series):
    write_series(tmp_path / "case")
    files = [path.rename(path.with_suffix("")) for path in sorted((tmp_path / "case").iterdir())]
    assert len(the_study(*files).slices) == 4
    assert len(the_study(tmp_path / "case", layout="dicom").slices) == 4


def test_other_files_among_them_are_passed_over(tmp_path, write_series):
    write_series(tmp_path / "case")
    (tmp_path / "case/readme").write_text("written by the scanner's CD" * 20)
    (tmp_path / "case/autorun.inf").write_text("[autorun]")
    assert len(the_study(tmp_path / "case").slices) == 4


def test_a_missing_modality_is_told(tmp_path, write_series):
    write_series(tmp_path / "case", Modality=None)
    assert any("name no modality" in note for note in the_study(tmp_path / "case").notes)


def test_only_other_objects_are_named_by_their_kind(tmp_path, write_series):
    write_series(tmp_path / "case", Modality="MR", RescaleIntercept=None)
    assert "holds DICOM but no CT image (4 x MR object)" in the_failure(tmp_path / "case")


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=lambda uid: uid.name)
def test_compressed_series_read_like_others(tmp_path, write_series, syntax):
    stored = write_series(tmp_path / "case", size=(64, 48))
    for path in (tmp_path / "case").iterdir():
        made = pydicom.dcmread(path)
        made.compress(syntax, generate_instance_uid=False)
        made.save_as(path)
    assert np.array_equal(np.stack(the_study(tmp_path / "case").slices), stored.astype(int) - 1024)


def test_a_deflated_series_reads_like_others(tmp_path, write_series):
    stored = write_series(tmp_path / "case", TransferSyntaxUID=DeflatedExplicitVRLittleEndian)
    assert np.array_equal(np.stack(the_study(tmp_path / "case").slices), stored.astype(int) - 1024)


def test_a_deflated_bomb_is_refused(tmp_path, write_image, monkeypatch):
    monkeypatch.setattr("chestct.formats.dicom.header._MAX_INFLATED_BYTES", 10**6)
    write_image(
        tmp_path / "a.dcm", np.zeros((1024, 1024), np.uint16), (0, 0, 0),
        TransferSyntaxUID=DeflatedExplicitVRLittleEndian,
    )  # fmt: skip
    assert (tmp_path / "a.dcm").stat().st_size < 10**4
    assert "inflates to more than" in the_failure(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, UID("1.2.3.4.5")])
def test_an_unread_compression_is_named_with_what_to_do(tmp_path, write_series, syntax):
    write_series(tmp_path / "case", count=1)
    path = tmp_path / "case/IM001.dcm"
    made = pydicom.dcmread(path)
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.save_as(path, implicit_vr=False, little_endian=True)
    reason = the_failure(path)
    assert str(syntax) in reason
    assert "gdcmconv --raw" in reason
    assert "dcmdjpeg" in reason


def test_dicom_without_pixels_is_a_sentence(tmp_path, write_image):
    write_image(tmp_path / "a.dcm", None, (0, 0, 0), Rows=8, Columns=8)
    assert "holds no pixels" in the_failure(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImagePositionPatient": ["1e308", 0, 0]},
        {"PixelSpacing": [0, 1]},
        {"PixelSpacing": None},
        {"ImagePositionPatient": None},
    ],
    ids=str,
)
def test_an_image_without_a_place_is_no_slice(tmp_path, write_image, tags):
    write_image(tmp_path / "a.dcm", np.zeros((8, 8), np.uint16), (0, 0, 0), **tags)
    assert "1 x image without position, orientation or pixel spacing" in the_failure(tmp_path / "a.dcm")


def test_frames_that_no_tag_announces_are_a_sentence(tmp_path, write_image):
    write_image(
        tmp_path / "a.dcm", np.zeros((16, 8), np.uint16), (0, 0, 0), Rows=8, NumberOfFrames=2, Modality=None
    )
    assert "holds pixels of the shape (2, 8, 8)" in the_failure(tmp_path / "a.dcm")


def test_cosines_that_differ_in_their_last_digits_are_one_series(tmp_path, write_image):
    for index, cosine in enumerate((0.0005001, 0.0004999, 0.0005001)):
        orientation = (1, cosine, 0, -cosine, 1, 0)
        write_image(tmp_path / f"{index}.dcm", np.zeros((8, 8), np.uint16), (0, 0, 2.0 * index), orientation)
    assert len(the_study(tmp_path).slices) == 3


def test_a_claim_of_huge_pixels_is_refused_before_they_are_unpacked(tmp_path, write_image):
    write_image(tmp_path / "a.dcm", np.zeros((8, 8), np.uint16), (0, 0, 0))
    made = pydicom.dcmread(tmp_path / "a.dcm")
    made.Rows = made.Columns = 65535
    made.save_as(tmp_path / "a.dcm")
    assert "claims 1 images of 65535 x 65535" in the_failure(tmp_path / "a.dcm")


def test_a_file_cut_off_in_its_pixels_is_named(tmp_path, write_series):
    write_series(tmp_path / "case")
    path = tmp_path / "case/IM002.dcm"
    path.write_bytes(path.read_bytes()[:-20])
    reason = the_failure(tmp_path / "case")
    assert "IM002.dcm" in reason
    assert "cut off" in reason


def test_a_file_cut_off_in_its_tags_or_empty_is_named(tmp_path, write_series):
    write_series(tmp_path / "case", count=1)
    path = tmp_path / "case/IM001.dcm"
    path.write_bytes(path.read_bytes()[:140])
    assert "cut off" in the_failure(path)
    path.write_bytes(b"")
    assert "is no DICOM file" in the_failure(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), content=st.binary(min_size=1, max_size=6))
def test_a_damaged_file_reads_or_is_refused_and_never_anything_else(tmp_path, write_series, at, content):
    path = tmp_path / "fuzz/IM001.dcm"
    write_series(tmp_path / "fuzz", count=1)
    raw = bytearray(path.read_bytes())
    offset = int(at * (len(raw) - 1))
    raw[offset : offset + len(content)] = content
    path.write_bytes(raw)
    for found in discover([path]):
        assert isinstance(found, Study | FailedInput)


def test_every_file_of_pydicoms_own_collection_reads_or_is_a_sentence():
    folder = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [one for path in sorted(folder.glob("*.dcm")) for one in discover([path])]
    read = [one for one in found if isinstance(one, Study)]
    assert {Path(one.source).name for one in read} >= {"CT_small.dcm", "693_J2KI.dcm"}
    assert all(one.reason and "\n" not in one.reason for one in found if isinstance(one, FailedInput))


def test_an_enhanced_multi_frame_ct_lies_where_its_frames_say(tmp_path, write_image):
    stored = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)

    def group(**tags):
        made = Dataset()
        for name, value in tags.items():
            setattr(made, name, value)
        return made

    shared = group(
        PixelMeasuresSequence=[group(PixelSpacing=[0.5, 0.75], SliceThickness=2)],
        PlaneOrientationSequence=[group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelValueTransformationSequence=[group(RescaleSlope=1, RescaleIntercept=-1024)],
    )
    frames = [group(PlanePositionSequence=[group(ImagePositionPatient=[0, 0, z])]) for z in (4.0, 0.0, 2.0)]
    write_image(
        tmp_path / "a.dcm", stored.reshape(12, 5), (0, 0, 0), SOPClassUID=EnhancedCTImageStorage, Rows=4,
        Columns=5, NumberOfFrames=3,
        ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None,
        RescaleSlope=None, RescaleIntercept=None, SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )  # fmt: skip
    study = the_study(tmp_path / "a.dcm")
    assert np.array_equal(np.stack(study.slices), stored[[1, 2, 0]].astype(int) - 1024)
    assert study.geometry.spacing_mm == (2.0, 0.5, 0.75)
    assert study.dicom_files == (tmp_path / "a.dcm",)


def test_the_shared_slices_without_a_modality_read_as_hu():
    folder = Settings.load().shared_data
    if folder is None:
        pytest.skip("the shared research data is not on this machine (LUNGLOOP_SHARED_DATA)")
    study = the_study(folder / "dicom-two-slices")
    assert len(study.slices) == 2
    assert study.geometry.spacing_mm == (1.0, 0.625, 0.625)
    assert min(int(part.min()) for part in study.slices) == -1024

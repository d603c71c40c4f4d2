"""`segment` writes what the contract says, and one bad file does not stop the rest."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from dicom_series import SERIES, write_series
from PIL import Image

from chestct.errors import InputError
from chestct.formats.nifti import write_volume_nifti
from chestct.intensity import Intensity, as_picture
from chestct.labels import Label
from chestct.phantoms import phantom_study
from chestct.prediction import SlicePrediction
from chestct.render.uncertainty import uncertainty_picture
from lungloop.segmenting import find_inputs, segment_inputs

# Sure of the left half, unsure of the right one.
HALF_UNCERTAIN = np.array([[0, 200]], np.uint8)


class BrightIsLung:
    """Finds lung where a picture is bright, with ground-glass in the upper left quarter of it."""

    version = "fake-1"
    involvement_calibration = None

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        predictions = []
        for pixels in slices:
            label_map = np.where(pixels > 100, Label.LUNG, Label.BACKGROUND).astype(np.uint8)
            quarter = (slice(0, pixels.shape[0] // 2), slice(0, pixels.shape[1] // 2))
            label_map[quarter][label_map[quarter] == Label.LUNG] = Label.GROUND_GLASS
            predictions.append(
                SlicePrediction(label_map, score=0.5, entropy_mean=0.1, uncertainty=HALF_UNCERTAIN)
            )
        return predictions


def picture(path: Path, height: int = 80, width: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), 200, np.uint8)).save(path)


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image)


def test_a_picture_gets_a_label_map_of_its_own_size_an_overlay_and_an_entry(tmp_path: Path) -> None:
    picture(tmp_path / "in/case/000.png")
    report = segment_inputs(
        find_inputs([tmp_path / "in"], tmp_path / "out"), tmp_path / "out", BrightIsLung()
    )
    label_map = pixels(tmp_path / "out/case/000.label.png")
    assert label_map.shape == (80, 100)
    assert label_map.dtype == np.uint8
    assert (label_map[:40, :50] == Label.GROUND_GLASS).all()
    assert (label_map[40:] == Label.LUNG).all()
    assert pixels(tmp_path / "out/case/000.overlay.png").shape == (80, 100, 3)
    entry = dict(report[0])
    assert entry.pop("seconds") >= 0
    assert entry == {
        "input": str(tmp_path / "in/case/000.png"),
        "kind": "image",
        "model_version": "fake-1",
        "percent": {"ground_glass": 25.0, "consolidation": 0.0},
        "severity": None,
        "label_map": "case/000.label.png",
        "overlay": "case/000.overlay.png",
    }
    assert json.loads((tmp_path / "out/report.json").read_text()) == report


def test_pictures_of_one_folder_may_differ_in_size(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 80, 100)
    picture(tmp_path / "in/b.jpg", 64, 65)
    segment_inputs(find_inputs([tmp_path / "in"], tmp_path / "out"), tmp_path / "out", BrightIsLung())
    assert pixels(tmp_path / "out/b.label.png").shape == (64, 65)


def test_a_volume_gets_a_label_map_of_its_shape_and_affine(tmp_path: Path) -> None:
    phantom = phantom_study(1, shape=(3, 64, 64))
    geometry = phantom.geometry
    source = tmp_path / "in/deep/ct.1.nii.gz"
    source.parent.mkdir(parents=True)
    write_volume_nifti(source, np.stack(phantom.study.slices), geometry)
    report = segment_inputs(
        find_inputs([tmp_path / "in"], tmp_path / "out"), tmp_path / "out", BrightIsLung()
    )
    assert report[0]["kind"] == "study"
    assert report[0]["severity"]["grade"] in {"CT-0", "CT-1", "CT-2", "CT-3", "CT-4"}
    assert report[0]["severity"]["model_version"] == "fake-1"
    found, expected = nib.load(tmp_path / "out/deep/ct.1.label.nii.gz"), nib.load(source)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.affine, expected.affine)
    view = geometry.to_view(np.asarray(found.dataobj))
    said = BrightIsLung().segment_study(phantom.study.slices, Intensity.HU)
    np.testing.assert_array_equal(view, np.stack([one.label_map for one in said]))
    assert pixels(tmp_path / "out/deep/ct.1.overlay.png").shape[2] == 3


def test_a_dicom_study_gets_a_segmentation_of_its_own_patient_beside_the_nifti(tmp_path: Path) -> None:
    # Stored 0 to 219 as HU, so that the last two slices are bright.
    write_series(tmp_path / "in/case", SERIES["oblique"], RescaleIntercept=0)
    found = find_inputs([tmp_path / "in"], tmp_path / "out")
    (entry,) = segment_inputs(found, tmp_path / "out", BrightIsLung())
    assert entry["dicom_seg"] == entry["label_map"].replace(".nii.gz", ".dcm")
    seg = pydicom.dcmread(tmp_path / "out" / entry["dicom_seg"])
    assert (seg.Modality, seg.PatientID, str(seg.PatientName)) == ("SEG", "P-7", "Иванов^Иван")
    labels = nib.load(tmp_path / "out" / entry["label_map"])
    assert seg.pixel_array.sum() > 0
    assert seg.pixel_array.sum() == np.count_nonzero(np.asarray(labels.dataobj))


def test_a_dicom_study_that_no_segmentation_can_refer_to_says_why(tmp_path: Path) -> None:
    write_series(tmp_path / "in/case", SERIES["oblique"], FrameOfReferenceUID=None)
    found = find_inputs([tmp_path / "in"], tmp_path / "out")
    (entry,) = segment_inputs(found, tmp_path / "out", BrightIsLung())
    assert "dicom_seg" not in entry
    assert (
        "no DICOM SEG was written: the study came from DICOM files without FrameOfReferenceUID"
        in (entry["notes"][-1])
    )
    assert (tmp_path / "out" / entry["label_map"]).exists()


def test_bad_files_are_entries_and_the_rest_is_done(tmp_path: Path) -> None:
    picture(tmp_path / "in/good.png")
    (tmp_path / "in/empty.png").touch()
    (tmp_path / "in/text.nii.gz").write_text("no volume")
    report = segment_inputs(
        find_inputs([tmp_path / "in", tmp_path / "gone.png"], tmp_path / "out"),
        tmp_path / "out",
        BrightIsLung(),
    )
    assert [Path(entry["input"]).name for entry in report if "error" in entry] == [
        "empty.png",
        "text.nii.gz",
        "gone.png",
    ]
    assert all(entry["error"] and "\n" not in entry["error"] for entry in report if "error" in entry)
    assert (tmp_path / "out/good.label.png").exists()


def test_an_output_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        segment_inputs([], tmp_path / "file" / "out", BrightIsLung())


def test_doubt_asked_for_lies_beside_the_overlay_and_changes_nothing_else(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 80, 100)
    found = find_inputs([tmp_path / "in"], tmp_path / "out")
    (plain,) = segment_inputs(found, tmp_path / "out", BrightIsLung())
    assert not (tmp_path / "out/a.doubt.png").exists()
    (entry,) = segment_inputs(found, tmp_path / "out", BrightIsLung(), uncertainty=True)
    assert entry.pop("doubt") == "a.doubt.png"
    assert {**entry, "seconds": 0} == {**plain, "seconds": 0}
    expected = uncertainty_picture(pixels(tmp_path / "in/a.png"), HALF_UNCERTAIN)
    np.testing.assert_array_equal(pixels(tmp_path / "out/a.doubt.png"), expected)
    # An earlier result is no input.
    again = find_inputs([tmp_path / "out"], tmp_path / "again")
    assert [one.path.name for one in again if one.error is None] == []


def test_doubt_of_a_study_is_a_sheet_of_the_slices_of_its_overlay(tmp_path: Path) -> None:
    phantom = phantom_study(1, shape=(3, 64, 64))
    write_volume_nifti(tmp_path / "ct.nii.gz", np.stack(phantom.study.slices), phantom.geometry)
    found = find_inputs([tmp_path / "ct.nii.gz"], tmp_path / "out")
    (entry,) = segment_inputs(found, tmp_path / "out", BrightIsLung(), uncertainty=True)
    sheet, overlays = (pixels(tmp_path / "out" / entry[key]) for key in ("doubt", "overlay"))
    assert sheet.shape == overlays.shape
    middle = uncertainty_picture(as_picture(phantom.study.slices[1], Intensity.HU), HALF_UNCERTAIN)
    np.testing.assert_array_equal(sheet[:64, 68:132], middle)

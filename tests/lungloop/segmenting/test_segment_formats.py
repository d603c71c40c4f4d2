"""`segment` on DICOM, archives, arrays and stacks: where the results go and what the report says."""

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from lungloop.segmenting import find_inputs, segment_inputs


class AirIsLung:
    """Lung where a pixel is darker than -500 HU (or 100 grey levels)."""

    version = "fake-1"
    involvement_calibration = None

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        limit = -500 if intensity is Intensity.HU else 100
        return [
            SlicePrediction(np.where(np.less(one, limit), np.uint8(3), np.uint8(0)), 0.5, 0.1)
            for one in slices
        ]


def series(folder: Path, patient: str = "1", slices: int = 3) -> None:
    """A CT series of 8 x 8 pixels: air in the first column, tissue elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(slices):
        made = pydicom.Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
        made.Modality, made.PatientID = "CT", patient
        made.StudyInstanceUID = generate_uid(entropy_srcs=[patient, "study"])
        made.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, "series"])
        made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
        made.PixelSpacing, made.RescaleSlope, made.RescaleIntercept = [1, 1], 1, -1024
        made.Rows, made.Columns, made.SamplesPerPixel = 8, 8, 1
        made.PhotometricInterpretation, made.PixelRepresentation = "MONOCHROME2", 0
        made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
        pixels = np.full((8, 8), 1064, "<u2")
        pixels[:, 0] = 24
        made.PixelData = pixels.tobytes()
        made.save_as(folder / f"{patient}-{index}.dcm", enforce_file_format=True)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64), 50, np.uint8)).save(path)


def segmented(tmp_path: Path, *inputs: Path) -> list[dict[str, Any]]:
    out = tmp_path / "out"
    return segment_inputs(find_inputs(inputs, out), out, AirIsLung())


def test_a_dicom_folder_is_one_study_named_after_the_folder(tmp_path: Path) -> None:
    series(tmp_path / "case-7")
    (entry,) = segmented(tmp_path, tmp_path / "case-7")
    assert (entry["kind"], entry["label_map"]) == ("study", "case-7.label.nii.gz")
    assert entry["input"] == str(tmp_path / "case-7")
    image = nib.load(tmp_path / "out/case-7.label.nii.gz")
    assert image.shape == (8, 8, 3)
    np.testing.assert_allclose(image.affine, np.diag([-1, -1, 5, 1]))
    assert (np.asarray(image.dataobj)[0] == 3).all()
    assert (np.asarray(image.dataobj)[1:] == 0).all()


def test_a_tree_of_dicom_and_others_is_mirrored(tmp_path: Path) -> None:
    series(tmp_path / "in/a/scan")
    series(tmp_path / "in/b", patient="2")
    picture(tmp_path / "in/c/1.png")
    report = segmented(tmp_path, tmp_path / "in")
    assert [entry["label_map"] for entry in report] == [
        "a/scan.label.nii.gz", "b.label.nii.gz", "c/1.label.png",
    ]  # fmt: skip


def test_two_patients_in_one_folder_get_results_of_their_own(tmp_path: Path) -> None:
    series(tmp_path / "mixed", patient="1")
    series(tmp_path / "mixed", patient="2")
    report = segmented(tmp_path, tmp_path / "mixed")
    assert len({entry["label_map"] for entry in report}) == 2
    assert all(entry["label_map"].startswith("mixed/ct-") for entry in report)


def test_dicom_files_named_one_by_one_are_one_study(tmp_path: Path) -> None:
    series(tmp_path / "case")
    (entry,) = segmented(tmp_path, *sorted((tmp_path / "case").iterdir()))
    assert entry["label_map"] == "case.label.nii.gz"


def test_one_dicom_file_is_named_after_itself(tmp_path: Path) -> None:
    series(tmp_path, slices=1)
    (entry,) = segmented(tmp_path, tmp_path / "1-0.dcm")
    assert entry["label_map"] == "1-0.label.nii.gz"
    assert any("no thickness" in note for note in entry["notes"])


def test_an_archive_is_mirrored_under_its_stem_and_named_by_its_members(tmp_path: Path) -> None:
    picture(tmp_path / "packed/one/1.png")
    picture(tmp_path / "packed/one/2.png")
    (tmp_path / "packed/bad.nii.gz").write_text("broken")
    series(tmp_path / "packed/scan")
    archive = Path(shutil.make_archive(str(tmp_path / "case.1"), "zip", tmp_path / "packed"))
    report = segmented(tmp_path, archive)
    assert [entry["input"] for entry in report] == [
        str(archive / part) for part in ("scan", "bad.nii.gz", "one/1.png", "one/2.png")
    ]
    assert [entry.get("label_map") for entry in report] == [
        "case.1/scan.label.nii.gz", None, "case.1/one/1.label.png", "case.1/one/2.label.png",
    ]  # fmt: skip
    assert "is not a NIfTI volume" in report[1]["error"]
    assert "lungloop-" not in str(report)


def test_an_archive_of_one_dicom_study_bears_the_archives_name(tmp_path: Path) -> None:
    series(tmp_path / "packed")
    archive = Path(shutil.make_archive(str(tmp_path / "case"), "zip", tmp_path / "packed"))
    (entry,) = segmented(tmp_path, archive)
    assert entry["label_map"] == "case/case.label.nii.gz"


def test_a_hostile_archive_among_inputs_is_an_entry_and_the_rest_is_done(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png")
    with zipfile.ZipFile(tmp_path / "in/evil.zip", "w") as archive:
        archive.writestr("../../evil.png", b"x")
    report = segmented(tmp_path, tmp_path / "in")
    assert [("error" in entry, Path(entry["input"]).name) for entry in report] == [
        (False, "a.png"),
        (True, "evil.zip"),
    ]
    assert "leads outside" in report[1]["error"]


def test_slices_of_an_array_and_of_a_stack_get_results_each(tmp_path: Path) -> None:
    np.save(tmp_path / "images_a.npy", np.full((2, 64, 64), -1000, np.float32))
    pages = [Image.fromarray(np.full((64, 64), 50, np.uint8))] * 3
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    report = segmented(tmp_path, tmp_path / "images_a.npy", tmp_path / "stack.tif")
    assert [entry["label_map"] for entry in report] == [
        *(f"images_a/00{index}.label.png" for index in range(2)),
        *(f"stack/00{index}.label.png" for index in range(3)),
    ]
    assert report[1]["input"] == f"{tmp_path / 'images_a.npy'}[1]"
    assert {entry["kind"] for entry in report} == {"image"}

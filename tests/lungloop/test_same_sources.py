"""`segment`, `severity` and `import` find the same inputs in a folder and name the same failures."""

import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from dicom_series import SERIES, write_series
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.formats.layouts import discover
from chestct.formats.nifti import write_volume_nifti
from chestct.intensity import Intensity
from chestct.phantoms import phantom_study
from chestct.prediction import SlicePrediction
from chestct.severity.grading import SeverityRule
from lungloop.grading import by_model, grade_inputs
from lungloop.importing import import_studies
from lungloop.segmenting import find_inputs, segment_inputs

Named = tuple[set[Path], set[tuple[str, str]]]


class AllIsLung:
    """Calls every pixel lung."""

    version = "fake-1"
    involvement_calibration = None

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        return [SlicePrediction(np.full(pixels.shape, 3, np.uint8), 0.5, 0.1) for pixels in slices]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64), 50, np.uint8)).save(path)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A volume, an array, pictures, DICOM and archives, good and broken, among masks, results and junk."""
    folder = tmp_path / "in"
    for name in ("pictures/1.png", "pictures/2.jpg", "pictures/1.label.png", "masks/1.png", "1_mask.png"):
        picture(folder / name)
    phantom = phantom_study(1, shape=(2, 64, 64))
    for name in ("volume.nii.gz", "volume_mask.nii.gz"):
        write_volume_nifti(folder / name, np.stack(phantom.study.slices), phantom.geometry)
    for name in ("images_a.npy", "masks_b.npy", "test_masks_b.npy"):
        np.save(folder / name, np.full((2, 64, 64), -1000, np.float32))
    write_series(folder / "scan", SERIES["oblique"])
    for name in ("packed", "case_masks"):
        picture(tmp_path / "packed/inner/3.png")
        shutil.make_archive(str(folder / name), "zip", tmp_path / "packed")
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        archive.writestr("../../evil.png", b"x")
    for name in ("bad.nii", "pictures/bad.png", "bad.npy"):
        (folder / name).write_text("broken")
    (folder / "broken").mkdir()
    (folder / "broken/0.dcm").write_bytes(b"\0" * 128 + b"DICM")
    for name in ("notes.txt", ".hidden.png", "report.json"):
        (folder / name).write_text("about")
    return folder


def named(inputs: Iterable[str], failures: Iterable[tuple[str, str]]) -> Named:
    """Pictures by their folder: one study for `import`, one result each for `segment`."""
    paths = (Path(name.partition("[")[0]) for name in inputs)
    return {path.parent if path.suffix in (".png", ".jpg") else path for path in paths}, set(failures)


def of_entries(report: Sequence[dict]) -> Named:
    failed = [(entry["input"], entry["error"]) for entry in report if "error" in entry]
    return named((entry["input"] for entry in report if "error" not in entry), failed)


def by_segment(paths: Sequence[Path], out: Path) -> Named:
    return of_entries(segment_inputs(find_inputs(paths, out), out, AllIsLung()))


def by_severity(paths: Sequence[Path]) -> Named:
    return of_entries(grade_inputs(paths, by_model(AllIsLung(), SeverityRule())))


def by_import(paths: Sequence[Path], home: Path) -> Named:
    with Catalog.open(f"sqlite:///{home / 'catalog.db'}", str(home / "storage")) as catalog:
        studies = list(discover(paths))
        report = import_studies(catalog, studies, "auto")
        failed = [(str(failure.source), failure.reason) for failure in report.failed]
        sources = [str(study.source) for study in studies if str(study.source) not in dict(failed)]
    return named(sources, failed)


def test_the_same_folder_gives_the_same_inputs_and_failures(mixed: Path, tmp_path: Path) -> None:
    inputs, failures = by_segment([mixed], tmp_path / "out")
    assert inputs == {
        mixed / "pictures",
        mixed / "volume.nii.gz",
        mixed / "images_a.npy",
        mixed / "scan",
        mixed / "packed.zip/inner",
    }
    assert {Path(path).name for path, _ in failures} == {
        "bad.nii", "bad.png", "bad.npy", "evil.zip", "0.dcm",
    }  # fmt: skip
    assert by_severity([mixed]) == (inputs, failures)
    assert by_import([mixed], tmp_path / "home") == (inputs, failures)


@pytest.mark.parametrize("name", ["images_a.npy", "volume_mask.nii.gz", "notes.txt", "gone.png", "bad.nii"])
def test_a_file_named_itself_is_taken_or_refused_alike(mixed: Path, tmp_path: Path, name: str) -> None:
    paths = [mixed / name, mixed / "pictures/1.png"]
    expected = by_segment(paths, tmp_path / "out")
    assert by_severity(paths) == by_import(paths, tmp_path / "home") == expected


def test_a_folder_of_nothing_but_arrays_is_segmented(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/images_a.npy", np.full((2, 64, 64), -1000, np.float32))
    inputs, failures = by_segment([tmp_path / "in"], tmp_path / "out")
    assert (inputs, failures) == ({tmp_path / "in/images_a.npy"}, set())


def test_nothing_to_read_is_the_same_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _, failures = by_segment([tmp_path / "empty"], tmp_path / "out")
    assert next(reason for _, reason in failures).startswith("holds nothing to read; expected .nii.gz")
    assert by_severity([tmp_path / "empty"]) == (set(), failures)

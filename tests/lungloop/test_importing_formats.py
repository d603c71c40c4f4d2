"""`lungloop import` of DICOM, archives and masks made elsewhere, through the command line and its catalog."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from chestct.catalog.catalog import Catalog
from chestct.labels import Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, bits
from lungloop import cli


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    Catalog.open(f"sqlite:///{folder / 'catalog.sqlite3'}", str(folder / "storage")).close()
    return folder / "catalog.sqlite3"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    shutil.copy(migrated, tmp_path / "catalog.sqlite3")
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUNGLOOP_DATABASE_URL", f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    monkeypatch.setenv("LUNGLOOP_STORAGE_URL", str(tmp_path / "storage"))
    return tmp_path


@pytest.fixture
def catalog(home: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")) as opened:
        yield opened


def imported(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any], str]:
    code = cli.run(["import", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def two_patients(folder: Path) -> Path:
    """pydicom's own CT image, and the same of somebody else."""
    folder.mkdir()
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    image.save_as(folder / "one.dcm")
    image.PatientID, image.StudyInstanceUID, image.SeriesInstanceUID = "other", "1.2.3", "1.2.4"
    image.PixelData = (np.frombuffer(image.PixelData, "<i2") + 1).tobytes()
    image.save_as(folder / "two.dcm")
    return folder


def test_two_patients_in_one_archive_are_two_studies_under_pseudonyms(
    home: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = shutil.make_archive(str(home / "day"), "zip", two_patients(home / "day"))
    code, report, _ = imported(capsys, archive)
    assert (code, len(report["created"]), report["failed"]) == (0, 2, [])
    studies = catalog.studies.all()
    assert len({study.patient for study in studies}) == 2
    # CT_small.dcm is of CompressedSamples^CT1, 1CT1.
    stored = "".join(f"{study.name}{study.patient}{study.source}" for study in studies)
    assert "1CT1" not in stored
    assert "Compressed" not in stored
    assert not [path for path in Path("/tmp").glob("lungloop-*") if (path / "day").exists()]


def test_what_was_chosen_is_told_to_people_and_to_scripts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two_patients(home / "day")
    report_file = get_testdata_file("reportsi.dcm", download=False)
    shutil.copy(str(report_file), folder / "report.dcm")
    code, report, err = imported(capsys, folder, "--layout", "dicom")
    assert code == 0
    assert [note["note"] for note in report["notes"]] == [
        "left out, of studies without CT: 1 x structured report"
    ]
    assert "note: " in err
    assert "1 x structured report" in err


def slices_with_mask(home: Path) -> Path:
    (home / "case").mkdir()
    (home / "given").mkdir()
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(home / "case/000.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[0, :5], mask[1, :3] = 4, 9
    Image.fromarray(mask).save(home / "given/000.png")
    return home / "case"


def test_masks_with_a_mapping_become_labels_of_record_without_any_model(
    home: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    case = slices_with_mask(home)
    code, report, _ = imported(
        capsys, case, "--masks", home / "given", "--mask-labels", "4=consolidation,9=lesion"
    )
    assert (code, report["created"]) == (0, ["case"])
    assert catalog.versions.champion() is None
    record = catalog.slices.reference_labels(catalog.slices.all()[0].id)
    assert record is not None
    assert (record == bits(Label.CONSOLIDATION)).sum() == 5
    assert (record == LESION_KIND_UNKNOWN).sum() == 3


def test_masks_as_prelabels_are_no_record_and_twice_is_once(
    home: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    case = slices_with_mask(home)
    given = ("--masks", home / "given", "--mask-labels", "4=consolidation,9=lesion")
    for _ in range(2):
        code, report, _ = imported(capsys, case, *given, "--masks-as", "prelabels")
        assert (code, report["failed"]) == (0, [])
    (one,) = catalog.slices.all()
    assert not one.has_reference_labels
    shown = catalog.predictions.prelabel(one.id, "any")
    assert shown is not None
    label_map = catalog.storage.read_label_map(shown.label_map_path)
    assert [int((label_map == label).sum()) for label in Label] == [64 * 64 - 8, 3, 5, 0]


def test_a_value_without_a_meaning_is_not_imported_and_named(
    home: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report, err = imported(capsys, slices_with_mask(home), "--masks", home / "given")
    assert code == 1
    assert "holds the values 0, 4, 9" in report["failed"][0]["error"]
    assert "holds the values 0, 4, 9" in err
    assert catalog.studies.all() == []


def test_wrong_options_of_masks_are_wrong_usage(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = slices_with_mask(home)
    assert imported(capsys, case, "--mask-labels", "1=lung")[0] == 2
    assert imported(capsys, case, "--masks", home / "given", "--mask-labels", "1=tumour")[0] == 2

"""Import: twice is once, one bad input does not stop the rest, masks are joined by name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.catalog.splits import OwnTesting
from chestct.errors import InputError
from chestct.formats.layouts import discover
from chestct.intensity import Intensity
from chestct.labels import Split
from chestct.partial_labels import from_lesion_label_map, from_masks
from chestct.phantoms import write_phantoms
from chestct.study import FailedInput, Study
from lungloop.external_masks import with_masks
from lungloop.importing import import_studies


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, 2, seed=3, shape=(2, 64, 64))
    return folder


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64), grey, np.uint8)).save(path)


def test_the_same_content_twice_is_once(catalog: Catalog, phantoms: Path) -> None:
    first = import_studies(catalog, discover([phantoms]), "auto")
    assert (len(first.created), first.known, first.slices, first.failed) == (2, 0, 4, [])
    again = import_studies(catalog, discover([phantoms]), "auto")
    assert (again.created, again.known, again.slices) == ([], 2, 0)
    assert catalog.counts()["slices"] == 4


def test_a_damaged_study_is_named_and_the_rest_comes_in(
    catalog: Catalog, phantoms: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.nii.gz").write_text("no volume")
    seen: list[str] = []
    report = import_studies(
        catalog,
        discover([tmp_path / "bad.nii.gz", phantoms]),
        "auto",
        lambda progress: seen.append(progress.stage),
    )
    assert [failed.source.name for failed in report.failed] == ["bad.nii.gz"]
    assert len(report.created) == 2
    assert seen == ["bad.nii.gz", "study_0001", "study_0002"]


def test_a_report_is_json_ready(catalog: Catalog, tmp_path: Path) -> None:
    failed = FailedInput(tmp_path / "x.png", "is damaged")
    assert import_studies(catalog, [failed], "auto").as_dict() == {
        "created": [],
        "known": 0,
        "slices": 0,
        "failed": [{"input": str(tmp_path / "x.png"), "error": "is damaged"}],
        "notes": [],
        "test_patient": None,
        "own_test_patients": [],
    }


def unlabelled(number: int) -> Study:
    rng = np.random.default_rng(number)
    slices = [rng.integers(0, 256, (4, 4), np.uint8) for _ in range(10)]
    return Study(f"s{number}", f"p{number}", slices, Intensity.PICTURE, Path(f"s{number}"))


def test_an_import_says_who_is_held_back_for_testing_and_what_that_costs(catalog: Catalog) -> None:
    studies = [unlabelled(number) for number in range(15)]
    report = import_studies(catalog, studies, "images", testing=OwnTesting(0.2, 5))
    assert len(report.own_test_patients) == 3
    assert report.as_dict()["own_test_patients"] == report.own_test_patients
    (remark,) = report.remarks()
    assert remark.startswith(
        "3 of 15 patients are held back for testing: 15 slices are read early and without pre-label"
    )
    again = import_studies(catalog, studies, "images", testing=OwnTesting(0.2, 5))
    assert (again.own_test_patients, again.remarks()) == ([], [])


def test_a_patient_whose_side_the_source_fixes_is_not_held_back(catalog: Catalog) -> None:
    studies = [replace(unlabelled(number), split=Split.TRAIN) for number in range(15)]
    report = import_studies(catalog, studies, "images", testing=OwnTesting(0.2, 5))
    assert report.own_test_patients == []


def test_without_a_word_about_testing_nobody_is_held_back(catalog: Catalog) -> None:
    report = import_studies(catalog, [unlabelled(number) for number in range(15)], "images")
    assert report.own_test_patients == []
    assert {study.split for study in catalog.studies.all()} == {Split.TRAIN}


def test_masks_of_pictures_are_joined_by_name(tmp_path: Path) -> None:
    for name in ("000", "001", "002"):
        picture(tmp_path / f"ct/{name}.png", 90)
    mask = np.zeros((64, 64), np.uint8)
    mask[:2, :2] = 255
    (tmp_path / "given").mkdir()
    Image.fromarray(mask).save(tmp_path / "given/000_mask.png")
    Image.fromarray(mask // 255 * 2).save(tmp_path / "given/002.label.png")
    (study,) = with_masks(discover([tmp_path / "ct"]), tmp_path / "given")
    assert isinstance(study, Study)
    assert set(study.partial_labels) == {0, 2}
    np.testing.assert_array_equal(study.partial_labels[0], from_masks(mask > 0, None))
    np.testing.assert_array_equal(study.partial_labels[2], from_lesion_label_map(mask // 255 * 2))


def test_masks_of_a_volume_may_lie_elsewhere(phantoms: Path, tmp_path: Path) -> None:
    alone = tmp_path / "study_0001.nii.gz"
    alone.write_bytes((phantoms / "studies/CT-1/study_0001.nii.gz").read_bytes())
    (study,) = with_masks(discover([alone]), phantoms / "labels")
    (of_record, _) = discover([phantoms])
    assert isinstance(study, Study)
    assert isinstance(of_record, Study)
    assert set(study.partial_labels) == {0, 1}
    for index in (0, 1):
        np.testing.assert_array_equal(study.partial_labels[index], of_record.partial_labels[index])


def test_a_mask_of_another_size_fails_its_study_only(tmp_path: Path) -> None:
    picture(tmp_path / "a/000.png", 90)
    picture(tmp_path / "b/001.png", 91)
    (tmp_path / "given").mkdir()
    Image.fromarray(np.zeros((64, 65), np.uint8)).save(tmp_path / "given/000_mask.png")
    found = list(with_masks(discover([tmp_path / "a", tmp_path / "b"]), tmp_path / "given"))
    assert [type(one).__name__ for one in found] == ["FailedInput", "Study"]
    assert isinstance(found[0], FailedInput)
    assert "they must agree" in found[0].reason


def test_a_folder_without_masks_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "a/000.png", 90)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no mask"):
        list(with_masks(discover([tmp_path / "a"]), tmp_path / "none"))

"""The demo's patients: no reference labels, and a truth that only the synthetic reader finds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.errors import NotFoundError
from chestct.formats.layouts import discover
from chestct.labels import SeverityGrade
from chestct.phantoms import LOW_DOSE_RETICULAR, phantom_study, write_phantoms
from lungloop.demo import phantoms
from lungloop.demo.phantoms import PhantomTruth, make_demo_phantoms
from lungloop.importing import import_studies

SHAPE = (3, 64, 64)
NOTHING_SHOWN = np.zeros(SHAPE[1:], np.uint8)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.setattr(phantoms, "_SHAPE", SHAPE)
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as opened:
        yield opened


def brought_in(catalog: Catalog, folder: Path) -> None:
    assert not import_studies(catalog, discover((folder,), "mosmed"), "mosmed").failed


def assert_true(catalog: Catalog, truth: PhantomTruth, name: str, label_map: np.ndarray) -> None:
    for index in range(SHAPE[0]):
        of_slice = truth.of_slice(catalog.slices.by_index(name, index), NOTHING_SHOWN)
        assert of_slice is not None
        assert np.array_equal(of_slice, label_map[index])


def test_the_demo_comes_without_reference_labels_and_the_reader_knows_the_truth(
    catalog: Catalog, tmp_path: Path
) -> None:
    brought_in(catalog, make_demo_phantoms(tmp_path, lambda now: None))
    slices = catalog.slices.all()
    assert len(slices) == 8 * SHAPE[0]
    assert not any(item.has_reference_labels for item in slices)
    truth = PhantomTruth(catalog, tmp_path)
    for name, seed, grade in (("study_0001", 7, "CT-1"), ("study_0004", 10, "CT-3")):
        phantom = phantom_study(seed, SeverityGrade(grade), SHAPE, look=LOW_DOSE_RETICULAR)
        assert_true(catalog, truth, name, phantom.label_map)


def test_an_older_home_has_its_truth_too_also_where_it_was_never_written(
    catalog: Catalog, tmp_path: Path
) -> None:
    write_phantoms(tmp_path / "phantoms", 3, 7, SHAPE)
    brought_in(catalog, tmp_path / "phantoms")
    truth = PhantomTruth(catalog, tmp_path)
    for name, seed, grade in (("study_0001", 7, "CT-1"), ("study_0003", 9, "CT-0")):
        assert_true(catalog, truth, name, phantom_study(seed, SeverityGrade(grade), SHAPE).label_map)


def test_a_home_that_was_moved_still_knows_it(catalog: Catalog, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    write_phantoms(before / "demo", 1, 7, SHAPE, truth_apart=True)
    brought_in(catalog, before / "demo")
    before.rename(after)
    truth = PhantomTruth(catalog, after)
    assert truth.of_slice(catalog.slices.by_index("study_0001", 0), NOTHING_SHOWN) is not None


def test_a_home_of_other_patients_is_no_demo(catalog: Catalog, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "hospital", 1, 7, SHAPE, truth_apart=True)
    brought_in(catalog, tmp_path / "hospital")
    with pytest.raises(NotFoundError, match="holds no phantoms of the demo"):
        PhantomTruth(catalog, tmp_path)


def test_the_truth_of_another_patient_beside_the_demo_is_not_known(catalog: Catalog, tmp_path: Path) -> None:
    brought_in(catalog, make_demo_phantoms(tmp_path, lambda now: None))
    write_phantoms(tmp_path / "hospital", 1, 99, SHAPE, truth_apart=True)
    brought_in(catalog, tmp_path / "hospital")
    (other,) = (study for study in catalog.studies.all() if "hospital" in study.source)
    of_other = catalog.slices.of_study(other.id)[0]
    assert PhantomTruth(catalog, tmp_path).of_slice(of_other, NOTHING_SHOWN) is None


def test_a_phantom_of_an_older_home_with_other_pixels_is_not_guessed(
    catalog: Catalog, tmp_path: Path
) -> None:
    # Each third comes without labels; of another seed it is not what its number says.
    write_phantoms(tmp_path / "phantoms", 3, 50, SHAPE)
    brought_in(catalog, tmp_path / "phantoms")
    truth = PhantomTruth(catalog, tmp_path)
    assert truth.of_slice(catalog.slices.by_index("study_0003", 0), NOTHING_SHOWN) is None

"""The slices that settle a grade, in words; a study without a grade says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.derived.grade_resolution import grade_chances_of_slices
from chestct.derived.severity import ensure_severity
from chestct.errors import InputError, NotFoundError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from lungloop.cli import run
from lungloop.grade_resolution import grade_resolution_of, undecided_grades

GEOMETRY = Geometry((4, 4, 3), np.diag([-10.0, 10.0, 80.0, 1.0]))
# 1 of 4 pixels of the right lung is lesion: 25 %, the border between CT-1 and CT-2.
QUARTER = np.array([[0, 0, 0, 0], [1, 3, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    database, storage = f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")
    monkeypatch.setenv("LUNGLOOP_HOME", str(home))
    monkeypatch.setenv("LUNGLOOP_DATABASE_URL", database)
    monkeypatch.setenv("LUNGLOOP_STORAGE_URL", storage)
    with Catalog.open(database, storage) as opened:
        opened.versions.ensure_base("base-1")
        yield opened


def add(catalog: Catalog, name: str, deviations: tuple[float, ...] | None, geometry=GEOMETRY) -> None:
    rng = np.random.default_rng(len(name))
    slices = tuple(rng.integers(-1000, 400, (4, 4)).astype(np.int16) for _ in range(3))
    study = Study(name, name, slices, Intensity.HU, Path(name), geometry=geometry)
    stored, _ = catalog.studies.add(study, "nifti")
    for one, deviation in zip(catalog.slices.of_study(stored.id), deviations or (), strict=False):
        found = SlicePrediction(QUARTER, 0.5, 0.1, lesion_expected=1.0, lesion_deviation=deviation)
        catalog.predictions.add(one.id, "base-1", found)
    ensure_severity(catalog, stored.id, "base-1", None)


def test_the_slices_that_settle_a_grade_are_named(catalog: Catalog) -> None:
    add(catalog, "sure", (0.0, 0.0, 0.0))
    add(catalog, "doubtful", (0.0, 0.2, 0.1))
    (found,) = undecided_grades(catalog, "base-1")
    assert found.plan.slices == (1, 2)
    # sqrt(0.2^2 + 0.1^2 + 2 exp(-4) 0.02) = 0.2252 of 18 pixels, times 1.645: 2.1 points.
    assert found.sentence() == (
        "to resolve the grade of doubtful (CT-1 or CT-2; 22.9 to 27.1 % of the lung, not calibrated): "
        "correct slices 1, 2"
    )
    assert found.grade_chance[0] == 0.0
    assert found.grade_chance[1] > 0.4
    sure = grade_resolution_of(catalog, "base-1", "sure")
    assert sure.sentence() == "sure: CT-2 is certain already (25.0 to 25.0 % of the lung, not calibrated)"
    assert set(grade_chances_of_slices(catalog, "base-1")) == {one.id for one in catalog.slices.all()}


def test_a_study_without_a_grade_says_why(catalog: Catalog) -> None:
    add(catalog, "waiting", (0.1, 0.1))
    add(catalog, "pictures", (0.1, 0.1, 0.1), geometry=None)
    with pytest.raises(InputError, match="run `lungloop preannotate`"):
        grade_resolution_of(catalog, "base-1", "waiting")
    with pytest.raises(InputError, match="pictures without geometry"):
        grade_resolution_of(catalog, "base-1", "pictures")
    with pytest.raises(NotFoundError, match="no study 'nowhere'"):
        grade_resolution_of(catalog, "base-1", "nowhere")


def test_next_tells_of_one_study_and_of_all(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    add(catalog, "doubtful", (0.0, 0.2, 0.1))
    assert run(["next", "--study", "doubtful"]) == 0
    assert capsys.readouterr().out.startswith("to resolve the grade of doubtful (CT-1 or CT-2;")
    assert run(["next", "--study", "doubtful", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["study"], told["slices"]) == ("doubtful", [1, 2])
    assert told["possible_grades"] == ["CT-1", "CT-2"]
    assert run(["next", "--to-settle", "--json"]) == 0
    assert [one["study"] for one in json.loads(capsys.readouterr().out)] == ["doubtful"]
    assert run(["next", "--study", "nowhere"]) == 2

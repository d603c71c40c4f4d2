"""The page names the slices that resolve a grade, and looks again only when something came."""

from pathlib import Path

import flask
import numpy as np
import pytest

import ml_backend.page
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.derived.severity import ensure_severity
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from ml_backend.page.language import Translator
from ml_backend.page.open_grades import GradesBoard

TEMPLATES = Path(ml_backend.page.__file__).parent / "templates"
# 1 of 4 pixels of the right lung is lesion: 25 %, the border between CT-1 and CT-2.
QUARTER = np.array([[0, 0, 0, 0], [1, 3, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)


@pytest.fixture
def uncertain(catalog: Catalog) -> list[int]:
    """Slice ids of a study at the border, the second and third slice uncertain."""
    slices = tuple(np.full((4, 4), hu, np.int16) for hu in (-800, -700, -600))
    geometry = Geometry((4, 4, 3), np.diag([-10.0, 10.0, 80.0, 1.0]))
    stored, _ = catalog.studies.add(
        Study("<b>", "p", slices, Intensity.HU, Path("in"), geometry=geometry), "nifti"
    )
    ids = [one.id for one in catalog.slices.of_study(stored.id)]
    for slice_id, deviation in zip(ids, (0.0, 0.2, 0.1), strict=True):
        found = SlicePrediction(QUARTER, 0.5, 0.1, lesion_expected=1.0, lesion_deviation=deviation)
        catalog.predictions.add(slice_id, "base-1", found)
    ensure_severity(catalog, stored.id, "base-1", None)
    return ids


def test_the_section_names_study_grades_and_slices(catalog: Catalog, uncertain: list[int]) -> None:
    shown = GradesBoard(catalog, lambda version: None).open_grades("base-1")
    (row,) = shown.rows
    assert (row.study, row.grades, row.slices) == ("<b>", "CT-1 or CT-2", (1, 2))
    with flask.Flask(__name__, template_folder=str(TEMPLATES)).app_context():
        text = flask.render_template("grades.html", open_grades=shown, t=Translator("en"))
        assert "&lt;b&gt;" in text
        assert "<td>1, 2</td>" in text
        assert "<td>CT-1 or CT-2</td>" in text
        assert "22.9 to 27.1 %" in text
        assert "intervals not calibrated" in text
        russian = flask.render_template("grades.html", open_grades=shown, t=Translator("ru"))
        assert "<td>КТ-1 или КТ-2</td>" in russian
        assert "от 22,9 до 27,1 %" in russian
        nothing = GradesBoard(catalog, lambda version: None).open_grades("another")
        text = flask.render_template("grades.html", open_grades=nothing, t=Translator("en"))
        assert "No grade is uncertain" in text


def test_it_looks_again_only_after_a_correction(catalog: Catalog, uncertain: list[int]) -> None:
    board = GradesBoard(catalog, lambda version: None)
    first = board.open_grades("base-1")
    assert board.open_grades("base-1") is first
    catalog.corrections.add(
        slice_id=uncertain[1],
        project_uid="1:2026",
        task_id=1,
        annotation_id=1,
        annotation_updated_at="2026-03-01T09:00:00Z",
        state=CorrectionState.SUBMITTED,
        annotator="reader",
        via="sync",
        label_map=QUARTER,
    )
    assert [row.slices for row in board.open_grades("base-1").rows] == [(2,)]

"""Shares that can be counted by hand, and how they are written."""

from pathlib import Path

import numpy as np
import pytest

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import COLOURS_RGB, Label
from chestct.prediction import SlicePrediction
from chestct.study import Study
from ml_backend.page.language import Translator
from ml_backend.page.scan.drawing import Drawing
from ml_backend.page.scan.findings import findings_of
from ml_backend.page.scan.kept_study import LABELS, Findings, KeptStudy
from ml_backend.page.scan.overview import keep_overview
from ml_backend.page.scan.reading import stem_of
from ml_backend.page.scan.viewing import most_affected_slices

# Two lungs of 2 x 4 pixels with air between; the right one (left in the picture) is half ill.
SLICE = np.array(
    [
        [1, 1, 0, 0, 0, 0, 3, 3],
        [2, 1, 0, 0, 0, 0, 3, 3],
        [3, 3, 0, 0, 0, 0, 3, 3],
        [3, 3, 0, 0, 0, 0, 3, 3],
    ],
    np.uint8,
)
AFFINE = np.diag([-2.0, 3.0, 5.0, 1.0])


def kept(folder: Path, label_maps: list[np.ndarray], with_geometry: bool) -> KeptStudy:
    height, width = label_maps[0].shape
    geometry = Geometry((width, height, len(label_maps)), AFFINE) if with_geometry else None
    intensity = Intensity.HU if with_geometry else Intensity.PICTURE
    dtype = np.int16 if with_geometry else np.uint8
    slices = [np.full(one.shape, 10 + index, dtype) for index, one in enumerate(label_maps)]
    study = KeptStudy(folder)
    study.keep(Study("case", "case", slices, intensity, folder, geometry), "case", "case")
    for index, one in enumerate(label_maps):
        study.write(LABELS, index, one)
    return study


def found_in(study: KeptStudy) -> Findings:
    facts = study.facts()
    label_maps = [study.labels(index, facts) for index in range(len(facts.sizes))]
    predictions = [SlicePrediction(label_map, score=0.5, entropy_mean=0.1) for label_map in label_maps]
    return findings_of(facts, predictions, "v")


def test_shares_of_a_slice_by_side_and_finding(tmp_path: Path) -> None:
    study = kept(tmp_path, [SLICE], with_geometry=False)
    found = found_in(study)
    assert found.slices[0] == {
        "right": {"ground_glass": 37.5, "consolidation": 12.5, "both": 50.0},
        "left": {"ground_glass": 0.0, "consolidation": 0.0, "both": 0.0},
        "whole": {"ground_glass": 18.75, "consolidation": 6.25, "both": 25.0},
    }
    assert found.study == found.slices[0]
    assert found.severity is None, "a slice has no grade"


def test_a_study_weighs_its_slices_by_their_lung_and_gets_its_grade_from_the_worse_one(
    tmp_path: Path,
) -> None:
    healthy = np.where(SLICE > 0, np.uint8(Label.LUNG), np.uint8(0))
    study = kept(tmp_path, [SLICE, healthy, np.zeros_like(SLICE)], with_geometry=True)
    found = found_in(study)
    assert found.study["right"] == {"ground_glass": 18.75, "consolidation": 6.25, "both": 25.0}
    assert found.study["whole"]["both"] == 12.5
    assert found.slices[2] == {"right": None, "left": None, "whole": None}
    assert found.severity is not None
    assert found.severity["grade"] == "CT-2", "25 % is the first of CT-2"
    assert found.severity["percent"]["worst"] == 25.0


def test_pictures_get_shares_and_no_grade(tmp_path: Path) -> None:
    study = kept(tmp_path, [SLICE, np.zeros((6, 4), np.uint8)], with_geometry=False)
    found = found_in(study)
    assert found.study["whole"]["both"] == 25.0
    assert found.severity is None


def test_facts_and_findings_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    study = kept(tmp_path, [SLICE, SLICE], with_geometry=True)
    facts = study.facts()
    assert facts.sizes == ((4, 8), (4, 8))
    geometry = facts.geometry
    assert geometry is not None
    np.testing.assert_array_equal(geometry.affine, AFFINE)
    np.testing.assert_array_equal(study.labels(1, facts), SLICE)
    np.testing.assert_array_equal(study.pixels(1, facts), np.full((4, 8), 11, np.int16))
    found = found_in(study)
    study.keep_findings(found)
    again = study.findings()
    assert again is not None and found.severity is not None and again.severity is not None
    assert (again.slices, again.study, again.model_version) == (found.slices, found.study, "v")
    assert again.severity["percent"] == found.severity["percent"]


def test_the_coronal_plane_runs_through_the_row_with_most_lesion_and_shows_the_head_up(
    tmp_path: Path,
) -> None:
    study = kept(tmp_path, [SLICE] * 5, with_geometry=True)
    overview = keep_overview(study, study.facts())
    assert overview.coronal_row == 0, "of two rows with as many lesions the first"
    assert overview.coronal_size == (5, 8)
    assert overview.coronal_aspect == pytest.approx(5 * 5.0 / (8 * 2.0))
    assert overview.coronal_flipped, "+5 mm: slices go up, so the last one is drawn on top"
    assert overview.axial_slices == (0, 1, 2, 3, 4)


def test_most_diseased_slices_come_first_and_are_shown_in_order(tmp_path: Path) -> None:
    empty = np.zeros_like(SLICE)
    study = kept(tmp_path, [empty, SLICE, empty, SLICE], with_geometry=True)
    assert most_affected_slices(found_in(study)) == [1, 3]
    healthy = kept(tmp_path / "h", [empty] * 3, with_geometry=True)
    assert most_affected_slices(found_in(healthy)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [
        (None, "–", "–"),
        (0.0, "0.0 %", "0,0 %"),
        (0.04, "< 0.1 %", "< 0,1 %"),
        (12.34, "12.3 %", "12,3 %"),
        (100.0, "100.0 %", "100,0 %"),
    ],
)
def test_percentages_as_people_write_them(value: float | None, english: str, russian: str) -> None:
    assert (Translator("en").percent(value), Translator("ru").percent(value)) == (english, russian)
    assert Translator("ru").number(-1.5) == "−1,5"


def test_a_drawing_is_what_the_link_says_and_the_default_where_it_says_nonsense() -> None:
    assert Drawing.of_query({}) == Drawing(dict(COLOURS_RGB), 0.4)
    asked = Drawing.of_query({"show": "2", "colours": "000000,0a0b0c,000000", "opacity": "75"})
    assert asked == Drawing({Label.CONSOLIDATION: (10, 11, 12)}, 0.75)
    assert Drawing.of_query({"show": ""}).colours == {}
    for nonsense in ({"colours": "red"}, {"colours": "ffdd00"}, {"opacity": "-1"}, {"opacity": "1e3"}):
        assert Drawing.of_query(nonsense) == Drawing.of_query({})
    assert Drawing.of_query({"opacity": "999"}).opacity == 1.0


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("study_1.nii.gz", "study_1"),
        ("КТ Иванов.nii.gz", "КТ_Иванов"),
        ("cases.zip: case 1/ct.nii.gz", "cases.zip_case_1_ct"),
        ("..", "scan"),
        ("a/../b.png", "a_.._b"),
        ("x" * 200 + ".png", "x" * 60),
    ],
)
def test_a_stem_is_safe_in_any_file_system(name: str, stem: str) -> None:
    assert stem_of(name) == stem

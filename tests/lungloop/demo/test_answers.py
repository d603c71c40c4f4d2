"""What the synthetic reader submits: as the editor would, and read back as the truth."""

from pathlib import Path

import numpy as np
import pytest

from chestct.labels import Label, SeverityGrade
from lungloop.demo.answers import changed_fraction, choices_of_study, regions_of_slice, seconds_for
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import brush_regions, prediction_result, read_label_map
from ml_backend.label_studio.study_results import read_study

CONFIGS = Path(__file__).resolve().parents[3] / "annotation_configs"
SLICE = parse_label_config((CONFIGS / "slice.xml").read_text())
WITH_LUNG = parse_label_config(
    (CONFIGS / "slice.xml")
    .read_text()
    .replace('hotkey="c"/>', 'hotkey="c"/><Label value="Lung" background="#4682DC"/>', 1)
)
STUDY = parse_label_config((CONFIGS / "study.xml").read_text())


def a_map(**boxes: tuple[slice, slice]) -> np.ndarray:
    label_map = np.zeros((8, 8), np.uint8)
    for name, box in boxes.items():
        label_map[box] = Label[name.upper()]
    return label_map


LEFT, RIGHT = (slice(1, 4), slice(1, 3)), (slice(4, 7), slice(5, 8))


def test_the_answer_reads_back_as_the_truths_lesions() -> None:
    shown = a_map(ground_glass=LEFT)
    truth = a_map(lung=(slice(0, 8), slice(0, 8)), ground_glass=RIGHT, consolidation=LEFT)
    result = regions_of_slice(brush_regions(shown, SLICE), shown, truth, SLICE)
    lesions = a_map(ground_glass=RIGHT, consolidation=LEFT)
    assert np.array_equal(read_label_map(result, SLICE, 8, 8), lesions)


def test_each_region_says_whether_it_was_left_changed_or_drawn() -> None:
    shown = a_map(ground_glass=LEFT)
    origins = {
        "prediction": a_map(ground_glass=LEFT),
        "prediction-changed": a_map(ground_glass=RIGHT),
        "manual": a_map(consolidation=LEFT),
    }
    for origin, truth in origins.items():
        regions = regions_of_slice(brush_regions(shown, SLICE), shown, truth, SLICE)
        assert [region["origin"] for region in regions] == [origin]


def test_false_lesions_are_erased() -> None:
    shown = a_map(ground_glass=LEFT, consolidation=RIGHT)
    assert regions_of_slice(brush_regions(shown, SLICE), shown, a_map(), SLICE) == []


def test_lung_that_is_shown_is_left_as_it_is() -> None:
    shown = a_map(lung=LEFT)
    regions = regions_of_slice(brush_regions(shown, WITH_LUNG), shown, a_map(lung=RIGHT), WITH_LUNG)
    assert np.array_equal(read_label_map(regions, WITH_LUNG, 8, 8), shown)
    assert regions[0]["origin"] == "prediction"


def test_a_study_is_answered_slice_by_slice_with_its_grade_and_all_slices_viewed() -> None:
    maps = [a_map(ground_glass=LEFT), a_map()]
    truths = [a_map(), a_map(consolidation=RIGHT)]
    shown = prediction_result(maps, 0.5, "v", STUDY, SeverityGrade.CT_1)["result"]
    result = choices_of_study(shown, SeverityGrade.CT_2, STUDY)
    for item, truth in enumerate(truths):
        regions = [region for region in shown if region.get("item_index") == item]
        result += regions_of_slice(regions, maps[item], truth, STUDY, item)
    reading = read_study(result, STUDY, [(8, 8)] * 2, shown)
    assert (reading.model_grade, reading.grade) == (SeverityGrade.CT_1, SeverityGrade.CT_2)
    for label_map, truth in zip(reading.label_maps, truths, strict=True):
        assert label_map is not None
        assert np.array_equal(label_map, truth)


def test_a_grade_that_nobody_knows_stays_as_shown() -> None:
    shown = prediction_result([a_map()], 0.5, "v", STUDY, SeverityGrade.CT_1)["result"]
    reading = read_study(choices_of_study(shown, None, STUDY), STUDY, [(8, 8)], shown)
    assert reading.grade is SeverityGrade.CT_1


def test_time_grows_with_what_is_changed_up_to_some_minutes() -> None:
    assert changed_fraction(a_map(lung=LEFT), a_map()) == 0, "lung is not drawn"
    assert changed_fraction(a_map(ground_glass=LEFT), a_map(consolidation=LEFT)) == pytest.approx(6 / 64)
    assert seconds_for(0.0) < seconds_for(0.02) < seconds_for(0.5) == seconds_for(1.0) <= 300

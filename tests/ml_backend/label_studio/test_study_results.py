"""Study tasks: all slices as one result, and annotations back slice by slice."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.errors import InputError
from chestct.labels import SeverityGrade
from ml_backend.label_studio import brush_rle
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import prediction_result
from ml_backend.label_studio.study_results import read_study
from ml_backend.prelabelling.compose import study_score

EMPTY = np.zeros((2, 3), np.uint8)
GLASS = np.array([[0, 1, 1], [0, 0, 0]], np.uint8)
MIXED = np.array([[0, 1, 1], [0, 2, 3]], np.uint8)
SIZES = [(2, 3)] * 3
VIEWED = {"type": "choices", "from_name": "viewed", "value": {"choices": ["All slices viewed"]}}


def brush(mask: list[list[int]], item: int, name: str = "Ground glass", **changes: Any) -> dict[str, Any]:
    """A region as a reader's editor sends it."""
    array = np.array(mask, dtype=bool)
    return {
        "type": "brushlabels",
        "from_name": "lesions",
        "to_name": "image",
        "original_width": array.shape[1],
        "original_height": array.shape[0],
        "image_rotation": 0,
        "origin": "manual",
        "item_index": item,
        "value": {"format": "rle", "rle": brush_rle.encode(array), "brushlabels": [name]},
        **changes,
    }


@pytest.fixture
def config(study_xml: str) -> Any:
    return parse_label_config(study_xml)


@pytest.fixture
def shown(config: Any) -> list[Any]:
    """What the model showed: nothing on slice 0, ground-glass on 1, both kinds on 2; CT-1."""
    return prediction_result([EMPTY, GLASS, MIXED], 0.5, "base-1", config, SeverityGrade.CT_1)["result"]


def maps(reading: Any) -> list[Any]:
    return [None if one is None else one.tolist() for one in reading.label_maps]


def test_regions_carry_the_index_of_their_slice_and_healthy_slices_have_none(shown: list[Any]) -> None:
    brushes = [(one["item_index"], one["value"]["brushlabels"][0]) for one in shown[:-1]]
    assert brushes == [(1, "Ground glass"), (2, "Ground glass"), (2, "Consolidation")]
    assert (shown[-1]["from_name"], shown[-1]["to_name"], shown[-1]["value"]) == (
        "severity",
        "image",
        {"choices": ["CT-1"]},
    )
    assert "item_index" not in shown[-1]


def test_no_grade_or_no_choice_presets_nothing(config: Any, study_xml: str) -> None:
    assert prediction_result([EMPTY], 0.5, "v", config, None)["result"] == []
    plain = parse_label_config(study_xml.replace('value="CT-4"', 'value="CT-5"'))
    assert prediction_result([EMPTY], 0.5, "v", plain, SeverityGrade.CT_1)["result"] == []


def test_the_score_of_a_study_is_the_mean_of_its_five_least_sure_slices() -> None:
    assert study_score([0.9] * 40 + [0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(0.3)
    assert study_score([0.5, 0.7]) == pytest.approx(0.6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_one_more_slice_never_makes_a_study_surer_than_it_was_without_its_surest(
    scores: list[float], more: float
) -> None:
    assert min(scores) <= study_score(scores) <= max(scores)
    if len(scores) >= 5:
        assert study_score([*scores, more]) <= study_score(scores) + 1e-12


def test_an_untouched_study_corrects_no_slice(config: Any, shown: list[Any]) -> None:
    reading = read_study([{**one, "origin": "prediction"} for one in shown], config, SIZES, shown)
    assert maps(reading) == [None, None, None]
    assert (reading.grade, reading.model_grade) == (SeverityGrade.CT_1, SeverityGrade.CT_1)


def test_slices_with_changed_added_or_deleted_regions_are_corrections(config: Any, shown: list[Any]) -> None:
    changed = [one for one in shown if one.get("item_index") != 1]
    changed[0] = brush([[0, 0, 1], [0, 0, 0]], 2, origin="prediction-changed")
    added = brush([[1, 0, 0], [0, 0, 0]], 0, "Consolidation")
    reading = read_study([*changed, added], config, SIZES, shown)
    assert maps(reading) == [
        [[2, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0]],  # all regions deleted: corrected to empty
        [[0, 0, 1], [0, 2, 0]],
    ]


def test_what_was_painted_and_taken_back_is_no_correction(config: Any, shown: list[Any]) -> None:
    again = [brush([[0, 1, 1], [0, 0, 0]], 1, origin="prediction-changed"), *shown[1:]]
    in_pieces = [brush([[0, 1, 0], [0, 0, 0]], 1), brush([[0, 0, 1], [0, 0, 0]], 1), *shown[1:]]
    for result in (again, in_pieces):
        assert maps(read_study(result, config, SIZES, shown)) == [None, None, None]


def test_a_reader_who_viewed_all_slices_vouches_for_the_untouched_ones(config: Any, shown: list[Any]) -> None:
    assert maps(read_study([*shown, VIEWED], config, SIZES, shown)) == [
        EMPTY.tolist(),
        GLASS.tolist(),
        [[0, 1, 1], [0, 2, 0]],  # the lung is not shown, so nobody vouched for it
    ]


def test_from_nothing_only_painted_slices_are_corrections(config: Any) -> None:
    reading = read_study([brush([[1, 0, 0], [0, 0, 0]], 2)], config, SIZES, None)
    assert maps(reading) == [None, None, [[1, 0, 0], [0, 0, 0]]]
    assert (reading.grade, reading.model_grade) == (None, None)


def test_where_the_prediction_is_gone_its_untouched_regions_are_no_corrections(
    config: Any, shown: list[Any]
) -> None:
    result = [{**one, "origin": "prediction"} for one in shown]
    assert maps(read_study(result, config, SIZES, None)) == [None, None, None]
    result[1]["origin"] = "prediction-changed"
    assert maps(read_study(result, config, SIZES, None)) == [None, None, [[0, 1, 1], [0, 2, 0]]]


def test_consolidation_wins_where_regions_of_one_slice_overlap(config: Any) -> None:
    regions = [brush([[1, 1, 0], [0, 0, 0]], 1, "Consolidation"), brush([[0, 1, 1], [0, 0, 0]], 1)]
    assert maps(read_study(regions, config, SIZES, None))[1] == [[2, 2, 1], [0, 0, 0]]


def test_a_region_without_an_index_lies_on_the_first_slice(config: Any) -> None:
    region = brush([[1, 0, 0], [0, 0, 0]], 0)
    del region["item_index"]
    assert maps(read_study([region], config, SIZES, None))[0] == [[1, 0, 0], [0, 0, 0]]


def test_a_choice_that_is_no_grade_is_no_grade(config: Any) -> None:
    other = {"type": "choices", "from_name": "severity", "value": {"choices": ["Unreadable"]}}
    assert read_study([other], config, SIZES, None).grade is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("text", "expected an object"),
        (brush([[1]], 3), "item_index 3; the task shows 3"),
        (brush([[1]], -1), "item_index -1"),
        ({**brush([[1]], 0), "item_index": "first"}, "item_index 'first'"),
        (brush([[1]], 0), "1 x 1, the slice is 3 x 2"),
        ({"type": "choices", "from_name": "severity", "value": {"choices": ["CT-1", "CT-2"]}}, "one name"),
        ({"type": "choices", "from_name": "severity", "value": None}, "without"),
    ],
)
def test_what_label_studio_does_not_write_is_refused(config: Any, entry: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_study([entry], config, SIZES, None)

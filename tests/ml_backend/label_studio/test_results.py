"""Predictions to result JSON and annotations back to label maps."""

from typing import Any

import numpy as np
import pytest

from chestct.errors import InputError, LabelConfigError
from ml_backend.label_studio import brush_rle
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import failed_result, is_failed, prediction_result, read_label_map

LABEL_MAP = np.array([[0, 1, 1, 3], [0, 2, 1, 3], [0, 0, 0, 3]], dtype=np.uint8)


def region(mask: list[list[int]], name: str, **changes: Any) -> dict[str, Any]:
    array = np.array(mask, dtype=bool)
    return {
        "type": "brushlabels",
        "from_name": "lesions",
        "to_name": "image",
        "original_width": array.shape[1],
        "original_height": array.shape[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_rle.encode(array), "brushlabels": [name]},
        **changes,
    }


def test_one_region_a_class_that_the_reader_can_paint(slice_xml: str) -> None:
    config = parse_label_config(slice_xml)
    result = prediction_result([LABEL_MAP], 0.75, "base-1", config)
    assert [one["value"]["brushlabels"] for one in result["result"]] == [["Ground glass"], ["Consolidation"]]
    assert (result["score"], result["model_version"]) == (0.75, "base-1")
    assert {(one["original_width"], one["original_height"]) for one in result["result"]} == {(4, 3)}


def test_lung_is_pre_labelled_only_where_the_configuration_shows_it(slice_xml: str) -> None:
    with_lung = slice_xml.replace("</BrushLabels>", '<Label value="Lung"/></BrushLabels>')
    config = parse_label_config(with_lung)
    result = prediction_result([LABEL_MAP], 0.75, "base-1", config)
    assert [one["value"]["brushlabels"] for one in result["result"]][-1] == ["Lung"]
    assert (read_label_map(result["result"], config, 3, 4) == LABEL_MAP).all()


def test_an_untouched_prediction_comes_back_exactly_without_its_lung(slice_xml: str) -> None:
    config = parse_label_config(slice_xml)
    back = read_label_map(prediction_result([LABEL_MAP], 0.5, "v", config)["result"], config, 3, 4)
    assert back.tolist() == [[0, 1, 1, 0], [0, 2, 1, 0], [0, 0, 0, 0]]


def test_a_slice_without_lesions_is_an_empty_result_of_a_real_version(slice_xml: str) -> None:
    result = prediction_result([np.zeros((3, 4), np.uint8)], 0.9, "base-1", parse_label_config(slice_xml))
    assert (result["result"], result["model_version"]) == ([], "base-1")
    assert not is_failed(result["model_version"])
    assert is_failed(failed_result("base-1")["model_version"])


@pytest.mark.parametrize("consolidation_first", [True, False])
def test_consolidation_wins_where_regions_overlap(slice_xml: str, consolidation_first: bool) -> None:
    regions = [region([[1, 1, 0]], "Consolidation"), region([[0, 1, 1]], "Ground glass")]
    if not consolidation_first:
        regions.reverse()
    assert read_label_map(regions, parse_label_config(slice_xml), 1, 3).tolist() == [[2, 2, 1]]


def test_regions_of_one_class_add_up_and_other_controls_are_passed_over(slice_xml: str) -> None:
    choice = {"type": "choices", "from_name": "grade", "value": {"choices": ["CT-2"]}}
    regions = [region([[1, 0, 0]], "Ground glass"), choice, region([[0, 0, 1]], "Ground glass")]
    assert read_label_map(regions, parse_label_config(slice_xml), 1, 3).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"from_name": "other"}, LabelConfigError, "expected \\('lesions', 'image'\\)"),
        ({"original_width": 9}, InputError, "9 x 1, the slice is 3 x 1"),
        ({"image_rotation": 90}, InputError, "turned by 90"),
        ({"value": {"format": "rle"}}, InputError, "without"),
        ({"value": None}, InputError, "without"),
        ({"value": {"format": "rle", "rle": [1], "brushlabels": []}}, InputError, "list of names"),
        ({"value": {"format": "rle", "rle": [1], "brushlabels": ["Nodule"]}}, LabelConfigError, "Nodule"),
        ({"value": {"format": "rle", "rle": [1], "brushlabels": ["Ground glass"]}}, InputError, "cut short"),
    ],
)
def test_malformed_regions_are_refused(
    slice_xml: str, changes: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        read_label_map([region([[1, 0, 0]], "Ground glass", **changes)], parse_label_config(slice_xml), 1, 3)


def test_a_region_that_is_no_object_is_refused(slice_xml: str) -> None:
    with pytest.raises(InputError, match="expected an object"):
        read_label_map(["text"], parse_label_config(slice_xml), 1, 3)

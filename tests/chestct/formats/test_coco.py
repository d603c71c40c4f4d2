"""COCO annotations, read back by pycocotools."""

import numpy as np
import pytest
from pycocotools.coco import COCO

from chestct.formats.coco import CATEGORIES, findings
from chestct.labels import Label

# pycocotools 2.0.11 hands NumPy 2 an __array__ of the old kind when it decodes.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

# Two ground-glass parts (the second with a hole that is consolidation) and lung around them.
LABEL_MAP = np.array(
    [
        [0, 3, 3, 3, 3, 3, 0],
        [1, 3, 1, 1, 1, 3, 0],
        [1, 3, 1, 2, 1, 3, 0],
        [0, 3, 1, 1, 1, 3, 0],
        [0, 3, 3, 3, 3, 1, 0],
    ],
    np.uint8,
)


def read_by_pycocotools(label_map: np.ndarray, *, polygons: bool) -> np.ndarray:
    """The label map that pycocotools draws from our annotations."""
    coco = COCO()
    height, width = label_map.shape
    coco.dataset = {
        "images": [{"id": 1, "height": height, "width": width, "file_name": "a.png"}],
        "categories": list(CATEGORIES),
        "annotations": [
            finding.annotation(number, 1, label_map.shape, polygons=polygons)
            for number, finding in enumerate(findings(label_map), start=1)
        ],
    }
    coco.createIndex()
    drawn = np.zeros_like(label_map)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[1])):
        mask = coco.annToMask(annotation).astype(bool)
        assert mask.sum() == annotation["area"]
        rows, columns = np.nonzero(mask)
        left, top, box_width, box_height = annotation["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (left + box_width, top + box_height) == (columns.max() + 1, rows.max() + 1)
        drawn[mask] = annotation["category_id"]
    return drawn


def test_each_connected_part_is_a_finding_and_corners_connect():
    found = [(one.label, int(one.part.sum()), one.top, one.left) for one in findings(LABEL_MAP)]
    assert found == [
        (Label.GROUND_GLASS, 2, 1, 0),
        (Label.GROUND_GLASS, 9, 1, 2),
        (Label.CONSOLIDATION, 1, 2, 3),
        (Label.LUNG, 15, 0, 1),
    ]


def test_run_lengths_and_polygons_give_the_label_map_back():
    for polygons in (False, True):
        np.testing.assert_array_equal(read_by_pycocotools(LABEL_MAP, polygons=polygons), LABEL_MAP)


def test_a_mask_of_many_specks_comes_back_too():
    label_map = np.random.default_rng(5).integers(0, 4, (64, 48)).astype(np.uint8)
    for polygons in (False, True):
        np.testing.assert_array_equal(read_by_pycocotools(label_map, polygons=polygons), label_map)


def test_a_slice_where_nothing_was_marked_has_no_finding():
    assert list(findings(np.zeros((4, 4), np.uint8))) == []

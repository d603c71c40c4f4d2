"""Label maps as COCO annotations: one for every connected finding, as run-length code or polygons.

Source: https://cocodataset.org/#format-data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestct.formats.coco_rle import rle
from chestct.formats.outlines import outlines
from chestct.labels import Label

Json = dict[str, Any]

# A category's id is the value of its Label, so that masks made from annotations are label maps.
CATEGORIES: tuple[Json, ...] = (
    {"id": int(Label.GROUND_GLASS), "name": "ground_glass", "supercategory": "finding"},
    {"id": int(Label.CONSOLIDATION), "name": "consolidation", "supercategory": "finding"},
    {"id": int(Label.LUNG), "name": "lung", "supercategory": "anatomy"},
)
# Pixels that touch at a corner belong to one finding.
_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Finding:
    """One connected part of one class in one slice.

    Args:
        label: its class.
        top, left: of its bounding box, in pixels of the slice.
        part: (h, w) boolean, the box's pixels that belong to it.
    """

    label: Label
    top: int
    left: int
    part: npt.NDArray[np.bool_]

    def annotation(
        self, annotation_id: int, image_id: int, shape: tuple[int, int], *, polygons: bool
    ) -> Json:
        """A COCO annotation of it.

        Args:
            shape: (H, W) of the slice.
            polygons: outlines along the pixels' edges (a hole is joined by a seam), else the exact
                run-length code, packed.
        """
        height, width = self.part.shape
        return {
            "id": annotation_id,
            "image_id": image_id,
            "category_id": int(self.label),
            "area": int(self.part.sum()),
            "bbox": [self.left, self.top, width, height],
            "iscrowd": 0,
            "segmentation": self._polygons() if polygons else rle(self.part, self.top, self.left, shape),
        }

    def _polygons(self) -> list[list[int]]:
        return [
            [value for x, y in polygon for value in (x + self.left, y + self.top)]
            for polygon in outlines(self.part)
        ]


def findings(label_map: npt.NDArray[np.uint8]) -> Iterator[Finding]:
    """The connected parts of each class, by class, then from the top.

    Args:
        label_map: (H, W) uint8, values of Label.
    """
    for category in CATEGORIES:
        label = Label(category["id"])
        numbered, _ = ndimage.label(label_map == label, structure=_NEIGHBOURS)  # type: ignore[misc]
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbered), start=1):
            yield Finding(label, rows.start, columns.start, numbered[rows, columns] == number)

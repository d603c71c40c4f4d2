"""`coco`: pictures and two COCO files of the same findings, run-length coded and as polygons."""

import json
from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import StudyRecord
from chestct.formats.coco import CATEGORIES, Json, findings
from lungloop.exporting.rows import FormatWriter, Line, Row

RLE_FILE, POLYGON_FILE = "annotations.json", "annotations-polygons.json"


class CocoWriter(FormatWriter):
    """One COCO image a corrected slice, one annotation a connected finding."""

    legend = (
        f"`{RLE_FILE}` (COCO, packed run-length code, exact) and `{POLYGON_FILE}` (the same\n"
        "annotations as polygons along the pixels' edges; a hole is joined to its outline by a seam of no\n"
        "width) have one annotation a connected finding; a category's id is the mask value. An image\n"
        "without annotations was read, and nothing was marked. Older versions of a mask are PNG files."
    )

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        super().__init__(catalog, folder)
        self._images: list[Json] = []
        self._as_rle: list[Json] = []
        self._as_polygons: list[Json] = []

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """The mask that counts of each slice as annotations, other versions as pictures."""
        lines = []
        for row in rows:
            image = self.image_png(row)
            if row.is_chosen:
                self._annotate(row, image)
                lines.append(row.line(image, RLE_FILE))
            else:
                lines.append(row.line(image, self.mask_png(row)))
        return lines

    def finish(self) -> None:
        """Writes both files."""
        for name, annotations in ((RLE_FILE, self._as_rle), (POLYGON_FILE, self._as_polygons)):
            document = {
                "info": {"description": "Corrected chest CT masks, exported by LungLoop"},
                "licenses": [],
                "images": self._images,
                "categories": CATEGORIES,
                "annotations": annotations,
            }
            (self._folder / name).write_text(json.dumps(document))

    def _annotate(self, row: Row, image: Path) -> None:
        slice_record = row.slice
        image_id = len(self._images) + 1
        self._images.append(
            {
                "id": image_id,
                "file_name": image.as_posix(),
                "height": slice_record.height,
                "width": slice_record.width,
                "study": slice_record.study_name,
                "slice": slice_record.index,
                "patient": slice_record.patient,
                "split": slice_record.split.value,
            }
        )
        for finding in findings(row.label_map(self._catalog)):
            annotation_id, shape = len(self._as_rle) + 1, (slice_record.height, slice_record.width)
            self._as_rle.append(finding.annotation(annotation_id, image_id, shape, polygons=False))
            self._as_polygons.append(finding.annotation(annotation_id, image_id, shape, polygons=True))

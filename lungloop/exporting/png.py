"""`png`: a picture and a mask a slice."""

from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import StudyRecord
from lungloop.exporting.rows import Line, Row, write_image_png, write_mask_png


class PngWriter:
    """Pictures as Label Studio showed them, masks of the same size."""

    legend = ""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """One image and one mask a row."""
        return [
            row.line(
                write_image_png(self._catalog, self._folder, row),
                write_mask_png(self._catalog, self._folder, row),
            )
            for row in rows
        ]

    def finish(self) -> None:
        """Every file is written already."""

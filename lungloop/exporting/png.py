"""`png`: a picture and a mask a slice."""

from chestct.catalog.records import StudyRecord
from lungloop.exporting.rows import FormatWriter, Line, Row


class PngWriter(FormatWriter):
    """Pictures as Label Studio showed them, masks of the same size."""

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """One image and one mask a row."""
        return [
            row.line(
                self.image_png(row),
                self.mask_png(row),
            )
            for row in rows
        ]

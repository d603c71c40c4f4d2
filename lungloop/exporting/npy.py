"""`npy`: arrays in the class order of Kaggle's `covid-segmentation`."""

from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import StudyRecord
from chestct.formats.kaggle_arrays import KaggleArrays
from lungloop.exporting.rows import FormatWriter, Line, Row


class NpyWriter(FormatWriter):
    """Slices of one size and kind together; sizes that differ go to files of their own."""

    legend = (
        "`images_<height>x<width>_<hu or picture>.npy` is (N, H, W, 1), int16 Hounsfield units or uint8\n"
        "grey levels; `masks_...npy` is (N, H, W, 4) uint8, one channel of a pixel 1: 0 ground-glass,\n"
        "1 consolidation, 2 lungs other, 3 background. Channel 3 is 1 wherever nothing was marked, also in\n"
        "lung that no reader drew. Item n of two arrays is the n-th row of `dataset.csv` that names them."
    )

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        super().__init__(catalog, folder)
        self._arrays: dict[str, KaggleArrays] = {}

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """One item a row, older versions too."""
        lines = []
        for row in rows:
            pixels = self._catalog.slices.read_pixels(row.slice)
            height, width = pixels.shape
            group = f"{height}x{width}_{row.slice.intensity.value}"
            if group not in self._arrays:
                self._arrays[group] = KaggleArrays(self._folder, group, (height, width), pixels.dtype)
            self._arrays[group].append(pixels, row.label_map(self._catalog))
            lines.append(row.line(*self._arrays[group].names))
        return lines

    def finish(self) -> None:
        """Makes the arrays whole."""
        for arrays in self._arrays.values():
            arrays.close()

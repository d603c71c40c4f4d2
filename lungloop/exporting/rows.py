"""What every format shares: a corrected slice, its line of `dataset.csv` and the writer's interface."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionRecord, SliceRecord, StudyRecord
from chestct.errors import InputError
from chestct.render.overlay import png_bytes

COLUMNS = (
    "study", "slice", "patient", "annotator", "updated_at", "lead_time_seconds", "model_version",
    "changed_fraction", "split", "image", "mask",
)  # fmt: skip
Line = list[object]


class LeftOutError(InputError):
    """A study that a format cannot hold; the rest is exported."""


@dataclass(frozen=True)
class Row:
    """One corrected slice.

    Args:
        is_chosen: whether the correction is the one that counts for its slice.
    """

    correction: CorrectionRecord
    slice: SliceRecord
    is_chosen: bool

    def label_map(self, catalog: Catalog) -> npt.NDArray[np.uint8]:
        """(H, W) uint8 values of Label, exactly as submitted."""
        key = self.correction.label_map_path
        if key is None:
            raise InputError(
                f"correction {self.correction.id}", "is submitted but has no mask; run `lungloop sync`"
            )
        return catalog.storage.read_label_map(key)

    def line(self, image: str | Path, mask: str | Path) -> Line:
        """The row of `dataset.csv`; paths are relative to the export, "" where there is no such file."""
        correction = self.correction
        return [
            self.slice.study_name,
            self.slice.index,
            self.slice.patient,
            correction.annotator,
            correction.annotation_updated_at,
            "" if correction.lead_time_seconds is None else f"{correction.lead_time_seconds:.3f}",
            correction.model_version or "",
            "" if correction.changed_fraction is None else f"{correction.changed_fraction:.6f}",
            self.slice.split.value,
            image.as_posix() if isinstance(image, Path) else image,
            mask.as_posix() if isinstance(mask, Path) else mask,
        ]


class FormatWriter:
    """One format's files in one folder; `add` is called once a study, `finish` once at the end."""

    legend = ""
    """What the README says of these files."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """Writes a study's corrected slices.

        Args:
            rows: in the order of slices, then of corrections; never empty.
        Raises:
            LeftOutError: this format cannot hold the study.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Writes what needs all studies; most formats have nothing left."""

    def image_png(self, row: Row) -> Path:
        """The slice as Label Studio showed it, written once; its path below the folder."""
        image = Path("images") / row.slice.study_name / f"{row.slice.index:04d}.png"
        if not (self._folder / image).exists():
            self._write(image, self._catalog.storage.read_bytes(row.slice.picture_path))
        return image

    def mask_png(self, row: Row) -> Path:
        """The row's label map; only the mask that counts carries the slice's plain name."""
        version = "" if row.is_chosen else f".version-{row.correction.id}"
        mask = Path("masks") / row.slice.study_name / f"{row.slice.index:04d}{version}.png"
        self._write(mask, png_bytes(row.label_map(self._catalog)))
        return mask

    def _write(self, path: Path, content: bytes) -> None:
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / path).write_bytes(content)

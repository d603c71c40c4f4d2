"""Labelled slices of a folder, in any layout that this project reads, its own export included."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.formats.images import read_label_map_png, read_picture
from chestct.formats.layouts import discover
from chestct.formats.nifti import is_nifti_name, read_label_map_nifti, read_nifti
from chestct.intensity import Intensity
from chestct.labels import Split
from chestct.partial_labels import from_lesion_label_map
from chestct.study import FailedInput, Study
from training.data.dataset import TrainingSample
from training.data.shared_data import is_held_out, samples_of_study

EXPORT_TABLE = "dataset.csv"
_EXPORT_COLUMNS = {"study", "slice", "patient", "updated_at", "split", "image", "mask"}
# Sides of the frozen line as a report names them; a source that fixes no split is "unsplit".
HELD_OUT, TRAIN, UNSPLIT = "held_out", "train", "unsplit"


@dataclass(frozen=True)
class LabelledFolder:
    """What a folder gives to score a model on.

    Args:
        samples: side of the split (`held_out`, `train` or `unsplit`) -> its labelled slices.
        failed: inputs that could not be read; the rest is here.
    """

    samples: dict[str, list[TrainingSample]]
    failed: tuple[FailedInput, ...] = ()


def read_labelled_folder(folder: Path) -> LabelledFolder:
    """All labelled slices of a folder: a known data set, studies with masks, or an export.

    Raises:
        InputError: the folder holds nothing to read, or no slice with a label.
    """
    if (folder / EXPORT_TABLE).is_file():
        labelled = _read_export(folder)
    else:
        labelled = _of_studies(discover([folder]), folder.name)
    if not labelled.samples:
        reasons = "".join(f"; {failed.source}: {failed.reason}" for failed in labelled.failed[:3])
        raise InputError(folder, f"holds no labelled slice, and scores need masks{reasons}")
    return labelled


def _of_studies(studies: Iterable[Study | FailedInput], source: str) -> LabelledFolder:
    samples: dict[str, list[TrainingSample]] = {}
    failed = []
    for study in studies:
        if isinstance(study, FailedInput):
            failed.append(study)
            continue
        side = HELD_OUT if is_held_out(study) else UNSPLIT if study.split is None else TRAIN
        own = list(samples_of_study(study, source))
        if own:
            samples.setdefault(side, []).extend(own)
    return LabelledFolder(samples, tuple(failed))


def _read_export(folder: Path) -> LabelledFolder:
    """Rows of `dataset.csv`, the newest version of each slice; slices without a row say nothing."""
    table = folder / EXPORT_TABLE
    with table.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = _EXPORT_COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise InputError(table, f"lacks the columns {', '.join(sorted(missing))}; export once more")
        newest: dict[tuple[str, str], dict[str, str]] = {}
        for row in sorted(reader, key=lambda row: row["updated_at"]):
            newest[row["study"], row["slice"]] = row
    read = _ExportReader(folder)
    samples: dict[str, list[TrainingSample]] = {}
    failed = []
    for row in newest.values():
        try:
            side = HELD_OUT if row["split"] == Split.TEST else TRAIN
            samples.setdefault(side, []).append(read.sample(row))
        except InputError as error:
            failed.append(FailedInput(Path(error.source), error.reason))
    return LabelledFolder({side: own for side, own in samples.items() if own}, tuple(failed))


class _ExportReader:
    """Reads an export's pictures and volumes; the last volumes stay in memory, rows share them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._volume = lru_cache(maxsize=1)(read_nifti)
        self._labels = lru_cache(maxsize=1)(lambda path: read_label_map_nifti(path)[0])

    def sample(self, row: dict[str, str]) -> TrainingSample:
        index = int(row["slice"])
        pixels, intensity, spacing_mm = self._pixels(self._inside(row["image"]), index)
        label_map = self._label_map(self._inside(row["mask"]), index)
        if label_map.shape != pixels.shape:
            raise InputError(row["mask"], f"has the shape {label_map.shape}, its image {pixels.shape}")
        return TrainingSample.of_slice(
            pixels,
            intensity,
            from_lesion_label_map(label_map),
            source="export",
            patient=row["patient"],
            name=f"{row['study']}/{index}",
            spacing_mm=spacing_mm,
        )

    def _inside(self, relative: str) -> Path:
        path = (self._folder / relative).resolve()
        if not path.is_relative_to(self._folder):
            raise InputError(self._folder / EXPORT_TABLE, f"names {relative!r}, outside of the export")
        return path

    def _pixels(
        self, path: Path, index: int
    ) -> tuple[npt.NDArray[np.generic], Intensity, tuple[float, float] | None]:
        if not is_nifti_name(path):
            return read_picture(path), Intensity.PICTURE, None
        study = self._volume(path)
        spacing_mm = study.geometry.spacing_mm[1:] if study.geometry else None
        return study.slices[index], study.intensity, spacing_mm

    def _label_map(self, path: Path, index: int) -> npt.NDArray[np.uint8]:
        return self._labels(path)[index] if is_nifti_name(path) else read_label_map_png(path)

"""MedSeg "COVID-19 CT segmentation dataset" as rendered pictures.

    slices.csv                                slice, official_split, split
    image/000.png                             8-bit picture, sizes and windows differ
    mask/000.png                              0 other, 1 ground-glass, 2 consolidation; lungs unlabelled

The table that told which slices are of one patient is lost, so each slice counts as a patient.
"""

from collections.abc import Iterator
from pathlib import Path

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats import slice_table
from chestct.formats.folders import failed
from chestct.formats.images import read_label_map_png, read_picture
from chestct.intensity import Intensity
from chestct.study import FailedInput, Study

_COLUMNS = frozenset({"slice", "official_split", "split"})


def is_medseg(folder: Path) -> bool:
    """Whether a folder's table is that of MedSeg."""
    return slice_table.columns(folder) >= _COLUMNS


def read_medseg(folder: Path) -> Iterator[Study | FailedInput]:
    """One study of one slice a picture, in the order of their numbers.

    Raises:
        InputError: `slices.csv` is missing or unusable, or lists nothing.
    """
    table = folder / slice_table.NAME
    rows = slice_table.rows(folder, _COLUMNS)
    if not rows:
        raise InputError(table, "lists no slices")
    numbered = sorted((slice_table.number(table, row["slice"]), row["split"]) for row in rows)
    for number, split in numbered:
        path = folder / "image" / f"{number:03d}.png"
        try:
            yield _read_slice(folder, path, split)
        except InputError as error:
            yield failed(path, error)


def _read_slice(folder: Path, path: Path, split: str) -> Study:
    pixels = read_picture(path)
    mask_path = folder / "mask" / path.name
    label_map = read_label_map_png(mask_path)
    if label_map.shape != pixels.shape:
        raise InputError(
            mask_path, f"has the shape {label_map.shape}, its picture {pixels.shape}; they must agree"
        )
    name = f"medseg-{path.stem}"
    return Study(
        name=name,
        patient=name,
        slices=(pixels,),
        intensity=Intensity.PICTURE,
        source=path,
        partial_labels={0: partial_labels.from_lesion_label_map(label_map)},
        split=slice_table.split(folder / slice_table.NAME, split),
        slice_names=(path.name,),
    )

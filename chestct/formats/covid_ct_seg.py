"""COVID-19-CT-Seg (Ma Jun et al., Zenodo 3757476) as rendered pictures.

slices.csv                                volume, patient, split, slice
<volume>/ct/000.png                       8-bit picture, not HU
<volume>/infection/000.png                0/255, ground-glass and consolidation as one
<volume>/lung/000.png                     0/255, lesions included
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats import slice_table
from chestct.formats.folders import failed, natural_key
from chestct.formats.images import read_mask_picture, read_picture
from chestct.intensity import Intensity
from chestct.study import FailedInput, Study

_COLUMNS = frozenset({"volume", "patient", "split", "slice"})


def is_covid_ct_seg(folder: Path) -> bool:
    """Whether a folder's table is that of COVID-19-CT-Seg."""
    return slice_table.columns(folder) >= _COLUMNS


def read_covid_ct_seg(folder: Path) -> Iterator[Study | FailedInput]:
    """One study a volume, one at a time; a volume with a damaged slice fails as a whole.

    Raises:
        InputError: `slices.csv` is missing or unusable, or lists nothing.
    """
    volumes: dict[str, list[dict[str, str]]] = {}
    for row in slice_table.rows(folder, _COLUMNS):
        volumes.setdefault(row["volume"], []).append(row)
    if not volumes:
        raise InputError(folder / slice_table.NAME, "lists no slices")
    for volume in sorted(volumes, key=natural_key):
        try:
            yield _read_volume(folder, volume, volumes[volume])
        except InputError as error:
            yield failed(folder / volume, error)


def _read_volume(folder: Path, volume: str, rows: list[dict[str, str]]) -> Study:
    table = folder / slice_table.NAME
    if Path(volume).name != volume:
        raise InputError(table, f"names the volume {volume!r}; expected a folder beside the table")
    for column in ("patient", "split"):
        values = {row[column] for row in rows}
        if len(values) != 1:
            raise InputError(table, f"gives {volume} more than one {column}: {', '.join(sorted(values))}")
    numbers = sorted(slice_table.number(table, row["slice"]) for row in rows)
    names = tuple(f"{number:03d}.png" for number in numbers)
    return Study(
        name=volume,
        patient=rows[0]["patient"],
        slices=tuple(read_picture(folder / volume / "ct" / name) for name in names),
        intensity=Intensity.PICTURE,
        source=folder / volume,
        partial_labels={index: _partial_labels(folder / volume, name) for index, name in enumerate(names)},
        split=slice_table.split(table, rows[0]["split"]),
        slice_names=names,
    )


def _partial_labels(volume: Path, name: str) -> npt.NDArray[np.uint8]:
    infection = read_mask_picture(volume / "infection" / name)
    lung = read_mask_picture(volume / "lung" / name)
    try:
        return partial_labels.from_masks(infection, lung)
    except InputError as error:
        raise InputError(volume / "lung" / name, error.reason) from error

"""Both labelled data sets in little, on disk in their own layouts."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from chestct.labels import Label

# (volume, patient, split) of covid-ct-seg and the slices of medseg; medseg's slice 6 is held out.
VOLUMES = (("v1", "C01", "train"), ("v2", "C02", "dev-validation"))
MEDSEG_SLICES = (0, 6)


def chest() -> np.ndarray:
    """64 x 64 label map: two lungs, ground-glass in one, consolidation in the other."""
    label_map = np.zeros((64, 64), np.uint8)
    label_map[12:52, 6:28] = label_map[12:52, 36:58] = Label.LUNG
    label_map[20:30, 10:20] = Label.GROUND_GLASS
    label_map[30:40, 40:50] = Label.CONSOLIDATION
    return label_map


def grey(label_map: np.ndarray) -> np.ndarray:
    """Its picture: a bright body, dark lungs, lesions between."""
    return np.choose(label_map, [200, 100, 150, 30])


def save(path: Path, array: np.ndarray) -> None:
    """A single-channel 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


def write_shared_data(root: Path, volumes: tuple[tuple[str, str, str], ...] = VOLUMES) -> Path:
    """A fitted and a held-out patient of each data set."""
    label_map, rows = chest(), []
    for volume, patient, split in volumes:
        save(root / "covid-ct-seg" / volume / "ct" / "000.png", grey(label_map))
        save(root / "covid-ct-seg" / volume / "infection" / "000.png", 255 * np.isin(label_map, (1, 2)))
        save(root / "covid-ct-seg" / volume / "lung" / "000.png", 255 * (label_map > 0))
        rows.append({"volume": volume, "patient": patient, "split": split, "slice": 0})
    _table(root / "covid-ct-seg" / "slices.csv", rows)
    for number in MEDSEG_SLICES:
        write_medseg_slice(root, number, np.where(label_map == Label.LUNG, 0, label_map))
    _table(
        root / "medseg" / "slices.csv",
        [{"slice": number, "official_split": "official-train", "split": "train"} for number in MEDSEG_SLICES],
    )
    return root


def write_medseg_slice(root: Path, number: int, mask: np.ndarray) -> None:
    """One picture of medseg and its mask, whatever that holds."""
    save(root / "medseg" / "image" / f"{number:03d}.png", grey(chest()))
    save(root / "medseg" / "mask" / f"{number:03d}.png", mask)


def _table(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

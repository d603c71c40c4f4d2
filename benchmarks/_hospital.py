"""A hospital's studies with human masks that the loop never sees: patients, truth for a reader, scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.formats import slice_table
from chestct.formats.folders import natural_key
from chestct.formats.images import read_mask_picture, read_picture
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.study import Study
from lungloop.importing import import_studies
from training.evaluate.metrics import Counts

LabelMap = npt.NDArray[np.uint8]
_COLUMNS = frozenset({"volume", "patient", "slice"})


@dataclass(frozen=True)
class Volume:
    """One CT volume in the layout of COVID-19-CT-Seg; masks are read only by `lesion` and `lung`."""

    folder: Path
    patient: str
    slice_names: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    def study(self) -> Study:
        """The pictures alone, as a hospital has them."""
        return Study(
            name=self.name,
            patient=self.patient,
            slices=tuple(read_picture(self.folder / "ct" / name) for name in self.slice_names),
            intensity=Intensity.PICTURE,
            source=self.folder / "ct",
            slice_names=self.slice_names,
        )

    def lesion(self, index: int) -> npt.NDArray[np.bool_]:
        """(H, W), the human mask of one slice."""
        return read_mask_picture(self.folder / "infection" / self.slice_names[index])

    def lung(self, index: int) -> npt.NDArray[np.bool_]:
        """(H, W), lesions included."""
        return read_mask_picture(self.folder / "lung" / self.slice_names[index])


def volumes_of(data: Path) -> list[Volume]:
    """Every volume of a folder, by its `slices.csv`."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in slice_table.rows(data, _COLUMNS):
        rows.setdefault(row["volume"], []).append(row)
    return [
        Volume(
            data / name,
            rows[name][0]["patient"],
            tuple(f"{number:03d}.png" for number in sorted(int(row["slice"]) for row in rows[name])),
        )
        for name in sorted(rows, key=natural_key)
    ]


def bring_in(catalog: Catalog, volumes: Iterable[Volume]) -> None:
    """The pictures into a catalog, without any mask."""
    report = import_studies(catalog, (volume.study() for volume in volumes), "images")
    if report.failed:
        raise RuntimeError("; ".join(failure.reason for failure in report.failed))


class HumanMasks:
    """The reader's knowledge: a lesion's extent is the human mask's, its kind what the pre-label says.

    The masks tell no kinds, so a pixel is of the kind that is shown there, else ground-glass.
    """

    def __init__(self, volumes: Sequence[Volume]) -> None:
        self._by_name = {volume.name: volume for volume in volumes}

    def of_slice(self, slice_record: SliceRecord, shown: LabelMap) -> LabelMap | None:
        """See `lungloop.demo.truth.Truth`."""
        volume = self._by_name.get(slice_record.study_name)
        if volume is None:
            return None
        kinds = np.where(np.isin(shown, LESIONS), shown, np.uint8(Label.GROUND_GLASS))
        return np.where(volume.lesion(slice_record.index), kinds, np.uint8(0))


@dataclass(frozen=True)
class Score:
    """Pixels of some slices, pooled.

    Args:
        lesion: predicted against the human mask.
        lung_pixels: of the human lung masks.
        lung: whole lung, predicted against human; nothing where lungs are not predicted.
    """

    slices: int = 0
    lesion: Counts = field(default_factory=Counts)
    lung_pixels: int = 0
    lung: Counts = field(default_factory=Counts)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.slices + other.slices,
            self.lesion + other.lesion,
            self.lung_pixels + other.lung_pixels,
            self.lung + other.lung,
        )

    def as_dict(self) -> dict[str, Any]:
        """Dice in [0, 1], involvement in percent of the human lung masks; None where there is nothing."""
        predicted, true = (
            100.0 * pixels / self.lung_pixels if self.lung_pixels else None
            for pixels in (self.lesion.true_positive + self.lesion.false_positive, self.lesion.true_pixels)
        )
        return {
            "slices": self.slices,
            "lesion_dice": self.lesion.dice(),
            "involvement_percent": predicted,
            "involvement_true_percent": true,
            "involvement_error_points": (
                None if predicted is None or true is None else abs(predicted - true)
            ),
            "lung_dice": self.lung.dice(),
        }


def score_slice(volume: Volume, index: int, label_map: LabelMap) -> Score:
    """One slice against its human masks."""
    lung = volume.lung(index)
    return Score(
        1,
        _counts(np.isin(label_map, LESIONS), volume.lesion(index)),
        int(lung.sum()),
        _counts(label_map != Label.BACKGROUND, lung) if (label_map == Label.LUNG).any() else Counts(),
    )


def label_maps_of(weights: Path, version: str, volume: Volume) -> list[LabelMap]:
    """What a version finds in a whole volume, as `lungloop segment` and pre-annotation do."""
    study = volume.study()
    segmenter = UNetSegmenter.load(weights, version)
    predictions = segmenter.segment_study(
        study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm
    )
    return [prediction.label_map for prediction in predictions]


def score_version(weights: Path, version: str, volumes: Sequence[Volume]) -> dict[str, Score]:
    """Patient -> score of what a version finds in whole volumes."""
    scores: dict[str, Score] = {}
    for volume in volumes:
        for index, label_map in enumerate(label_maps_of(weights, version, volume)):
            score = score_slice(volume, index, label_map)
            scores[volume.patient] = scores.get(volume.patient, Score()) + score
    return scores


def _counts(predicted: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Counts:
    return Counts(
        int((predicted & true).sum()), int((predicted & ~true).sum()), int((~predicted & true).sum())
    )

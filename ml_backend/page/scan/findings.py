"""What was found in a study: shares by slice, side and finding, and the grade."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label
from chestct.prediction import SlicePrediction
from chestct.severity.grading import severity_of_predictions
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.involvement import Involvement
from chestct.severity.lungs import Side
from ml_backend.page.scan.kept_study import Findings, StudyFacts

# Only tells lungs apart by their distance: a chest CT shows about this much from side to side.
_PICTURE_WIDTH_MM = 350.0
_GROUPS: Mapping[str, tuple[Label, ...]] = {
    "ground_glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "both": LESIONS,
}
_SIDES: Mapping[str, tuple[Side, ...]] = {"right": (Side.RIGHT,), "left": (Side.LEFT,), "whole": tuple(Side)}


def findings_of(
    facts: StudyFacts,
    predictions: Sequence[SlicePrediction],
    model_version: str,
    calibration: InvolvementCalibration | None = None,
) -> Findings:
    """The findings of a study whose slices are all predicted.

    A grade is given to a study with a place in a patient, never to a slice or to loose pictures.

    Args:
        predictions: of each slice, in order.
        model_version: whose they are.
        calibration: of the grade's interval; None where that version has none.
    """
    geometry = facts.geometry
    severity = None
    if geometry is None:
        counts = np.concatenate([_counts(one.label_map[None]) for one in predictions])
    else:
        label_maps = np.stack([one.label_map for one in predictions])
        counts = Involvement.of(label_maps, geometry.spacing_mm, np.ones(len(label_maps))).counts
        severity = severity_of_predictions(
            predictions, geometry, facts.intensity, calibration=calibration, model_version=model_version
        ).as_dict()
    return Findings(
        model_version=model_version,
        slices=tuple(_shares(one[None]) for one in counts),
        study=_shares(counts),
        lesion_pixels=tuple(int(one) for one in counts[:, :, list(LESIONS)].sum(axis=(1, 2))),
        severity=severity,
        doubt_sizes=tuple(
            None
            if one.uncertainty is None
            else (int(one.uncertainty.shape[0]), int(one.uncertainty.shape[1]))
            for one in predictions
        ),
    )


def _counts(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(1, 3, 4) counts by side and label of a slice (1, H, W) that knows no millimetres."""
    pixel_mm = _PICTURE_WIDTH_MM / label_map.shape[2]
    return Involvement.of(label_map, (1.0, pixel_mm, pixel_mm), np.ones(1)).counts


def _shares(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Percent of each lung that each group takes, by side; None for a side without lung."""
    shown = Involvement(counts, np.ones(len(counts)))

    def percents(sides: tuple[Side, ...]) -> dict[str, float] | None:
        lung = shown.voxels(sides)
        if not lung:
            return None
        return {name: round(100 * shown.voxels(sides, group) / lung, 2) for name, group in _GROUPS.items()}

    return {name: percents(sides) for name, sides in _SIDES.items()}

"""What was found in a study: shares by slice, side and finding, and the grade."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.labels import LESIONS, Label
from chestct.prediction import SlicePrediction
from chestct.severity.grading import severity_of_predictions
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.involvement import Involvement, spacing_of
from chestct.severity.lungs import Side
from ml_backend.page.scan.kept_study import Findings, StudyFacts

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
    """The findings of a study whose slices are all predicted, in order.

    A grade is given to a study with a place in a patient, never to a slice or to loose pictures.
    """
    geometry, severity = facts.geometry, None
    if geometry is None:
        counts = np.concatenate([_counts(each.label_map[None], None) for each in predictions])
    else:
        counts = _counts(np.stack([each.label_map for each in predictions]), geometry)
        severity = severity_of_predictions(
            predictions, geometry, facts.intensity, calibration=calibration, model_version=model_version
        )
    return Findings(
        model_version=model_version,
        slices=tuple(_shares(of_slice[None]) for of_slice in counts),
        study=_shares(counts),
        lesion_pixels=tuple(map(int, counts[:, :, list(LESIONS)].sum(axis=(1, 2)))),
        severity=None if severity is None else severity.as_dict(),
        doubt_sizes=tuple(_size(each.uncertainty) for each in predictions),
        cautions=() if severity is None else severity.cautions,
    )


def _counts(label_maps: npt.NDArray[np.uint8], geometry: Geometry | None) -> npt.NDArray[np.int64]:
    """(S, 3, 4) counts by slice, side and label."""
    return Involvement.of(label_maps, spacing_of(label_maps.shape, geometry), np.ones(len(label_maps))).counts


def _size(uncertainty: npt.NDArray[np.uint8] | None) -> tuple[int, int] | None:
    return None if uncertainty is None else (int(uncertainty.shape[0]), int(uncertainty.shape[1]))


def _shares(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Percent of each lung that each group takes, by side; None for a side without lung."""
    involvement = Involvement(counts, np.ones(len(counts)))
    shares: dict[str, Any] = dict.fromkeys(_SIDES)
    for name, sides in _SIDES.items():
        if lung := involvement.voxels(sides):
            voxels = {key: involvement.voxels(sides, group) for key, group in _GROUPS.items()}
            shares[name] = {key: round(100 * count / lung, 2) for key, count in voxels.items()}
    return shares

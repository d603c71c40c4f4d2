"""What a reader must know before believing a severity, in sentences."""

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.severity.involvement import Involvement
from chestct.severity.lungs import Side
from chestct.severity.rule import SeverityRule

# Our choice: diagnostic chest CT is read at 5 mm and thinner; below ten slices a lung is a few discs.
_SPARSE_ABOVE_MM, _FEW_SLICES = 5.0, 10
# A slice at the end of the stack with more of the lung than this share of the fullest slice is no end.
_CUT_OFF_SHARE = 0.10


def warnings_of(
    found: Involvement,
    geometry: Geometry | None,
    intensity: Intensity,
    rule: SeverityRule,
    apart_mm: float,
    uneven: bool,
) -> tuple[str, ...]:
    """Everything about a study that makes its severity less sure, a sentence each.

    Args:
        found: counts of the study.
        geometry: None for pictures.
        intensity: what the study's numbers mean.
        rule: which share makes a lung a small one.
        apart_mm: mean distance between slices.
        uneven: whether the slices are unevenly apart.
    """
    said = []
    lung = found.counts[:, 1:].sum(axis=(1, 2))
    if not lung.any():
        said.append("no lung: there is no share of it and no grade")
    if len(lung) == 1:
        said.append("one slice: a grade belongs to a whole study")
    elif geometry is None:
        said.append("pictures without geometry: no volumes, and no grade")
    elif len(lung) < _FEW_SLICES:
        said.append(f"{len(lung)} slices only: shares and volumes are rough")
    if intensity is Intensity.PICTURE:
        said.append("8-bit pictures of an unknown window: density is not known, so the masks are less sure")
    if lung.any():
        said += _small_lungs(found, rule)
    if geometry is not None and len(lung) > 1:
        said += _cut_off(lung, geometry)
        if uneven:
            said.append(f"slices are unevenly apart, {apart_mm:.1f} mm in the mean")
        if apart_mm > _SPARSE_ABOVE_MM:
            said.append(f"slices are {apart_mm:.1f} mm apart: small lesions between them are missed")
    return tuple(said)


def _small_lungs(found: Involvement, rule: SeverityRule) -> list[str]:
    said = []
    for side in Side:
        share = found.share(side)
        if share == 0.0:
            said.append(f"no {side.name.lower()} lung")
        elif share < rule.smallest_lung_share:
            said.append(
                f"the {side.name.lower()} lung is small ({100 * share:.0f} % of both): it does not decide"
            )
    return said


def _cut_off(lung: npt.NDArray[np.int64], geometry: Geometry) -> list[str]:
    ends = (
        {"top": lung[0], "bottom": lung[-1]} if geometry.head_first else {"top": lung[-1], "bottom": lung[0]}
    )
    return [
        f"the lung is cut off at the {end} of the stack"
        for end, pixels in ends.items()
        if pixels > _CUT_OFF_SHARE * lung.max()
    ]

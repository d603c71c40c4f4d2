"""What a reader must know before believing a severity: values, and the sentences that say them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.severity.involvement import Involvement
from chestct.severity.lungs import Side
from chestct.severity.rule import SeverityRule
from chestct.wording import Message, read_texts, worded

TEXTS = read_texts(Path(__file__).with_name("cautions.toml"))
# Our choice: diagnostic chest CT is read at 5 mm and thinner; below ten slices a lung is a few discs.
_SPARSE_ABOVE_MM, _FEW_SLICES = 5.0, 10
# A slice at the end of the stack with more of the lung than this share of the fullest slice is no end.
_CUT_OFF_SHARE = 0.10


class CautionKind(StrEnum):
    """Everything that makes a severity less sure."""

    NO_LUNG = auto()
    ONE_SLICE = auto()
    NO_GEOMETRY = auto()
    FEW_SLICES = auto()
    UNKNOWN_WINDOW = auto()
    NO_RIGHT_LUNG = auto()
    NO_LEFT_LUNG = auto()
    SMALL_RIGHT_LUNG = auto()
    SMALL_LEFT_LUNG = auto()
    CUT_OFF_AT_TOP = auto()
    CUT_OFF_AT_BOTTOM = auto()
    UNEVEN_SLICES = auto()
    SPARSE_SLICES = auto()
    NOT_CALIBRATED = auto()
    NO_UNCERTAINTY = auto()
    SEVERAL_GRADES = auto()


@dataclass(frozen=True)
class Caution(Message):
    """One of them, with its numbers for the blanks of its sentence."""

    kind: CautionKind


def sentence(caution: Caution, language: str = "en") -> str:
    """A caution in one clause: English for scripts and the terminal, either language for pages."""
    return worded(caution, TEXTS, language)


def cautions_of(
    involvement: Involvement,
    geometry: Geometry | None,
    intensity: Intensity,
    rule: SeverityRule,
    apart_mm: float,
    uneven: bool,
) -> Iterator[Caution]:
    """What makes the severity of a study less sure.

    Args:
        geometry: None for pictures.
        rule: which share makes a lung a small one.
        apart_mm: mean distance between slices.
        uneven: whether the slices are unevenly apart.
    """
    lung = involvement.counts[:, 1:].sum(axis=(1, 2))
    if not lung.any():
        yield Caution(CautionKind.NO_LUNG)
    if len(lung) == 1:
        yield Caution(CautionKind.ONE_SLICE)
    elif geometry is None:
        yield Caution(CautionKind.NO_GEOMETRY)
    elif len(lung) < _FEW_SLICES:
        yield Caution(CautionKind.FEW_SLICES, {"slices": len(lung)})
    if intensity is Intensity.PICTURE:
        yield Caution(CautionKind.UNKNOWN_WINDOW)
    if lung.any():
        yield from _small_lungs(involvement, rule)
    if geometry is not None and len(lung) > 1:
        yield from _cut_off(lung, geometry)
        if uneven:
            yield Caution(CautionKind.UNEVEN_SLICES, {"apart_mm": apart_mm})
        if apart_mm > _SPARSE_ABOVE_MM:
            yield Caution(CautionKind.SPARSE_SLICES, {"apart_mm": apart_mm})


def _small_lungs(involvement: Involvement, rule: SeverityRule) -> Iterator[Caution]:
    for side in Side:
        share = involvement.share(side)
        if share == 0.0:
            yield Caution(CautionKind[f"NO_{side.name}_LUNG"])
        elif share < rule.smallest_lung_share:
            yield Caution(CautionKind[f"SMALL_{side.name}_LUNG"], {"percent": 100 * share})


def _cut_off(lung: npt.NDArray[np.int64], geometry: Geometry) -> Iterator[Caution]:
    top, bottom = (lung[0], lung[-1]) if geometry.head_first else (lung[-1], lung[0])
    if top > _CUT_OFF_SHARE * lung.max():
        yield Caution(CautionKind.CUT_OFF_AT_TOP)
    if bottom > _CUT_OFF_SHARE * lung.max():
        yield Caution(CautionKind.CUT_OFF_AT_BOTTOM)

"""How much of each lung is diseased: voxels counted once, every share and volume from the counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.labels import LESIONS, Label
from chestct.severity.lungs import Side, sides_of

# Rows and columns of the table of counts.
_SIDES, _LABELS = len(Side) + 1, len(Label)
# Pictures carry no millimetres; a chest CT shows about this much from side to side.
_PICTURE_WIDTH_MM = 350.0
_SLICES_APART_IN_NO_STACK_MM = 8.0


@dataclass(frozen=True, eq=False)
class Involvement:
    """Voxels of each slice by side and label, and what a voxel of each slice stands for.

    Args:
        counts: (S, 3, 4) int64: slices, outside/right/left, values of Label.
        weights: (S,) float64: thickness of each slice in units of the others'; all 1 where even.
    """

    counts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        label_maps: npt.NDArray[np.uint8],
        spacing_mm: tuple[float, float, float],
        weights: npt.NDArray[np.float64],
    ) -> "Involvement":
        """Counts of a label map whose lungs are told apart first.

        Args:
            label_maps: (S, H, W) uint8, values of Label, radiological view.
            spacing_mm: along (S, H, W).
            weights: (S,), see above.
        """
        lung = label_maps != Label.BACKGROUND
        sides = sides_of(lung, spacing_mm)
        counts = []
        for side, labels, inside in zip(sides, label_maps, lung, strict=True):
            # Four pixels of five are background, which is outside of both lungs: not worth a look each.
            codes = side[inside] * np.uint8(_LABELS) + labels[inside]
            of_slice = np.bincount(codes, minlength=_SIDES * _LABELS)
            of_slice[Label.BACKGROUND] = labels.size - codes.size
            counts.append(of_slice)
        return cls(np.stack(counts).reshape(-1, _SIDES, _LABELS), weights)

    def voxels(self, sides: Sequence[Side] = tuple(Side), labels: Sequence[Label] = tuple(Label)) -> float:
        """Voxels of those sides and labels, each counted by its slice's thickness."""
        per_slice = self.counts[:, list(sides)][:, :, list(labels)].sum(axis=(1, 2))
        return float(per_slice @ self.weights)

    def percent(self, *sides: Side) -> float | None:
        """Diseased percent of those lungs together, in [0, 100]; None where they have no voxel."""
        lung = self.voxels(sides)
        return 100.0 * self.voxels(sides, LESIONS) / lung if lung else None

    def share(self, side: Side) -> float:
        """A lung's part of both, in [0, 1]; 0 where there is no lung."""
        both = self.voxels()
        return self.voxels((side,)) / both if both else 0.0


def spacing_of(shape: tuple[int, ...], geometry: Geometry | None) -> tuple[float, float, float]:
    """Millimetres along (S, H, W); of pictures usual ones, good enough to tell the lungs apart."""
    if geometry is not None:
        return geometry.spacing_mm
    pixel_mm = _PICTURE_WIDTH_MM / shape[2]
    return _SLICES_APART_IN_NO_STACK_MM, pixel_mm, pixel_mm

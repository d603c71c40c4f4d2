"""What strategies are told of the pool: numbers of the round's model alone; and the mask as the reader."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.acquisition.fingerprint import fingerprint
from chestct.acquisition.pool import Pool
from chestct.inference.uncertainty import (
    ensemble_disagreement,
    normalised_entropy,
    zone_disagreement,
    zone_figures,
)
from chestct.labels import LESIONS
from chestct.partial_labels import NOT_LESION, UNKNOWN, bits
from training.simulate.slices import PoolSlice

# Columns of Pool that a model gives; the others are facts of the slices.
MODEL_COLUMNS = (
    "zone_entropy",
    "ground_glass_entropy",
    "consolidation_entropy",
    "disagreement",
    "lesion_zone",
)
_LESION_BITS = bits(*LESIONS)

Uncertainty = dict[str, float | None]


class PoolFacts:
    """What is known of the pool's slices before any model: whose they are, where, and their fingerprints.

    A slice's id is its index in the whole pool.
    """

    def __init__(self, slices: Sequence[PoolSlice]) -> None:
        pictures = (np.rint(row.sample.image * 255.0).astype(np.uint8) for row in slices)
        self._columns: dict[str, npt.NDArray[Any]] = {
            "study_ids": _codes(row.study for row in slices),
            "patients": _codes(row.sample.patient for row in slices),
            "positions": np.array([row.position for row in slices], dtype=np.int64),
            "fingerprints": np.array([fingerprint(picture) for picture in pictures], dtype=np.uint64),
        }

    def pool(self, open_ids: Sequence[int], uncertainties: Mapping[str, Sequence[float | None]]) -> Pool:
        """The table that a strategy orders.

        Args:
            open_ids: N slices that are not labelled yet.
            uncertainties: column of MODEL_COLUMNS -> N values, None where the model cannot say.
        """
        rows = np.asarray(open_ids, dtype=np.intp)
        return Pool.of(
            slice_ids=rows,
            **{name: values[rows] for name, values in self._columns.items()},
            **{name: np.array(uncertainties[name], dtype=np.float64) for name in MODEL_COLUMNS},
        )


def uncertainty_of(
    probabilities: npt.NDArray[np.float32], mirrored: npt.NDArray[np.float32] | None
) -> Uncertainty:
    """One slice's values of MODEL_COLUMNS.

    Args:
        probabilities: (4, H, W) float32.
        mirrored: the same from the mirrored picture, the second opinion for `disagreement`; None leaves
            that unknown.
    """
    disagreement = None
    if mirrored is not None:
        together = ((probabilities + mirrored) / 2).astype(np.float32)
        disagreement = zone_disagreement(together, ensemble_disagreement((probabilities, mirrored)))
    figures = asdict(zone_figures(probabilities, normalised_entropy(probabilities)))
    return {name: (figures | {"disagreement": disagreement})[name] for name in MODEL_COLUMNS}


def corrected_pixels(label_map: npt.NDArray[np.uint8], partial_labels: npt.NDArray[np.uint8]) -> int:
    """Pixels that a reader would change before submitting: lesion drawn, wiped out, or of another kind.

    Lung is not what readers draw, so a pixel that is taken for background and is lung costs nothing; nor
    does a kind that the mask does not tell.

    Args:
        label_map: (H, W) uint8, the pre-label; all background where there was none.
        partial_labels: (H, W) uint8, what the mask says, see `chestct.partial_labels`.
    """
    prelabel = np.left_shift(np.uint8(1), label_map).astype(np.uint8)
    prelabel[(prelabel & _LESION_BITS) == 0] = NOT_LESION
    return int((((prelabel & partial_labels) == 0) & (partial_labels != UNKNOWN)).sum())


def _codes(names: Iterable[str]) -> npt.NDArray[np.int64]:
    return np.unique(np.array(list(names)), return_inverse=True)[1].astype(np.int64)

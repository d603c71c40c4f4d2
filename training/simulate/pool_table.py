"""What the strategies are told of the pool: numbers of the round's model, never of the masks."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

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
from training.simulate.slices import PoolSlice

# Columns of Pool that a model gives; the others are facts of the slices.
MODEL_COLUMNS = (
    "zone_entropy",
    "ground_glass_entropy",
    "consolidation_entropy",
    "disagreement",
    "lesion_zone",
)

Doubt = dict[str, float | None]


class PoolFacts:
    """What is known of the pool's slices before any model: whose they are, where, and their fingerprints.

    Args:
        slices: the whole pool; a slice's id is its index.
    """

    def __init__(self, slices: Sequence[PoolSlice]) -> None:
        self._slices = slices

    def pool(self, open_ids: Sequence[int], uncertainties: Mapping[str, Sequence[float | None]]) -> Pool:
        """The table that a strategy orders.

        Args:
            open_ids: N slices that are not labelled yet.
            doubts: column of MODEL_COLUMNS -> N values, None where the model cannot say.
        """
        rows = np.asarray(open_ids, dtype=np.intp)
        return Pool.of(
            slice_ids=rows,
            study_ids=self._studies[rows],
            patients=self._patients[rows],
            positions=self._positions[rows],
            fingerprints=self._fingerprints[rows],
            **{name: np.array(uncertainties[name], dtype=np.float64) for name in MODEL_COLUMNS},
        )

    @cached_property
    def _studies(self) -> npt.NDArray[np.int64]:
        return _codes(one.study for one in self._slices)

    @cached_property
    def _patients(self) -> npt.NDArray[np.int64]:
        return _codes(one.sample.patient for one in self._slices)

    @cached_property
    def _positions(self) -> npt.NDArray[np.int64]:
        return np.array([one.position for one in self._slices], dtype=np.int64)

    @cached_property
    def _fingerprints(self) -> npt.NDArray[np.uint64]:
        pictures = (np.rint(one.sample.image * 255.0).astype(np.uint8) for one in self._slices)
        return np.array([fingerprint(picture) for picture in pictures], dtype=np.uint64)


def uncertainty_of(probabilities: npt.NDArray[np.float32], mirrored: npt.NDArray[np.float32] | None) -> Doubt:
    """One slice's values of MODEL_COLUMNS.

    Args:
        probabilities: (4, H, W) float32.
        mirrored: the same from the mirrored picture, the second opinion for `disagreement`; None leaves
            that unknown.
    """
    figures = zone_figures(probabilities, normalised_entropy(probabilities))
    apart = None
    if mirrored is not None:
        together = ((probabilities + mirrored) / 2).astype(np.float32)
        apart = zone_disagreement(together, ensemble_disagreement((probabilities, mirrored)))
    return {
        "zone_entropy": figures.zone_entropy,
        "ground_glass_entropy": figures.ground_glass_entropy,
        "consolidation_entropy": figures.consolidation_entropy,
        "disagreement": apart,
        "lesion_zone": figures.lesion_zone,
    }


def _codes(names: Iterable[str]) -> npt.NDArray[np.int64]:
    return np.unique(np.array(list(names)), return_inverse=True)[1].astype(np.int64)

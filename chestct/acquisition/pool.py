"""The open slices that a model version has predicted, one row each: all that an order is made from."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# A slice may hold lesion from this share of its picture on: a spot 6 mm wide in a picture 350 mm wide,
# below which nodules are not followed up either (our choice; single stray pixels are no lesion).
MAY_HOLD_LESION = 0.0002

_FACTS: dict[str, type[np.generic]] = {
    **dict.fromkeys(("slice_ids", "study_ids", "patients", "positions"), np.int64),
    "fingerprints": np.uint64,
    "held_back": np.bool_,
}


@dataclass(frozen=True, eq=False)
class Pool:
    """N open slices as columns of length N.

    NaN in a column of uncertainty means "not known" (a model without probabilities, a version from before
    the column existed): each strategy puts such rows behind those it knows, never in between.

    Args:
        slice_ids: int64, no id twice.
        study_ids: int64.
        patients: int64 codes; equal codes, same patient.
        positions: int64, index along the study.
        zone_entropy: float64 in [0, 1], normalised calibrated entropy summed over the zone a reader looks at
            / pixels of the picture.
        ground_glass_entropy, consolidation_entropy: float64 in [0, 1], sum of p_c * entropy / pixels of the
            picture: ClaSP-PE's U_c.
        disagreement: float64, mutual information between views, summed over the zone / pixels.
        lesion_zone: float64 in [0, 1], share of the picture that may be lesion (p >= 0.1).
        grade_chance: float64 in [0, 1], chance that correcting the slice changes its study's CT grade.
        fingerprints: uint64 of `chestct.acquisition.fingerprint`; 0 where unknown.
        held_back: bool, of a test patient: no model learns from it.
    Raises:
        InputError: a column of another length or type, or an id that comes twice.
    """

    slice_ids: Integers
    study_ids: Integers
    patients: Integers
    positions: Integers
    zone_entropy: Floats
    ground_glass_entropy: Floats
    consolidation_entropy: Floats
    disagreement: Floats
    lesion_zone: Floats
    grade_chance: Floats
    fingerprints: npt.NDArray[np.uint64]
    held_back: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, column in self._columns().items():
            dtype = _dtype_of(name)
            if column.shape != (len(self.slice_ids),) or column.dtype != dtype:
                raise InputError(
                    f"pool column {name}",
                    f"is {column.dtype} of shape {column.shape}; expected {dtype} of shape "
                    f"({len(self.slice_ids)},); Pool.of converts",
                )
        if len(np.unique(self.slice_ids)) != len(self.slice_ids):
            raise InputError("pool column slice_ids", "holds an id twice; expected every open slice once")

    @classmethod
    def of(cls, **columns: npt.ArrayLike | None) -> "Pool":
        """A pool from columns of any fitting type; a column of uncertainty left out (or None) is not known.

        Left out as well may be `study_ids` and `patients` (every slice its own), `positions` (0),
        `fingerprints` (unknown) and `held_back` (none is). None inside a column of uncertainty becomes NaN.

        Raises:
            InputError: as Pool, or a column that does not exist.
        """
        unknown = set(columns) - {field.name for field in fields(cls)}
        if unknown or columns.get("slice_ids") is None:
            raise InputError("pool columns", f"are {sorted(columns)}; expected slice_ids and columns of Pool")
        slice_ids = np.asarray(columns["slice_ids"], np.int64)
        unknown_facts = dict.fromkeys(_FACTS, np.zeros(len(slice_ids)))
        filled = unknown_facts | {"study_ids": slice_ids, "patients": slice_ids}
        filled |= {name: column for name, column in columns.items() if column is not None}
        unknown_figure = np.full(len(slice_ids), np.nan)
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.array(filled.get(name, unknown_figure), _dtype_of(name)) for name in names})

    def __len__(self) -> int:
        return len(self.slice_ids)

    def subset(self, indices: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Pool":
        """The rows at `indices` (integers or a mask of length N), in that order."""
        return Pool(**{name: column[indices] for name, column in self._columns().items()})

    @property
    def may_hold_lesion(self) -> npt.NDArray[np.bool_]:
        """(N,) rows whose lesion zone is more than stray pixels; False where the zone is not known."""
        return self.lesion_zone >= MAY_HOLD_LESION

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _dtype_of(column: str) -> np.dtype[Any]:
    return np.dtype(_FACTS.get(column, np.float64))

"""Why a reader should look at a slice, in one sentence that is true of the slice itself.

A reason comes from the model's figures of the slice alone, never from the strategy, the place or the arm: it
cannot tell a reader what was drawn for the slice.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from chestct.acquisition.pool import Pool

# The chance of another grade that is worth saying: one in ten.
_GRADE_CHANCE = 0.1
# Ground-glass is so much more frequent that uncertainty of consolidation is worth naming from a third on.
_CONSOLIDATION_PART = 1 / 3
# "Unsure" is said of the fifth of the pool of which it is truest.
_UPPER_PART = 0.8


class Reason(StrEnum):
    """What `reasons` can say; the first that holds is said."""

    GRADE = "correcting it may change the study's CT grade"
    CONSOLIDATION = "may hold consolidation nobody has checked"
    GROUND_GLASS = "may hold ground-glass nobody has checked"
    CONTRADICTION = "the model contradicts itself here from view to view"
    UNSURE = "the model is unsure here"
    NOTHING_EXPECTED = "no lesion expected: a look that nothing was missed"
    UNCHECKED = "nobody has checked it yet"


def reasons(pool: Pool) -> list[Reason]:
    """One reason for each row of the pool, in its order; what is not known gives none."""
    consolidation, ground_glass = pool.consolidation_entropy, pool.ground_glass_entropy
    lesion = pool.may_hold_lesion
    holds = {
        Reason.GRADE: pool.grade_chance >= _GRADE_CHANCE,
        Reason.CONSOLIDATION: lesion
        & (consolidation > 0)
        & (consolidation >= _CONSOLIDATION_PART * (consolidation + ground_glass)),
        Reason.GROUND_GLASS: lesion & (ground_glass > 0),
        Reason.CONTRADICTION: _in_upper_part(pool.disagreement),
        Reason.UNSURE: _in_upper_part(pool.zone_entropy),
        Reason.NOTHING_EXPECTED: ~np.isnan(pool.lesion_zone) & ~lesion,
        Reason.UNCHECKED: np.ones(len(pool), np.bool_),
    }
    first = np.argmax(np.stack(list(holds.values())), axis=0)
    return [list(holds)[which] for which in first.tolist()]


def _in_upper_part(uncertainty: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    numbers = uncertainty[~np.isnan(uncertainty)]
    if not len(numbers):
        return np.zeros(len(uncertainty), np.bool_)
    return (uncertainty > 0) & (uncertainty >= np.quantile(numbers, _UPPER_PART))

"""What active learning gained over an honest baseline, from the control arm.

A tenth of the served slices is drawn at random among those that may hold a lesion; readers cannot tell
which. What they correct there is what work without active learning would have found.

What this shows: whether the order in which slices are served brings readers to more of the model's
errors, for each slice and for each minute. What it does not show: that the model retrained on these
corrections is a better one (both arms train it; `lungloop simulate` asks that), or that the errors found
matter to a patient. Slices with large lesions have more pixels to correct and take longer, which is why
the figure by the minute stands beside the one by the slice. And once nearly every slice is read, both
arms have been read whole and the difference goes to 0: an order only matters while there is a choice.
"""

from collections.abc import Sequence

import numpy as np

from chestct.acquisition.allocation import Arm
from chestct.reader_study.comparison import compared, difference, too_few
from chestct.reader_study.estimates import Estimate, nothing
from chestct.reader_study.pace import capped_seconds
from chestct.reader_study.reading import Reading
from chestct.reader_study.resampling import Draws
from chestct.wording import Message

_ARMS = (Arm.ACTIVE.value, Arm.CONTROL.value)
PER_SLICE, PER_MINUTE = "corrected pixels a slice", "corrected pixels a minute"


def gain_per_slice(readings: Sequence[Reading], *, seed: int = 0) -> Estimate:
    """Pixels corrected on a slice of the active arm minus those of the control arm, within each reader.

    Args:
        readings: all; only slices drawn to be pre-labelled count, with a prediction to compare with.
    """
    sides = [
        (reading, float(reading.changes.changed), reading.arm is Arm.ACTIVE)
        for reading in readings
        if _counts(reading) and reading.changes is not None
    ]
    return difference(sides, _ARMS, unit=PER_SLICE, trim=0.0, seed=seed)


def gain_per_minute(readings: Sequence[Reading], *, seed: int = 0) -> Estimate:
    """Corrected pixels of all slices of an arm / minutes of all of them, active minus control.

    A ratio of sums: what an hour brings. Times beyond a reader's usual count as the longest usual one
    (`pace.capped_seconds`), since one lunch break would undo a day of work.

    Args:
        readings: as for `gain_per_slice`; those without a time do not count.
    """
    capped = capped_seconds(readings)
    timed = [
        (reading, reading.changes.changed, capped[reading.correction_id])
        for reading in readings
        if _counts(reading) and reading.changes is not None and reading.correction_id in capped
    ]
    counted = [reading for reading, *_ in timed]
    active = np.asarray([reading.arm is Arm.ACTIVE for reading in counted], dtype=bool)
    if (reason := too_few("too_few_timed", _ARMS, active)) is not None:
        return nothing(PER_MINUTE, reason, len(timed))
    pixels = np.asarray([changed for _, changed, _ in timed], dtype=np.float64)
    minutes = np.asarray([seconds / 60 for *_, seconds in timed])
    draws = Draws.of(
        [reading.patient for reading in counted], [reading.slice_id for reading in counted], seed
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [
            draws.totals(np.where(side, pixels, 0.0)) / draws.totals(np.where(side, minutes, 0.0))
            for side in (active, ~active)
        ]
    own = [float(pixels[side].sum() / minutes[side].sum()) for side in (active, ~active)]
    one_arm = Message("one_arm", {"unit": draws.by})
    return compared(counted, active, own, rates, draws, _ARMS, unit=PER_MINUTE, no_interval=one_arm)


def _counts(reading: Reading) -> bool:
    return reading.is_drawn and bool(reading.prelabelled) and reading.arm is not None

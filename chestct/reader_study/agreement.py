"""How far two readers agree on slices that were drawn to be read twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chestct.reader_study.estimates import Estimate, nothing
from chestct.reader_study.resampling import Draws, percentile_interval
from chestct.wording import Message

UNIT = "Dice"
# What is scored; as in `training.evaluate.metrics.GROUPS`.
CLASSES = ("lesion", "ground_glass", "consolidation")
FEWEST_PAIRS = 5


@dataclass(frozen=True)
class ReadingPair:
    """The masks of two readers of one slice.

    Args:
        was_drawn: chance chose the slice to be read twice. Others were read twice for a reason (uncertainty,
            a second look), so they agree less than readers usually do, and do not count.
        dice: of each of CLASSES, in [0, 1]; None where neither reader marks the class.
    """

    slice_id: int
    patient: str
    readers: tuple[str, str]
    was_drawn: bool
    dice: Mapping[str, float | None]


def agreement(pairs: Sequence[ReadingPair], class_name: str, *, seed: int = 0) -> Estimate:
    """Mean Dice of a class between two readers, patients resampled.

    A slice on which neither reader marks the class says nothing of how they draw it and does not count:
    with it, agreement would be a matter of how many slices are healthy. One on which only one of them
    marks it has a Dice of 0. Both readers saw the same pre-label where the slice had one, so this is the
    agreement of readers who use the tool, above that of readers who draw from nothing.
    """
    drawn = [pair for pair in pairs if pair.was_drawn]
    marked = [(pair, dice) for pair in drawn if (dice := pair.dice[class_name]) is not None]
    if len(marked) < FEWEST_PAIRS:
        others = len(pairs) - len(drawn)
        counts = {"marked": len(marked), "drawn": len(drawn), "others": others, "needed": FEWEST_PAIRS}
        return nothing(
            UNIT, Message("too_few_drawn_pairs" if others else "too_few_pairs", counts), len(marked)
        )
    values = np.asarray([dice for _, dice in marked])
    draws = Draws.of([pair.patient for pair, _ in marked], [pair.slice_id for pair, _ in marked], seed)
    resampled = draws.totals(values) / draws.totals(np.ones(len(values)))
    interval = percentile_interval(resampled, draws.units)
    return Estimate(
        mean=float(values.mean()),
        interval=interval,
        n=len(marked),
        patients=len({pair.patient for pair, _ in marked}),
        unit=UNIT,
        resampled=draws.by,
        why=None if interval else Message("one_slice"),
    )

"""Automation bias: how far readers are anchored to what the model showed them."""

from collections.abc import Sequence

from chestct.reader_study.comparison import difference
from chestct.reader_study.estimates import Estimate
from chestct.reader_study.reading import Reading

UNIT = "Dice"


def automation_bias(readings: Sequence[Reading], *, seed: int = 0) -> Estimate:
    """Agreement with the model where its pre-label was shown minus agreement where it was not.

    Agreement is the Dice of lesions between the reader's final mask and the model's own prediction; on an
    unassisted slice, with the prediction that would have been shown. A slice on which both mark nothing has
    a Dice of 1, one on which only one does has 0: a reader who misses what the model missed is anchored,
    too. Above 0, readers with a pre-label end nearer to it than readers without.

    That is not the same as error: where the model is right, being anchored to it makes a label better, and
    edges that nobody would redraw by a pixel count as well. It says how much of the agreement between
    readers and model, and so of any Dice measured on corrected masks, is owed to the showing.

    Args:
        readings: all; those that were not drawn, or that no prediction stands beside, do not count.
    """
    sides = [
        (reading, reading.changes.dice, bool(reading.prelabelled))
        for reading in readings
        if reading.is_drawn and reading.changes is not None
    ]
    return difference(sides, ("pre-labelled", "blank"), unit=UNIT, trim=0.0, seed=seed)

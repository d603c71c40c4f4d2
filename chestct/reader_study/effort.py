"""Seconds and changed pixels: by reader, by model version, by class."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chestct.labels import LESIONS
from chestct.reader_study.reading import Reading
from chestct.reader_study.resampling import Draws, percentile_interval
from chestct.reader_study.robust import medians

# What stands where a model version stands, for slices that were begun from nothing.
NO_PRELABEL = "no pre-label"


@dataclass(frozen=True)
class Typical:
    """A median over readings and its 95 % interval; the interval is None for readings of one slice."""

    median: float
    interval: tuple[float, float] | None
    n: int


@dataclass(frozen=True)
class Effort:
    """What the slices of one group took.

    Args:
        name: of the reader or model version.
        readings: how many.
        seconds: of a slice; None where no reading has a time.
        pixels: that a slice's reader changed of the pre-label; None where none was shown.
        class_pixels: the same of each lesion class, by its name.
    """

    name: str
    readings: int
    seconds: Typical | None
    pixels: Typical | None
    class_pixels: Mapping[str, Typical]


def effort_by_reader(readings: Sequence[Reading]) -> list[Effort]:
    """One row a reader, in the order of their names."""
    return [
        _effort(name, rows)
        for name, rows in sorted(_grouped(readings, lambda reading: reading.annotator).items())
    ]


def effort_by_version(readings: Sequence[Reading], versions: Sequence[str]) -> list[Effort]:
    """One row a model version whose pre-label was shown, in their order; last, slices begun from nothing.

    Args:
        versions: all, the oldest first; what else stands in the readings (own masks) comes after them.
    """
    rows = _grouped(readings, lambda reading: reading.shown_version or NO_PRELABEL)
    names = [*versions, *sorted(rows.keys() - {*versions, NO_PRELABEL}), NO_PRELABEL]
    return [_effort(name, rows[name]) for name in names if name in rows]


def _grouped(readings: Sequence[Reading], name: Callable[[Reading], str]) -> dict[str, list[Reading]]:
    groups: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        groups[name(reading)].append(reading)
    return groups


def _effort(name: str, readings: Sequence[Reading]) -> Effort:
    by_class = {
        label.name.lower(): _typical(readings, lambda reading, label=label: reading.changed_pixels(label))
        for label in LESIONS
    }
    return Effort(
        name=name,
        readings=len(readings),
        seconds=_typical(readings, lambda reading: reading.seconds),
        pixels=_typical(readings, lambda reading: reading.corrected_pixels),
        class_pixels={label: typical for label, typical in by_class.items() if typical is not None},
    )


def _typical(readings: Sequence[Reading], figure: Callable[[Reading], float | None]) -> Typical | None:
    """The median: half of a group's readings would have to be lunch breaks to move it far."""
    counted = [reading for reading in readings if figure(reading) is not None]
    if not counted:
        return None
    values = np.asarray([figure(reading) for reading in counted], dtype=np.float64)
    patients, slice_ids = zip(*((reading.patient, reading.slice_id) for reading in counted), strict=True)
    draws = Draws.of(patients, slice_ids, resamples=300)
    drawn = np.concatenate([medians(values, weights) for weights in draws.weights(np.arange(len(values)))])
    return Typical(float(np.median(values)), percentile_interval(drawn, draws.units), len(counted))

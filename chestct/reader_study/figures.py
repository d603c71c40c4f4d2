"""All readers' figures at once, as status, page and `lungloop readers` show them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chestct.reader_study.agreement import CLASSES, ReadingPair, agreement
from chestct.reader_study.automation_bias import automation_bias
from chestct.reader_study.effort import Effort, effort_by_reader, effort_by_version
from chestct.reader_study.estimates import Estimate
from chestct.reader_study.gain import gain_per_minute, gain_per_slice
from chestct.reader_study.reading import Reading
from chestct.reader_study.second_look import Suspicion, second_look
from chestct.reader_study.seconds_saved import seconds_saved

# The class whose agreement stands for all; the others stand beside it.
WHOLE = CLASSES[0]


@dataclass(frozen=True)
class ReadersEstimates:
    """What the control arm, the unassisted slices and the slices read twice are there for.

    Args:
        readings: how many there are in all.
        agreement: by class.
    """

    readings: int
    seconds_saved: Estimate
    automation_bias: Estimate
    gain_per_slice: Estimate
    gain_per_minute: Estimate
    agreement: Mapping[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; the names are those of `lungloop status --json`."""
        return {
            "readings": self.readings,
            "seconds_saved": self.seconds_saved.as_dict(),
            "pull": self.automation_bias.as_dict(),
            "active_gain": {**self.gain_per_slice.as_dict(), "per_minute": self.gain_per_minute.as_dict()},
            "agreement": {
                **self.agreement[WHOLE].as_dict(),
                **{name: self.agreement[name].as_dict() for name in CLASSES if name != WHOLE},
            },
        }


@dataclass(frozen=True)
class ReadersFigures:
    """Everything that the readings say.

    Args:
        by_reader, by_version: what slices took.
        second_look: labels to look at again, the most suspicious first.
    """

    estimates: ReadersEstimates
    by_reader: tuple[Effort, ...]
    by_version: tuple[Effort, ...]
    second_look: tuple[Suspicion, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; the names are those of `lungloop readers --json`."""
        return {
            **self.estimates.as_dict(),
            "effort": {
                "by_reader": [*map(asdict, self.by_reader)],
                "by_version": [*map(asdict, self.by_version)],
            },
            "second_look": [suspicion.as_dict() for suspicion in self.second_look],
        }


def estimates_of(readings: Sequence[Reading], pairs: Sequence[ReadingPair]) -> ReadersEstimates:
    """The same readings always give the same figures."""
    return ReadersEstimates(
        readings=len(readings),
        seconds_saved=seconds_saved(readings),
        automation_bias=automation_bias(readings),
        gain_per_slice=gain_per_slice(readings),
        gain_per_minute=gain_per_minute(readings),
        agreement={name: agreement(pairs, name) for name in CLASSES},
    )


def figures_of(
    readings: Sequence[Reading], pairs: Sequence[ReadingPair], versions: Sequence[str]
) -> ReadersFigures:
    """Works everything out; `versions` are all of the models', the oldest first."""
    return ReadersFigures(
        estimates=estimates_of(readings, pairs),
        by_reader=tuple(effort_by_reader(readings)),
        by_version=tuple(effort_by_version(readings, versions)),
        second_look=tuple(second_look(readings)),
    )

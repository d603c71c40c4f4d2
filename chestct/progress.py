"""How long work tells how far it is: one shape for fits, scores, imports, pre-labels and jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Args:
        done, total: in units of the work (slices, steps, percent); total None where it is not known.
        stage: what is counted or being done, in a word or two; the name of what was done last.
        facts: figures beside it, as a fit's `loss` and `seconds_left`.
    """

    done: float
    total: float | None = 1.0
    stage: str = ""
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def fraction(self) -> float:
        """The share done, in [0, 1]; 0 where the total is not known."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total else 0.0

    def in_percent(self) -> "Progress":
        """The same, counted to 100."""
        return Progress(round(100 * self.fraction), 100, f"% {self.stage}".rstrip())


OnProgress = Callable[[Progress], None]


def unheard(progress: Progress) -> None:
    """For work that nobody watches."""


def part_of(on_progress: OnProgress, start: float, length: float, stage: str) -> OnProgress:
    """A listener for one part of a longer work, whose share of the whole begins at `start`."""
    return lambda progress: on_progress(Progress(start + length * progress.fraction, stage=stage))

"""The one form of a benchmark's result."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One answered question.

    Args:
        value: the figure, in `unit`.
        baseline: what it is compared with, in words and with its own figure.
        goal: what would be good enough, in words.
        met: whether it is; None where no goal was set.
    """

    question: str
    value: float
    unit: str
    baseline: str
    goal: str
    met: bool | None


def write(name: str, measurements: list[Measurement]) -> None:
    """Writes results/<name>.json beside this file and prints each line for people."""
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in measurements], indent=2) + "\n")
    show(measurements)


def show(measurements: list[Measurement]) -> None:
    """The lines alone, for a trial run that must leave the results as they are."""
    for one in measurements:
        verdict = {True: "met", False: "NOT met", None: "no goal"}[one.met]
        sys.stdout.write(
            f"{one.question} {one.value:.3g} {one.unit} (baseline: {one.baseline}; {one.goal}: {verdict})\n"
        )

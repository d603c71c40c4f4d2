"""What each finished round leaves: one small file, whole or absent, so a kill loses one round at most."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

from chestct.errors import InputError
from training.report.rendering import write_whole
from training.simulate.plan import START, Cell, SimulationPlan


@dataclass(frozen=True)
class PatientDice:
    """How well a round's model does on one test patient.

    Args:
        source: of the patient's slices.
        lesion_dice: see `training.evaluate.patient_score.PatientScore`.
        ground_glass_dice, consolidation_dice: None where the kinds are not labelled or not there.
    """

    source: str
    lesion_dice: float
    ground_glass_dice: float | None = None
    consolidation_dice: float | None = None


@dataclass(frozen=True)
class OpenSlices:
    """The slices that were still open after a round, by its model.

    Args:
        ids: N slices of the pool, ascending.
        doubts: (named as in the files) column of `training.simulate.pool_table.MODEL_COLUMNS` -> N values.
        corrected_pixels: N; what a reader would change of each one's pre-label. Strategies never see it.
    """

    ids: tuple[int, ...]
    doubts: Mapping[str, tuple[float | None, ...]]
    corrected_pixels: tuple[int, ...]


@dataclass(frozen=True)
class RoundRecord:
    """One round.

    Args:
        number: 0 for the first set, which is every strategy's.
        added: slices that were labelled for this round, in the order in which they were asked for.
        added_pixels: pixels corrected in each.
        scores: test patient -> scores of the model that was fitted to all slices labelled so far.
        still_open: None after the last round.
    """

    number: int
    added: tuple[int, ...]
    added_pixels: tuple[int, ...]
    scores: Mapping[str, PatientDice]
    still_open: OpenSlices | None
    seconds: float


class Records:
    """The finished rounds in a simulation's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rounds"

    def path(self, cell: Cell, number: int) -> Path:
        """Where a round is kept."""
        return self._folder / cell.owner_of(number) / f"seed-{cell.seed}" / f"round-{number}.json"

    def has(self, cell: Cell, number: int) -> bool:
        """Whether the round is finished."""
        return self.path(cell, number).is_file()

    def keep(self, cell: Cell, record: RoundRecord) -> None:
        """Writes a finished round atomically; InputError where the folder cannot be written."""
        write_whole(self.path(cell, record.number), json.dumps(asdict(record)) + "\n")

    def read(self, cell: Cell, number: int) -> RoundRecord:
        """A finished round.

        Raises:
            InputError: it is missing or damaged.
        """
        path = self.path(cell, number)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            left = stored["still_open"]
            if left is not None:
                doubts = {name: tuple(values) for name, values in left["doubts"].items()}
                left = OpenSlices(tuple(left["ids"]), doubts, tuple(left["corrected_pixels"]))
            return RoundRecord(
                number=int(stored["number"]),
                added=tuple(stored["added"]),
                added_pixels=tuple(stored["added_pixels"]),
                scores={patient: PatientDice(**score) for patient, score in stored["scores"].items()},
                still_open=left,
                seconds=float(stored["seconds"]),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                path, f"is no finished round ({error}); delete it, and it is done again"
            ) from error

    def rounds(self, cell: Cell, plan: SimulationPlan) -> list[RoundRecord]:
        """The cell's finished rounds from the first, without a gap."""
        finished = takewhile(lambda number: self.has(cell, number), range(plan.rounds + 1))
        return [self.read(cell, number) for number in finished]

    def finished(self, plan: SimulationPlan) -> int:
        """How many of the plan's fits are done."""
        starts = sum(self.has(Cell(START, seed), 0) for seed in range(plan.seeds))
        rounds = range(1, plan.rounds + 1)
        return starts + sum(self.has(cell, number) for cell in plan.cells() for number in rounds)

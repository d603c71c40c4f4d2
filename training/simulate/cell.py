"""One strategy at one seed, from its first round to its last, by one process at a time."""

from collections.abc import Callable
from pathlib import Path

from chestct.files import exclusive_lock
from training.simulate.learner import Learner
from training.simulate.plan import Cell, SimulationPlan, read_plan
from training.simulate.records import START, Records, RoundRecord
from training.simulate.rounds import Rounds
from training.simulate.slices import read_slices
from training.simulate.weights import RoundWeights, Weights, start_weights

OnRound = Callable[[], None]


class CellRunner:
    """Runs the cells of a simulation's folder; what is finished there is not done again.

    Raises:
        InputError: the plan, or the data that it names, cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._plan = folder, read_plan(folder)
        self._records = Records(folder)
        self._rounds = Rounds(self._plan, read_slices(self._plan), Learner(self._plan))
        self._weights = RoundWeights(folder)

    @property
    def plan(self) -> SimulationPlan:
        """The folder's plan."""
        return self._plan

    def run(self, cell: Cell, *, wait: bool, on_round: OnRound = lambda: None) -> bool:
        """Does what is left of a cell.

        Args:
            wait: for another process that is at this cell; False leaves it the cell.
            on_round: called after each fit.
        Returns:
            False where another process is at it.
        """
        path = self._folder / "locks" / f"{cell.strategy}-{cell.seed}"
        with exclusive_lock(path, None if wait else 0.0, parents=True) as lock:
            if lock:
                self._start(cell.seed, on_round)
                self._go_on(cell, on_round)
        return lock is not None

    def _start(self, seed: int, on_round: OnRound) -> None:
        start = Cell(START, seed)
        with exclusive_lock(self._folder / "locks" / f"{START}-{seed}", None):
            if not self._records.has(start, 0):
                record, weights = self._rounds.first(seed, start_weights(self._folder, self._plan))
                self._keep(start, record, weights)
                on_round()

    def _go_on(self, cell: Cell, on_round: OnRound) -> None:
        done = self._records.rounds(cell, self._plan)
        if len(done) > self._plan.rounds:
            return
        weights = self._weights.read(cell, len(done) - 1)
        while len(done) <= self._plan.rounds:
            record, weights = self._rounds.next(cell, done, weights)
            self._keep(cell, record, weights)
            self._weights.drop(cell, record.number - 1)
            done.append(record)
            on_round()

    def _keep(self, cell: Cell, record: RoundRecord, weights: Weights) -> None:
        """The record comes last: a round that has one can be gone on from."""
        if record.number < self._plan.rounds:
            self._weights.keep(cell, record.number, weights)
        self._records.keep(cell, record)

"""One strategy at one seed, from its first round to its last, by one process at a time."""

from collections.abc import Callable
from pathlib import Path

from chestct.files import exclusive_lock
from training.simulate.learner import Learner
from training.simulate.plan import START, Cell, read_plan
from training.simulate.records import Records, RoundRecord
from training.simulate.rounds import Rounds
from training.simulate.slices import read_slices
from training.simulate.weights import Weights, read_weights, start_weights, weights_path, write_weights


class CellRunner:
    """Runs the cells of a simulation's folder; what is finished there is not done again.

    Raises:
        InputError: the plan, or the data that it names, cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.plan, self._records = folder, read_plan(folder), Records(folder)
        self._rounds = Rounds(self.plan, read_slices(self.plan), Learner(self.plan))

    def run(self, cell: Cell, *, wait: bool, on_round: Callable[[], None] = lambda: None) -> bool:
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

    def _start(self, seed: int, on_round: Callable[[], None]) -> None:
        start = Cell(START, seed)
        with exclusive_lock(self._folder / "locks" / f"{START}-{seed}", None):
            if not self._records.has(start, 0):
                record, weights = self._rounds.first(seed, start_weights(self._folder, self.plan))
                self._keep(start, record, weights)
                on_round()

    def _go_on(self, cell: Cell, on_round: Callable[[], None]) -> None:
        done = self._records.rounds(cell, self.plan)
        if len(done) > self.plan.rounds:
            return
        weights = read_weights(weights_path(self._folder, cell, len(done) - 1))
        while len(done) <= self.plan.rounds:
            record, weights = self._rounds.next(cell, done, weights)
            self._keep(cell, record, weights)
            if len(done) > 1:  # the weights of round 0 stay: every strategy at that seed starts from them
                weights_path(self._folder, cell, len(done) - 1).unlink(missing_ok=True)
            done.append(record)
            on_round()

    def _keep(self, cell: Cell, record: RoundRecord, weights: Weights) -> None:
        """The record comes last: a round that has one can be gone on from."""
        if record.number < self.plan.rounds:
            write_weights(weights_path(self._folder, cell, record.number), weights)
        self._records.keep(cell, record)

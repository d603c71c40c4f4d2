"""What a simulation does, frozen; kept in its folder, so that every process does the same."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from chestct.errors import InputError, SettingsError
from chestct.model.architecture import SIZE_STEP
from training.report.rendering import write_whole

BASELINE = "foreground-random"
FILE_NAME = "plan.json"
# The first fit at a seed is every strategy's; it is kept under this name.
START = "start"


@dataclass(frozen=True)
class Cell:
    """One strategy at one seed: its rounds follow each other, cells are independent."""

    strategy: str
    seed: int

    def owner_of(self, number: int) -> str:
        """Under whose name a round is kept; round 0 is that of its seed, whatever the strategy."""
        return self.strategy if number else START


@dataclass(frozen=True)
class SimulationPlan:
    """Settings of a simulation.

    Args:
        data: folders of labelled slices, as `lungloop evaluate` reads them.
        strategies: names of `chestct.acquisition`; the baseline is among them.
        seeds: how many first labelled sets are drawn; every strategy starts from each.
        rounds: how often a strategy chooses, after the fit on the first set.
        start_slices: slices of the first set.
        slices_per_round: most slices that a round adds.
        pixels_per_round: a round also ends with the slice at which so many pixels are corrected; None
            counts slices alone.
        steps, batch_size: of each fit.
        start_steps, start_phantoms: of the fit on phantoms that every other one starts from; 0 steps
            start from ImageNet's features alone.
        side: of the square that slices are resized to, a multiple of 32.
        pool_every, test_every: of each study every n-th slice is in the pool, or scored.
    Raises:
        SettingsError: a number is out of its range, or a strategy is named twice.
    """

    data: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: int = 3
    rounds: int = 6
    start_slices: int = 12
    slices_per_round: int = 12
    pixels_per_round: int | None = None
    steps: int = 32
    batch_size: int = 6
    start_steps: int = 200
    start_phantoms: int = 12
    side: int = 128
    pool_every: int = 3
    test_every: int = 5

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name == "start_steps" else 1
            if isinstance(value, int) and name != "side" and value < least:
                raise SettingsError(f"{name} is {value}; expected {least} or more")
        if self.side < SIZE_STEP or self.side % SIZE_STEP:
            raise SettingsError(f"side is {self.side}; expected a multiple of {SIZE_STEP}")
        if not self.data:
            raise SettingsError("no data is named; give at least one folder of labelled slices")
        if len(set(self.strategies)) < len(self.strategies):
            raise SettingsError(f"a strategy is named twice in {', '.join(self.strategies)}")
        if BASELINE not in self.strategies:
            raise SettingsError(
                f"{BASELINE} is not among the strategies ({', '.join(self.strategies)}); every other one is "
                "compared with it"
            )

    def cells(self) -> tuple[Cell, ...]:
        """All cells, seed by seed, so that an early look compares whole seeds."""
        return tuple(Cell(strategy, seed) for seed in range(self.seeds) for strategy in self.strategies)

    @property
    def fits(self) -> int:
        """How many fits it takes in all; the first of each seed is shared."""
        return self.seeds * (1 + len(self.strategies) * self.rounds)


def keep_plan(folder: Path, plan: SimulationPlan) -> None:
    """Writes the plan into a new folder, or sees that the folder holds the same simulation.

    More seeds and more strategies may be asked for later: cells do not depend on each other, so what is
    finished stays as it is.

    Raises:
        SettingsError: the folder holds another simulation, or more of it than is asked for.
        InputError: the folder cannot be written, or its plan is damaged.
    """
    if (folder / FILE_NAME).is_file():
        kept = read_plan(folder)
        if kept == plan:
            return
        grown = kept.seeds <= plan.seeds and set(kept.strategies) <= set(plan.strategies)
        differing = [
            f"{name} {value} (asked: {getattr(plan, name)})"
            for name, value in asdict(kept).items()
            if value != getattr(plan, name) and not (grown and name in ("seeds", "strategies"))
        ]
        if differing:
            raise SettingsError(
                f"{folder} holds a simulation with {'; '.join(differing)}; name a new folder, or go on with "
                "the same settings, with more seeds or more strategies"
            )
    write_whole(folder / FILE_NAME, json.dumps(asdict(plan), indent=2) + "\n")


def read_plan(folder: Path) -> SimulationPlan:
    """The plan of a simulation's folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / FILE_NAME
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stored |= {name: tuple(stored[name]) for name in ("data", "strategies")}  # JSON has no tuples
        names = stored.keys() & {field.name for field in fields(SimulationPlan)}
        return SimulationPlan(**{name: stored[name] for name in names})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            path, f"is no plan of a simulation ({error}); start `lungloop simulate` anew"
        ) from error

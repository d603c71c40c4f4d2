"""A simulation in little: phantoms of 64 x 64 at side 32, one step a fit."""

from pathlib import Path

from chestct.phantoms import write_phantoms
from training.simulate.plan import Cell, SimulationPlan
from training.simulate.records import Records

STRATEGIES = ("foreground-random", "entropy")


def write_data(folder: Path) -> Path:
    """Four labelled patients of six slices; one of them is drawn for the test."""
    write_phantoms(folder, 6, seed=3, shape=(6, 64, 64))
    return folder


def tiny_plan(data: Path, **changes: object) -> SimulationPlan:
    """Two strategies, two rounds, two slices each."""
    settings: dict[str, object] = {
        "data": (str(data),), "strategies": STRATEGIES, "seeds": 1, "rounds": 2, "start_slices": 2,
        "slices_per_round": 2, "steps": 1, "batch_size": 2, "start_steps": 0, "side": 32, "pool_every": 1,
        "test_every": 2,
    }  # fmt: skip
    return SimulationPlan(**(settings | changes))  # type: ignore[arg-type]


def rounds_of(folder: Path, plan: SimulationPlan, cell: Cell) -> list[dict]:
    """A cell's finished rounds without what a clock says."""
    records = [vars(record).copy() for record in Records(folder).rounds(cell, plan)]
    for record in records:
        del record["seconds"]
    return records

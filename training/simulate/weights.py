"""Weights in a simulation's folder: whole or absent, and no more of them than the next round needs."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from chestct.errors import InputError
from chestct.files import write_atomic
from training.simulate.plan import Cell
from training.simulate.records import START

Weights = Mapping[str, torch.Tensor]


class RoundWeights:
    """What each round's network is gone on from.

    Args:
        folder: of the simulation.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "weights"

    def keep(self, cell: Cell, number: int, weights: Weights) -> None:
        """Writes a round's weights in one step."""
        write_weights(self._path(cell, number), weights)

    def read(self, cell: Cell, number: int) -> Weights:
        """A round's weights; round 0 is the seed's, whatever the strategy.

        Raises:
            InputError: they are missing or damaged.
        """
        return read_weights(self._path(cell, number))

    def drop(self, cell: Cell, number: int) -> None:
        """Deletes a round's weights; those of round 0 stay, every strategy of the seed starts from them."""
        if number:
            self._path(cell, number).unlink(missing_ok=True)

    def _path(self, cell: Cell, number: int) -> Path:
        strategy = cell.strategy if number else START
        return self._folder / strategy / f"seed-{cell.seed}-round-{number}.safetensors"


def write_weights(path: Path, weights: Weights) -> None:
    """Writes them atomically."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_atomic(path, safetensors.torch.save(whole), parents=True)


def read_weights(path: Path) -> Weights:
    """The weights of a file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            path, f"holds no weights ({error}); the simulation cannot go on from there: name a new folder"
        ) from error

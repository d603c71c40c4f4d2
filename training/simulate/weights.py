"""Weights in a simulation's folder: whole or absent, and no more of them than the next round needs."""

import logging
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from chestct.errors import InputError
from chestct.files import exclusive_lock, write_atomic
from training.data.phantom_samples import phantom_samples
from training.simulate.learner import fit_config, fitted, small_network
from training.simulate.plan import Cell, SimulationPlan
from training.simulate.slices import small

Weights = Mapping[str, torch.Tensor]

_LOG = logging.getLogger(__name__)
START_NAME = "start.safetensors"
# Apart from the phantoms that the shipped weights were fitted on and from those of benchmarks.
_FIRST_PHANTOM_SEED = 700_000
_SEED = 1


def weights_path(folder: Path, cell: Cell, number: int) -> Path:
    """Where a round's weights, which the next one starts from, lie in a simulation's folder."""
    return folder / "weights" / cell.owner_of(number) / f"seed-{cell.seed}-round-{number}.safetensors"


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


def start_weights(folder: Path, plan: SimulationPlan) -> Weights:
    """The weights in the simulation's folder, made where they are missing, by one process alone.

    A few dozen steps cannot teach an untrained decoder what a lung is; phantoms can, and tell nothing
    of the patients. All strategies and seeds start here.
    """
    path = folder / START_NAME
    with exclusive_lock(folder / "locks" / "start-weights", None, parents=True):
        if not path.is_file():
            torch.manual_seed(_SEED)
            network = small_network()
            if plan.start_steps:
                seeds = range(_FIRST_PHANTOM_SEED, _FIRST_PHANTOM_SEED + plan.start_phantoms)
                _LOG.info("fitting the start on %d phantoms, %d steps", plan.start_phantoms, plan.start_steps)
                samples = [small(sample, plan.side) for sample in phantom_samples(seeds)]
                network = fitted(network, samples, fit_config(plan, plan.start_steps, _SEED))
            write_weights(path, network.state_dict())
    return read_weights(path)

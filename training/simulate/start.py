"""What each first fit of a simulation starts from: ImageNet's features, then made-up chests. No patient."""

import logging
from pathlib import Path

import torch

from chestct.files import exclusive_lock
from training.data.phantom_samples import phantom_samples
from training.simulate.learner import fit_config, fitted, small_network
from training.simulate.plan import SimulationPlan
from training.simulate.slices import small
from training.simulate.weights import Weights, read_weights, write_weights

_LOG = logging.getLogger(__name__)
FILE_NAME = "start.safetensors"
# Apart from the phantoms that the shipped weights were fitted on and from those of benchmarks.
_FIRST_PHANTOM_SEED = 700_000
_SEED = 1


def start_weights(folder: Path, plan: SimulationPlan) -> Weights:
    """The weights in the simulation's folder, made where they are missing, by one process alone.

    A few dozen steps cannot teach an untrained decoder what a lung is; made-up chests can, and tell nothing
    of the patients. All strategies and seeds start here.
    """
    path = folder / FILE_NAME
    with exclusive_lock(folder / "locks" / "start-weights", None, parents=True):
        if not path.is_file():
            write_weights(path, _made(plan))
    return read_weights(path)


def _made(plan: SimulationPlan) -> Weights:
    torch.manual_seed(_SEED)
    network = small_network()
    if plan.start_steps:
        seeds = range(_FIRST_PHANTOM_SEED, _FIRST_PHANTOM_SEED + plan.start_phantoms)
        _LOG.info("fitting the start on %d phantoms, %d steps", plan.start_phantoms, plan.start_steps)
        samples = [small(sample, plan.side) for sample in phantom_samples(seeds)]
        network = fitted(network, samples, fit_config(plan, plan.start_steps, _SEED))
    return network.state_dict()

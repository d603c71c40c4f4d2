"""Fitting a network to samples: seeded, resumable, and stopped by the first loss that is no number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from chestct.model.fused_forward import fused_forward
from chestct.model.memory import keep_freed_memory
from chestct.model.precision import placed, preferred_device
from chestct.progress import OnProgress, unheard
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.checkpoint import CheckpointFile, fit_identity, restore
from training.fitting.config import FitConfig
from training.fitting.curve import Curve
from training.fitting.optimiser import optimiser_of
from training.fitting.start import start_network
from training.fitting.step import Logbook, take_step


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit gives.

    Args:
        state_dict: averaged weights, float32 on the CPU.
        architecture: for the model card.
        seconds: wall clock of this process's share of the steps.
        curve: the JSON-lines file with one row per step.
    """

    state_dict: dict[str, torch.Tensor]
    architecture: str
    seconds: float
    curve: Path


def fit(
    samples: Sequence[TrainingSample],
    config: FitConfig,
    *,
    start_from: Path | None,
    work_dir: Path,
    on_progress: OnProgress = unheard,
) -> FitResult:
    """Fits a network; called again with the same arguments after a kill, it goes on.

    All random choices of a step derive from (seed, step), so a resumed run draws the same curve.

    Args:
        samples: at least one.
        start_from: folder of the version to start from; None starts from ImageNet's features.
        work_dir: keeps the checkpoint and the curve.
        on_progress: told each step, with its `loss` and `seconds_left`; what it raises stops the fit.
    Raises:
        TrainingDataError: nothing to fit on.
        TrainingDivergedError: the loss became NaN or infinite.
        WeightsError: `start_from` is missing or damaged.
    """
    batches = Batches(samples, config)
    keep_freed_memory()
    torch.manual_seed(config.seed)
    architecture, network = start_network(config, start_from)
    device = preferred_device()
    network = fused_forward(placed(network, device)).train()
    optimiser, average = optimiser_of(network, config), WeightAverage(network, config.ema_decay)
    checkpoints = CheckpointFile(work_dir, fit_identity(samples, config, start_from))
    stored = checkpoints.load()
    first = restore(stored, network, optimiser, average) if stored else 0

    with Curve(work_dir, first) as curve:
        logbook = Logbook(config, first, curve, checkpoints, on_progress)
        for step, waited_seconds, (images, partial_labels) in batches.ahead(first):
            batch = images.to(device), partial_labels.to(device)
            facts = take_step(network, optimiser, batch, config, step)
            average.update(network)
            logbook.add(step, facts | {"waited_seconds": waited_seconds}, network, optimiser, average)
    weights = {name: tensor.cpu() for name, tensor in average.weights().items()}
    return FitResult(weights, architecture, logbook.seconds, curve.path)


def fitter(devices: int) -> Callable[..., FitResult]:
    """What fits on so many devices, called as `fit` is: `fit` on one, Lightning's fit on several.

    Raises:
        SettingsError: several are asked for and Lightning is not installed, or fewer are there.
    """
    if devices == 1:
        return fit
    # Lightning takes seconds to load, and only several devices need it.
    from training.fitting.lightning_fit import LightningFit

    return LightningFit(devices)

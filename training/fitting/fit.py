"""Fitting a network to samples: seeded, resumable, and stopped by the first loss that is no number."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chestct.errors import TrainingDivergedError
from chestct.model.fused_forward import fused_forward
from chestct.model.memory import keep_freed_memory
from chestct.model.precision import autocast, placed, preferred_device
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.checkpoint import CheckpointFile, fit_identity, restore, state_of
from training.fitting.config import FitConfig
from training.fitting.curve import Curve
from training.fitting.losses import total_loss
from training.fitting.optimiser import GRADIENT_NORM, optimiser_of, set_rate
from training.fitting.start import start_network

OnProgress = Callable[[float, dict[str, Any]], None]


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
    on_progress: OnProgress = lambda fraction, facts: None,
) -> FitResult:
    """Fits a network; called again with the same arguments after a kill, it goes on.

    All random choices of a step derive from (seed, step), so a resumed run draws the same curve.

    Args:
        samples: at least one.
        start_from: folder of the version to start from; None starts from ImageNet's features.
        work_dir: keeps the checkpoint and the curve.
        on_progress: called after each step with the share done and `step`, `steps`, `loss`,
            `seconds_left`; what it raises stops the fit.
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

    started = time.monotonic()
    with Curve(work_dir, first) as curve:
        for step, waited_seconds, (images, partial_labels) in batches.ahead(first):
            set_rate(optimiser, config, step)
            # Dropout and stochastic depth draw from torch's generator: tie it to the step too.
            torch.manual_seed(config.seed * 1_000_003 + step)
            facts = take_step(network, optimiser, images.to(device), partial_labels.to(device), config)
            average.update(network)
            done = step + 1
            seconds = time.monotonic() - started
            curve.add(step, seconds, facts | {"waited_seconds": waited_seconds})
            if done % config.checkpoint_every == 0 or done == config.steps:
                curve.flush()
                checkpoints.save(state_of(done, network, optimiser, average))
            left = seconds / (done - first) * (config.steps - done)
            on_progress(
                done / config.steps,
                {"step": done, "steps": config.steps, "loss": facts["loss"], "seconds_left": left},
            )
    weights = {name: tensor.cpu() for name, tensor in average.weights().items()}
    return FitResult(weights, architecture, time.monotonic() - started, curve.path)


def take_step(
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    images: torch.Tensor,
    partial_labels: torch.Tensor,
    config: FitConfig,
) -> dict[str, float]:
    """One optimiser step; the loss and its parts.

    Args:
        images: (N, 1, H, W) float32 in [0, 1], on the network's device.
        candidates: (N, H, W) uint8, there too.
    Raises:
        TrainingDivergedError: the loss became NaN or infinite.
    """
    loss, parts = batch_loss(network, images, partial_labels, config)
    value = require_finite(loss.item(), parts)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    optimiser.step()
    return {"loss": value} | parts


def batch_loss(
    network: torch.nn.Module, images: torch.Tensor, partial_labels: torch.Tensor, config: FitConfig
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of a batch and its parts; the network runs in bfloat16 where that pays, the loss never."""
    with autocast(images.device):
        logits = network(images)
    return total_loss(logits.float(), partial_labels, config.dice_weight)


def require_finite(loss: float, parts: Mapping[str, float]) -> float:
    """The loss itself.

    Raises:
        TrainingDivergedError: it is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"the loss became {loss} ({parts}); nothing of this run is kept, try a lower learning rate"
        )
    return loss

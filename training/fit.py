"""Fitting a network to samples: seeded, resumable, and stopped by the first loss that is no number."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chestct.errors import TrainingDivergedError, WeightsError
from chestct.unet.memory import keep_freed_memory
from chestct.unet.network import architecture_of, build_network
from chestct.unet.precision import autocast, placed, preferred_device
from chestct.unet.weights import load_version
from training.average import WeightAverage
from training.batches import Batches
from training.checkpoint import CheckpointFile, fit_identity
from training.config import FitConfig
from training.curve import Curve
from training.dataset import TrainingSample
from training.losses import total_loss
from training.transfer import transfer
from training.warm_start import warm_start

_GRADIENT_NORM = 5.0
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
    architecture, network = _start(config, start_from)
    device = preferred_device()
    network = placed(network, device).train()
    optimiser, average = _optimiser(network, config), WeightAverage(network, config.ema_decay)
    checkpoints = CheckpointFile(work_dir, fit_identity(samples, config, start_from))
    first = _resume(checkpoints, network, optimiser, average)

    started = time.monotonic()
    with Curve(work_dir, first) as curve:
        for step, waited_seconds, (images, candidates) in batches.ahead(first):
            _set_rate(optimiser, config, step)
            # Dropout and stochastic depth draw from torch's generator: tie it to the step too.
            torch.manual_seed(config.seed * 1_000_003 + step)
            facts = _step(network, optimiser, images.to(device), candidates.to(device), config)
            average.update(network)
            done = step + 1
            seconds = time.monotonic() - started
            curve.add(step, seconds, facts | {"waited_seconds": waited_seconds})
            if done % config.checkpoint_every == 0 or done == config.steps:
                curve.flush()
                checkpoints.save(_state(done, network, optimiser, average))
            left = seconds / (done - first) * (config.steps - done)
            on_progress(
                done / config.steps,
                {"step": done, "steps": config.steps, "loss": facts["loss"], "seconds_left": left},
            )
    weights = {name: tensor.cpu() for name, tensor in average.weights().items()}
    return FitResult(weights, architecture, time.monotonic() - started, curve.path)


def _start(config: FitConfig, start_from: Path | None) -> tuple[str, torch.nn.Module]:
    if start_from is None:
        architecture = architecture_of(config.encoder)
        network = build_network(architecture)
        warm_start(network)
        return architecture, network
    card, weights = load_version(start_from.parent, start_from.name)
    network = build_network(card.architecture)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"{start_from} does not fit its architecture {card.architecture}") from error
    if config.move_to is None or architecture_of(config.move_to) == card.architecture:
        return card.architecture, network
    moved = build_network(architecture_of(config.move_to))
    if not transfer(moved, network.state_dict()):
        raise WeightsError(
            f"{start_from.name} is a {card.architecture}; its features fit no {config.move_to}, only an "
            "EfficientNet of the same shape"
        )
    return architecture_of(config.move_to), moved


def _optimiser(network: torch.nn.Module, config: FitConfig) -> torch.optim.AdamW:
    """Encoder and decoder at rates of their own; vectors (norms, biases) do not decay."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = config.encoder_rate if name.startswith("encoder.") else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "share": rate}
            for (rate, decay), parameters in groups.items()
        ],
        lr=config.learning_rate,
    )


def _set_rate(optimiser: torch.optim.Optimizer, config: FitConfig, step: int) -> None:
    """Linear warm-up, then a cosine that ends at a hundredth of the peak."""
    warm = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    done = max(0, step - config.warm_up_steps) / max(1, config.steps - config.warm_up_steps)
    rate = config.learning_rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


def _step(
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    images: torch.Tensor,
    candidates: torch.Tensor,
    config: FitConfig,
) -> dict[str, float]:
    with autocast(images.device):
        logits = network(images)
    loss, parts = total_loss(logits.float(), candidates, config.dice_weight)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingDivergedError(
            f"the loss became {value} ({parts}); nothing of this run is kept, try a lower learning rate"
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM)
    optimiser.step()
    return {"loss": value} | parts


def _state(
    step: int, network: torch.nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage
) -> dict[str, Any]:
    return {
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state_dict(),
    }


def _resume(
    checkpoints: CheckpointFile,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
) -> int:
    """The step to go on with: 0 without a checkpoint of this fit."""
    state = checkpoints.load()
    if state is None:
        return 0
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.load_state_dict(state["average"])
    return int(state["step"])

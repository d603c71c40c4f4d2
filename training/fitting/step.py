"""One step of a fit and what is written down after it, alike on one device, on several, in a simulation."""

import math
import time
from collections.abc import Mapping

import torch

from chestct.errors import TrainingDivergedError
from chestct.model.precision import autocast
from chestct.progress import OnProgress, Progress
from training.fitting.average import WeightAverage
from training.fitting.batches import Batch
from training.fitting.checkpoint import CheckpointFile, state_of
from training.fitting.config import FitConfig
from training.fitting.curve import Curve
from training.fitting.losses import total_loss
from training.fitting.optimiser import GRADIENT_NORM, set_rate

# Dropout must differ between devices; steps lie a million apart for each seed.
_STEPS_A_SEED, _SEED_APART = 1_000_003, 2**40


def step_loss(
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    config: FitConfig,
    step: int,
    device_rank: int = 0,
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of a step and its parts, at the step's rate and with the step's random choices.

    The network runs in bfloat16 where that pays, the loss never.

    Args:
        batch: (N, 1, H, W) float32 pictures in [0, 1] and (N, H, W) uint8 partial labels, on the network's
            device.
    """
    set_rate(optimiser, config, step)
    # Dropout and stochastic depth draw from torch's generator: tie it to the step, so that a resumed fit
    # draws the same.
    torch.manual_seed(config.seed * _STEPS_A_SEED + step + _SEED_APART * device_rank)
    images, partial_labels = batch
    with autocast(images.device):
        logits = network(images)
    return total_loss(logits.float(), partial_labels, config.dice_weight)


def take_step(
    network: torch.nn.Module, optimiser: torch.optim.Optimizer, batch: Batch, config: FitConfig, step: int
) -> dict[str, float]:
    """One optimiser step of `step_loss` on one device; the loss and its parts. See `require_finite`."""
    loss, parts = step_loss(network, optimiser, batch, config, step)
    value = require_finite(loss.item(), parts)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    optimiser.step()
    return {"loss": value} | parts


def require_finite(loss: float, parts: Mapping[str, float]) -> float:
    """The loss itself; TrainingDivergedError where it is NaN or infinite."""
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"the loss became {loss} ({parts}); nothing of this run is kept, try a lower learning rate"
        )
    return loss


class Logbook:
    """Curve, checkpoint and progress of a fit that goes on with step `first`; its clock starts now."""

    def __init__(
        self,
        config: FitConfig,
        first: int,
        curve: Curve,
        checkpoints: CheckpointFile,
        on_progress: OnProgress,
    ) -> None:
        self._config, self._first, self._curve = config, first, curve
        self._checkpoints, self._on_progress = checkpoints, on_progress
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the fit began in this process."""
        return time.monotonic() - self._started

    def add(
        self,
        step: int,
        facts: dict[str, float],
        network: torch.nn.Module,
        optimiser: torch.optim.Optimizer,
        average: WeightAverage,
    ) -> None:
        """Writes down a step that is done, its weights in the average."""
        done, steps, seconds = step + 1, self._config.steps, self.seconds
        self._curve.add(step, seconds, facts)
        if done % self._config.checkpoint_every == 0 or done == steps:
            self._curve.flush()
            self._checkpoints.save(state_of(done, network, optimiser, average))
        seconds_left = seconds / (done - self._first) * (steps - done)
        self._on_progress(
            Progress(done, steps, "steps", {"loss": facts["loss"], "seconds_left": seconds_left})
        )

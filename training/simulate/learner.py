"""The small network of a simulation: a round goes on from the last, as a retrain does from the champion."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from chestct.labels import Label
from chestct.model.architecture import CLASSES
from chestct.model.fused_forward import fused_forward
from chestct.model.memory import keep_freed_memory
from chestct.model.precision import placed, preferred_device
from chestct.model.torchvision_compat import import_smp
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.config import FitConfig
from training.fitting.optimiser import optimiser_of
from training.fitting.step import take_step
from training.fitting.warm_start import warm_start
from training.simulate.plan import SimulationPlan

# ImageNet's features come as a wheel for this encoder (see training.fitting.warm_start), so even a fit of a
# few dozen steps starts from something; the decoder has a quarter of the usual channels, for speed.
ENCODER = "tu-tf_efficientnet_lite0"
_DECODER_CHANNELS = (64, 32, 24, 16, 16)
_PICTURES_AT_ONCE = 16


class Learner:
    """Fits and applies the network of one round, at the plan's steps, batch size and side."""

    def __init__(self, plan: SimulationPlan) -> None:
        self._plan = plan
        keep_freed_memory()

    def fit(
        self, samples: Sequence[TrainingSample], start: Mapping[str, torch.Tensor], seed: int
    ) -> torch.nn.Module:
        """A network fitted to the slices that are labelled so far; the same arguments give the same one.

        Args:
            samples: at least one; all of them are drawn from, those of earlier rounds too.
            start: weights that it goes on from.
        Raises:
            TrainingDivergedError: the loss became NaN or infinite.
        """
        network = small_network()
        network.load_state_dict(start)
        return fitted(network, samples, fit_config(self._plan, self._plan.steps, seed))

    def probabilities(
        self, network: torch.nn.Module, images: npt.NDArray[np.float32], *, mirrored: bool = False
    ) -> npt.NDArray[np.float32]:
        """What the network sees.

        Args:
            images: (N, H, W) float32 in [0, 1].
            mirrored: each looked at with left and right exchanged, and the answer exchanged back.
        Returns:
            (N, 4, H, W) float32, summing to 1 over classes.
        """
        device = preferred_device()
        seen = np.empty((len(images), len(Label), *images.shape[1:]), dtype=np.float32)
        with torch.inference_mode():
            for first in range(0, len(images), _PICTURES_AT_ONCE):
                batch = torch.from_numpy(images[first : first + _PICTURES_AT_ONCE])[:, None].to(device)
                if mirrored:
                    batch = batch.flip(-1)
                answer = network(batch.contiguous(memory_format=torch.channels_last)).float().softmax(dim=1)
                if mirrored:
                    answer = answer.flip(-1)
                seen[first : first + len(answer)] = answer.cpu().numpy()
        return seen


def fitted(network: torch.nn.Module, samples: Sequence[TrainingSample], config: FitConfig) -> torch.nn.Module:
    """The network with averaged weights after the config's steps; the one that was given is changed."""
    network = network.train()
    optimiser, average = optimiser_of(network, config), WeightAverage(network, config.ema_decay)
    device = preferred_device()
    for step, _, (images, partial_labels) in Batches(samples, config).ahead(0):
        take_step(network, optimiser, (images.to(device), partial_labels.to(device)), config, step)
        average.update(network)
    network.load_state_dict(average.weights())
    return network.eval()


def fit_config(plan: SimulationPlan, steps: int, seed: int) -> FitConfig:
    """Settings of one fit; sources are drawn evenly, so that none is drowned."""
    return FitConfig(
        steps=steps,
        batch_size=plan.batch_size,
        input_size=plan.side,
        early_size=plan.side,
        learning_rate=2e-3,
        encoder_rate=0.3,
        warm_up_steps=max(1, steps // 10),
        ema_decay=0.9,
        seed=seed,
        encoder=ENCODER,
    )


def small_network() -> torch.nn.Module:
    """From (N, 1, H, W) float32 in [0, 1] to (N, 4, H, W) logits; H and W multiples of 32."""
    unet = import_smp().Unet(
        ENCODER,
        encoder_weights=None,
        in_channels=1,
        classes=len(CLASSES),
        decoder_channels=_DECODER_CHANNELS,
    )
    network = cast(torch.nn.Module, unet)
    warm_start(network)
    return fused_forward(placed(network, preferred_device()))

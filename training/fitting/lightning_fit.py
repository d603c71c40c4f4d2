"""Several GPUs in one fit: Lightning spreads each step over them, everything else is that of one device.

Each device makes and learns from its share of the very batch that one device would draw; gradients are
averaged. The checkpoint, the curve, the average of weights and the rates are those of `training.fitting.fit`.
Batch norm sees a device's own share, so figures are close to those of one device and not equal.

Run here on processors (two processes, gloo); on CUDA devices it has not been run.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from chestct.errors import SettingsError
from chestct.model.fused_forward import fused_forward
from chestct.model.memory import keep_freed_memory
from chestct.model.precision import placed
from chestct.model.torchvision_compat import import_torchvision
from chestct.progress import OnProgress, unheard
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.checkpoint import CheckpointFile, fit_identity, restore
from training.fitting.config import FitConfig
from training.fitting.curve import Curve
from training.fitting.fit import FitResult
from training.fitting.optimiser import GRADIENT_NORM, optimiser_of
from training.fitting.start import start_network
from training.fitting.step import Logbook, require_finite, step_loss

if importlib.util.find_spec("lightning") is None:
    raise SettingsError(
        "a fit on several devices needs Lightning; install the extra: pip install 'lungloop[multi-gpu]'"
    )
# Lightning imports torchvision by way of torchmetrics: the same mismatch, so the same way round it.
import_torchvision()
import lightning  # noqa: E402 - only after the two checks above


class LightningFit:
    """`training.fitting.fit.fit` on several devices.

    Args:
        devices: 2 or more: CUDA devices where there are any, else processes on the CPU.
    Raises:
        SettingsError: there are fewer.
    """

    def __init__(self, devices: int) -> None:
        present = torch.cuda.device_count()
        if present and present < devices:
            raise SettingsError(f"{devices} devices are asked for; this machine has {present}")
        self._devices = devices

    def __call__(
        self,
        samples: Sequence[TrainingSample],
        config: FitConfig,
        *,
        start_from: Path | None,
        work_dir: Path,
        on_progress: OnProgress = unheard,
    ) -> FitResult:
        """Fits a network; see `training.fitting.fit.fit`.

        Lightning starts this program once more for each further device. Such a copy ends here, so that
        what follows a fit happens once.

        Raises:
            SettingsError: a batch has fewer pictures than there are devices.
        """
        if config.batch_size < self._devices:
            raise SettingsError(
                f"{self._devices} devices cannot share a batch of {config.batch_size} pictures"
            )
        batches = Batches(samples, config)
        keep_freed_memory()
        torch.manual_seed(config.seed)
        identity = f"{fit_identity(samples, config, start_from)} on {self._devices}"
        checkpoints = CheckpointFile(work_dir, identity)
        architecture, network = start_network(config, start_from)
        module = _Module(config, network, checkpoints.load())
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=self._devices,
            # EfficientNet's last convolution lies behind what a U-Net reads and never has a gradient.
            strategy="ddp_find_unused_parameters_true",
            max_epochs=1,
            gradient_clip_val=GRADIENT_NORM,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        part = slice(trainer.global_rank, None, self._devices)
        loader = torch.utils.data.DataLoader(_Steps(batches, module.first, part), batch_size=None)
        if not trainer.is_global_zero:
            trainer.fit(module, loader)
            raise SystemExit(0)
        with Curve(work_dir, module.first) as curve:
            module.logbook = Logbook(config, module.first, curve, checkpoints, on_progress)
            trainer.fit(module, loader)
        weights = {name: tensor.cpu() for name, tensor in module.average.weights().items()}
        return FitResult(weights, architecture, module.logbook.seconds, curve.path)


class _Steps(torch.utils.data.IterableDataset):
    """The batches of one device, each made while the step before it is computed."""

    def __init__(self, batches: Batches, first: int, part: slice) -> None:
        self._batches, self._first, self._part = batches, first, part

    def __iter__(self) -> Iterator[tuple[int, float, torch.Tensor, torch.Tensor]]:
        for step, waited_seconds, (images, partial_labels) in self._batches.ahead(self._first, self._part):
            yield step, waited_seconds, images, partial_labels


class _Module(lightning.LightningModule):
    """One step and what follows it; the first device writes curve and checkpoint."""

    average: WeightAverage
    logbook: Logbook | None = None

    def __init__(self, config: FitConfig, network: torch.nn.Module, stored: dict[str, Any] | None) -> None:
        super().__init__()
        self.network = fused_forward(placed(network, torch.device("cpu")))
        self._config, self._stored = config, stored
        self.first = int(stored["step"]) if stored else 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser, and all that must lie on the network's device, which it is on by now."""
        optimiser = optimiser_of(self.network, self._config)
        self.average = WeightAverage(self.network, self._config.ema_decay)
        if self._stored is not None:
            restore(self._stored, self.network, optimiser, self.average)
            self._stored = None
        return optimiser

    def training_step(self, batch: tuple[int, float, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """The loss of this device's share of the step."""
        step, waited_seconds, images, partial_labels = batch
        loss, parts = step_loss(
            self.network, self._optimiser(), (images, partial_labels), self._config, step, self.global_rank
        )
        # The mean over devices: one device's NaN stops all of them at the same step.
        mean = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
        value = require_finite(float(mean), parts)
        self._facts = {"loss": value} | parts | {"waited_seconds": waited_seconds}
        return loss

    def on_train_batch_end(self, outputs: object, batch: Any, batch_idx: int) -> None:
        """Average, curve, checkpoint, progress: as after a step on one device."""
        self.average.update(self.network)
        if self.logbook is not None:
            self.logbook.add(int(batch[0]), self._facts, self.network, self._optimiser(), self.average)

    def _optimiser(self) -> torch.optim.Optimizer:
        optimiser = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimiser, torch.optim.Optimizer)
        return optimiser

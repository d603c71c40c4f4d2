"""What a retrain needs of the deep-learning side; tests give a quick stand-in for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.card import ModelCard
from chestct.progress import OnProgress
from training.data.dataset import TrainingSample
from training.evaluate import UnitSegmenter, fit_temperature
from training.fitting.config import FitConfig
from training.fitting.fit import fit

Weights = Mapping[str, torch.Tensor]
Model = tuple[ModelCard, Weights]


class Trainer:
    """Fits and serves models with torch; tests give a stand-in of the same shape."""

    def fit(
        self,
        samples: Sequence[TrainingSample],
        config: FitConfig,
        parent: Path,
        work_dir: Path,
        on_progress: OnProgress,
    ) -> Weights:
        """Weights fitted from those in `parent`; resumes from `work_dir`."""
        return fit(samples, config, start_from=parent, work_dir=work_dir, on_progress=on_progress).state_dict

    def segmenter(self, card: ModelCard, weights: Weights) -> UnitSegmenter:
        """A model ready to be scored."""
        return UNetSegmenter.of_weights(card, dict(weights))

    def temperature(self, segmenter: UnitSegmenter, samples: Sequence[TrainingSample], seed: int) -> float:
        """The temperature that makes the labels of slices the model has not seen most likely."""
        return fit_temperature(segmenter, samples, seed)

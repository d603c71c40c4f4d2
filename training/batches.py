"""Batches of random views, each made while the step before it is computed."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from training.augment import Augmentation
from training.config import FitConfig
from training.dataset import TrainingSample, sampling_weights
from training.transplant import has_room, transplanted

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches:
    """The batches of a fit; all random choices of one derive from (seed, step).

    Args:
        samples: at least one.
        config: of the fit.
    Raises:
        TrainingDataError: nothing to draw from.
    """

    def __init__(self, samples: Sequence[TrainingSample], config: FitConfig) -> None:
        cv2.setNumThreads(1)  # its own pool would fight torch's for the same cores
        self._samples, self._config = samples, config
        self._odds = sampling_weights(samples, config.source_shares)
        lesions = np.array([sample.shows_lesion() for sample in samples])
        self._donors = self._odds * lesions
        self._rooms = [has_room(sample.candidates) for sample in samples]
        self._augmentation = Augmentation(config.turn_chance)

    def at(self, step: int) -> Batch:
        """(N, 1, size, size) float32 pictures in [0, 1] and (N, size, size) uint8 candidates."""
        rng = np.random.default_rng([self._config.seed, step])
        chosen = rng.choice(len(self._samples), size=self._config.batch_size, p=self._odds)
        size = self._config.size_at(step)
        views = [self._view(int(index), size, rng) for index in chosen]
        images = torch.from_numpy(np.stack([image for image, _ in views]))[:, None]
        candidates = torch.from_numpy(np.stack([known for _, known in views]))
        return images.contiguous(memory_format=torch.channels_last), candidates

    def ahead(self, first: int) -> Iterator[tuple[int, float, Batch]]:
        """Step, seconds that it was waited for, and batch, from step `first` to the last."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as thread:
            coming = thread.submit(self.at, first) if first < self._config.steps else None
            for step in range(first, self._config.steps):
                asked = time.monotonic()
                assert coming is not None
                batch = coming.result()
                waited_seconds = time.monotonic() - asked
                coming = thread.submit(self.at, step + 1) if step + 1 < self._config.steps else None
                yield step, waited_seconds, batch

    def _view(self, index: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        sample, seed = self._samples[index], int(rng.integers(2**31))
        image, candidates = sample.image, sample.candidates
        if rng.random() < self._config.transplant_chance and self._rooms[index] and self._donors.any():
            donor = self._samples[int(rng.choice(len(self._samples), p=self._donors / self._donors.sum()))]
            image, candidates = transplanted(image, candidates, donor.image, donor.candidates, seed)
        return self._augmentation(image, candidates, size, seed)
